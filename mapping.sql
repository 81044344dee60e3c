-- What an order is, in Redo's words, taken from the tables as they are.
--
-- One SELECT, one row an order. The names of the output columns are Redo's field names, in snake_case here
-- (`created_at`); quoted camelCase (`"createdAt"`) does as well, and so it is inside the jsonb parts. This file serves
-- the OMS of `redo-connector demo`; start from it, and let `redo-connector preview` show what comes out of yours.
--
-- The connector reads this query in three ways:
--   * it runs it, for some orders at a time, by restricting the order's key. `id` leads to that key: it is the
--     primary key of oms.order_header;
--   * it follows the joins to learn which orders a changed row concerns. order_item, shipment, refund and payment carry
--     the order's number; from a customer, an address, a product, a promo or a carrier it looks the orders up, for which
--     the columns joined on should have an index;
--   * it notes which columns are read. A change of any other one (pick_bin, internal_note) is no news to Redo.
--
-- A plain number where Redo wants money becomes `{presentmentMoney, shopMoney}` in the order's currencies. NULL where
-- Redo wants a list is the empty list. A time stamp without a zone is taken to be in `source.timezone`.
-- `type` may be left out, and so may `updated_at`: it is then the time at which the change was seen. That is better
-- than chg_ts, which the warehouse's programs forget to set.

WITH line AS (
    -- A line of an order together with its product.
    SELECT
        i.ord_id,
        i.line_no,
        -- Unique in the order, never used again for another line, and without underscores.
        i.ord_id || '-' || i.line_no AS line_id,
        i.qty,
        i.unit_price,
        i.disc_amt,
        i.disc_cd,
        i.tax_amt,
        i.tax_rate,
        p.product_id,
        p.sku,
        p.prod_nm,
        p.vendor_cd,
        p.img_path,
        p.wt_kg,
        p.final_sale_flg,
        -- Redo coverage: the line whose product has the vendor re:do and the sku x-redo says what was bought.
        CASE i.cover_cd WHEN 'R' THEN 'returns' WHEN 'P' THEN 'package protection' WHEN 'B' THEN 'both' END AS coverage
    FROM oms.order_item AS i
    JOIN oms.product AS p ON p.product_id = i.product_id
)

SELECT
    o.ord_id::text AS id,
    o.placed_ts AS created_at,
    -- This shop charges in the currency that it shows.
    o.currency AS presentment_currency,
    o.currency AS shop_currency,
    CASE o.chan_cd WHEN 'WEB' THEN 'web' WHEN 'PHONE' THEN 'phone' ELSE 'store' END AS sales_channel,
    to_jsonb(string_to_array(o.tag_list, ',')) AS tags,
    jsonb_build_array(
        jsonb_build_object('namespace', 'oms', 'key', 'order_number', 'value', o.ord_no)
    ) AS metafields,

    -- A cancelled order keeps being sent, with the time and the reason.
    o.cxl_ts AS cancelled_at,
    CASE
        WHEN o.cxl_ts IS NULL THEN NULL
        WHEN o.cxl_rsn_cd = 'CU' THEN 'customer'
        WHEN o.cxl_rsn_cd = 'FR' THEN 'fraud'
        WHEN o.cxl_rsn_cd = 'IN' THEN 'inventory'
        WHEN o.cxl_rsn_cd = 'DC' THEN 'declined'
        WHEN o.cxl_rsn_cd = 'ST' THEN 'staff'
        ELSE 'other'
    END AS cancel_reason,

    jsonb_build_object(
        'id', c.cust_id::text,
        'email', c.email_addr,
        'first_name', c.first_nm,
        'last_name', c.last_nm,
        'phone', c.phone_no,
        'tags', CASE WHEN c.vip_flg = 'Y' THEN jsonb_build_array('vip') END
    ) AS customer,

    jsonb_build_object(
        'first_name', c.first_nm,
        'last_name', c.last_nm,
        'address1', sa.street_1,
        'address2', sa.street_2,
        'city', sa.city,
        'province_code', sa.state_cd,
        'zip', sa.zip_cd,
        'country_code', sa.ctry_cd,
        'phone', c.phone_no
    ) AS shipping_address,

    -- The same table once more, for the orders that are billed elsewhere.
    CASE WHEN ba.addr_id IS NOT NULL THEN
        jsonb_build_object(
            'first_name', c.first_nm,
            'last_name', c.last_nm,
            'address1', ba.street_1,
            'address2', ba.street_2,
            'city', ba.city,
            'province_code', ba.state_cd,
            'zip', ba.zip_cd,
            'country_code', ba.ctry_cd
        )
    END AS billing_address,

    -- Prices are for one unit, before tax and discount; discounts and taxes are for all units of the line.
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', l.line_id,
                'product_id', l.product_id::text,
                'sku', l.sku,
                'title', l.prod_nm,
                'vendor', l.vendor_cd,
                'quantity', l.qty,
                'returnable_quantity', CASE WHEN l.final_sale_flg = 'Y' OR l.coverage IS NOT NULL THEN 0 ELSE l.qty END,
                'price_set', l.unit_price,
                'discounts', CASE WHEN l.disc_amt > 0 THEN
                    jsonb_build_array(jsonb_build_object(
                        'amount_set', l.disc_amt,
                        'discount_id', coalesce(l.disc_cd, 'manual'),
                        'discount_code', coalesce(l.disc_cd, 'manual')
                    ))
                END,
                'tax_lines', CASE WHEN l.tax_amt > 0 THEN
                    jsonb_build_array(jsonb_build_object(
                        'price_set', l.tax_amt, 'rate', l.tax_rate::text, 'title', 'Sales tax'
                    ))
                END,
                -- The OMS weighs in kilograms, Redo in grams.
                'weight', CASE WHEN l.wt_kg IS NOT NULL THEN
                    jsonb_build_object('value', round(l.wt_kg * 1000), 'unit', 'g')
                END,
                'image', 'https://img.shop.example/' || l.img_path,
                'tags', CASE WHEN l.coverage IS NOT NULL THEN jsonb_build_array(l.coverage) END,
                'properties', CASE WHEN l.coverage IS NOT NULL THEN
                    jsonb_build_array(jsonb_build_object('name', '_redo_type', 'value', l.coverage))
                END
            )
            ORDER BY l.line_no
        )
        FROM line AS l
        WHERE l.ord_id = o.ord_id
    ) AS line_items,

    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'amount_set', op.amt,
                'discount_id', op.promo_cd,
                'discount_code', op.promo_cd,
                'discount_title', pr.promo_desc
            )
            ORDER BY op.promo_cd
        )
        FROM oms.order_promo AS op
        JOIN oms.promo AS pr ON pr.promo_cd = op.promo_cd
        WHERE op.ord_id = o.ord_id
    ) AS order_discounts,

    jsonb_build_array(
        jsonb_build_object(
            'id', o.ord_id || '-shipping',
            'code', o.ship_meth_cd,
            'title', CASE o.ship_meth_cd WHEN 'EX' THEN 'Express' ELSE 'Ground' END,
            'price_set', o.ship_amt,
            'tax_lines', CASE WHEN o.ship_tax_amt > 0 THEN
                jsonb_build_array(jsonb_build_object('price_set', o.ship_tax_amt, 'rate', NULL, 'title', 'Sales tax'))
            END
        )
    ) AS shipping_lines,

    fulfilled.parcels AS fulfillments,

    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', r.refund_id::text,
                'created_at', r.refund_ts,
                'note', r.memo,
                'line_items', (
                    SELECT jsonb_agg(
                        jsonb_build_object(
                            'line_item_id', ri.ord_id || '-' || ri.line_no,
                            'quantity', ri.qty,
                            'subtotal_set', ri.amt,
                            'total_tax_set', ri.tax_amt
                        )
                        ORDER BY ri.line_no
                    )
                    FROM oms.refund_item AS ri
                    WHERE ri.refund_id = r.refund_id AND ri.ord_id = r.ord_id
                ),
                'shipping_refunds', CASE WHEN r.ship_amt > 0 THEN
                    jsonb_build_array(jsonb_build_object('amount_set', r.ship_amt))
                END
            )
            ORDER BY r.refund_id
        )
        FROM oms.refund AS r
        WHERE r.ord_id = o.ord_id
    ) AS refunds,

    -- The amount of a transaction is a plain number at Redo, too.
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'payment_id', pay.pay_id::text,
                'amount', pay.amt,
                'currency', o.currency,
                'created_date', pay.pay_ts,
                'payment_gateway', pay.gateway_cd,
                'additional_details', CASE WHEN pay.card_last4 IS NOT NULL THEN
                    jsonb_build_object('credit_card_last_four', pay.card_last4)
                END
            )
            ORDER BY pay.pay_id
        )
        FROM oms.payment AS pay
        WHERE pay.ord_id = o.ord_id
    ) AS transactions

FROM oms.order_header AS o
JOIN oms.customer AS c ON c.cust_id = o.cust_id
JOIN oms.cust_address AS sa ON sa.addr_id = o.ship_addr_id
LEFT JOIN oms.cust_address AS ba ON ba.addr_id = o.bill_addr_id
LEFT JOIN LATERAL (
    -- What has left the house; a parcel that is still being packed is no fulfillment. Joining on the order as well as
    -- on the shipment lets a changed shipment_item say by itself whose it is.
    SELECT jsonb_agg(
        jsonb_build_object(
            'id', s.shipment_id::text,
            'shipping_date', s.ship_ts,
            'delivery_date', s.dlv_ts,
            'tracking_numbers', CASE WHEN s.track_no IS NOT NULL THEN
                jsonb_build_array(jsonb_build_object('carrier', ca.carrier_nm, 'tracking_number', s.track_no))
            END,
            'tracking_urls', CASE WHEN s.track_no IS NOT NULL THEN jsonb_build_array(ca.track_url || s.track_no) END,
            'line_items', (
                SELECT jsonb_agg(
                    jsonb_build_object('id', si.ord_id || '-' || si.line_no, 'quantity', si.qty)
                    ORDER BY si.line_no
                )
                FROM oms.shipment_item AS si
                WHERE si.shipment_id = s.shipment_id AND si.ord_id = s.ord_id
            )
        )
        ORDER BY s.shipment_id
    ) AS parcels
    FROM oms.shipment AS s
    JOIN oms.carrier AS ca ON ca.carrier_cd = s.carrier_cd
    WHERE s.ord_id = o.ord_id AND s.ship_ts IS NOT NULL
) AS fulfilled ON true
