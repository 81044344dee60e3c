-- Shoppers and Redo know an order by its number:
-- order_key: public.spree_orders(id)
SELECT
    o.number AS id,
    o.completed_at AS created_at,
    o.currency AS presentment_currency,
    o.currency AS shop_currency,
    o.channel AS sales_channel,
    o.canceled_at AS cancelled_at,
    CASE WHEN o.canceled_at IS NOT NULL THEN 'other' END AS cancel_reason,
    jsonb_build_object(
        'id', o.user_id, 'email', o.email, 'first_name', split_part(a.name, ' ', 1), 'last_name', split_part(a.name, ' ', 2),
        'phone', a.phone
    ) AS customer,
    jsonb_build_object(
        'first_name', a.name, 'company', a.company, 'address1', coalesce(a.address1, ''), 'address2', a.address2,
        'city', coalesce(a.city, ''), 'province_code', coalesce(s.abbr, a.state_name, ''), 'zip', coalesce(a.zipcode, ''),
        'country_code', c.iso, 'phone', a.phone
    ) AS shipping_address,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', l.id,
                'product_id', v.product_id,
                'variant_id', v.id,
                'sku', v.sku,
                'title', p.name,
                'quantity', l.quantity,
                'price_set', l.price,
                'tax_lines', (
                    SELECT jsonb_agg(jsonb_build_object('title', x.label, 'rate', NULL, 'price_set', x.amount) ORDER BY x.id)
                    FROM spree_adjustments AS x
                    WHERE x.adjustable_type = 'Spree::LineItem' AND x.adjustable_id = l.id AND x.source_type = 'Spree::TaxRate'
                ),
                'discounts', (
                    SELECT jsonb_agg(
                        jsonb_build_object('discount_id', x.id, 'discount_title', coalesce(pr.name, x.label), 'amount_set', -x.amount)
                        ORDER BY x.id
                    )
                    FROM spree_adjustments AS x
                    JOIN spree_promotion_actions AS pa ON pa.id = x.source_id
                    JOIN spree_promotions AS pr ON pr.id = pa.promotion_id
                    WHERE x.adjustable_type = 'Spree::LineItem' AND x.adjustable_id = l.id
                        AND x.source_type = 'Spree::PromotionAction' AND x.eligible
                )
            )
            ORDER BY l.id
        )
        FROM spree_line_items AS l
        JOIN spree_variants AS v ON v.id = l.variant_id
        JOIN spree_products AS p ON p.id = v.product_id
        WHERE l.order_id = o.id
    ) AS line_items,
    (
        SELECT jsonb_agg(
            jsonb_build_object('discount_id', x.id, 'discount_title', coalesce(pr.name, x.label), 'amount_set', -x.amount) ORDER BY x.id
        )
        FROM spree_adjustments AS x
        LEFT JOIN spree_promotion_actions AS pa ON pa.id = x.source_id AND x.source_type = 'Spree::PromotionAction'
        LEFT JOIN spree_promotions AS pr ON pr.id = pa.promotion_id
        WHERE x.adjustable_type = 'Spree::Order' AND x.adjustable_id = o.id AND x.eligible AND x.amount < 0
    ) AS order_discounts,
    (
        SELECT jsonb_agg(
            jsonb_build_object('id', sh.id, 'title', coalesce(m.name, 'Shipping'), 'code', m.code, 'price_set', coalesce(sh.cost, 0))
            ORDER BY sh.id, r.id
        )
        FROM spree_shipments AS sh
        LEFT JOIN spree_shipping_rates AS r ON r.shipment_id = sh.id AND r.selected
        LEFT JOIN spree_shipping_methods AS m ON m.id = r.shipping_method_id
        WHERE sh.order_id = o.id AND sh.state <> 'canceled'
    ) AS shipping_lines,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', sh.id,
                'shipping_date', sh.shipped_at,
                'tracking_numbers', CASE WHEN sh.tracking <> '' THEN
                    jsonb_build_array(jsonb_build_object('tracking_number', sh.tracking))
                END,
                'line_items', (
                    SELECT jsonb_agg(jsonb_build_object('id', sent.line_item_id, 'quantity', sent.quantity) ORDER BY sent.line_item_id)
                    FROM (
                        SELECT u.line_item_id, count(*) AS quantity
                        FROM spree_inventory_units AS u
                        WHERE u.shipment_id = sh.id AND u.state IN ('shipped', 'returned') AND u.line_item_id IS NOT NULL
                        GROUP BY u.line_item_id
                    ) AS sent
                )
            )
            ORDER BY sh.id
        )
        FROM spree_shipments AS sh
        WHERE sh.order_id = o.id AND sh.state = 'shipped'
    ) AS fulfillments,
    (
        SELECT jsonb_agg(pc.value ORDER BY pc.value)
        FROM spree_orders_promotions AS op
        JOIN spree_promotion_codes AS pc ON pc.id = op.promotion_code_id
        WHERE op.order_id = o.id
    ) AS tags
FROM spree_orders AS o
JOIN spree_addresses AS a ON a.id = coalesce(o.ship_address_id, o.bill_address_id)
LEFT JOIN spree_states AS s ON s.id = a.state_id
LEFT JOIN spree_countries AS c ON c.id = a.country_id
WHERE o.completed_at IS NOT NULL
    AND EXISTS (
        SELECT FROM spree_line_items AS l
        JOIN spree_variants AS v ON v.id = l.variant_id
        JOIN spree_products AS p ON p.id = v.product_id
        WHERE l.order_id = o.id
    )
-- key public.spree_orders(id)
-- a: reverse id via public.spree_orders (completed_at IS NOT NULL)
-- a: reverse id via public.spree_orders (completed_at IS NOT NULL)
-- c: reverse id via public.spree_addresses, public.spree_orders (completed_at IS NOT NULL)
-- c: reverse id via public.spree_addresses, public.spree_orders (completed_at IS NOT NULL)
-- l: column order_id
-- l: column order_id
-- m: reverse id via public.spree_shipping_rates (selected), public.spree_shipments
-- o: key id if completed_at IS NOT NULL
-- op: column order_id
-- p: reverse id via public.spree_variants, public.spree_line_items
-- p: reverse id via public.spree_variants, public.spree_line_items
-- pa: reverse id via public.spree_adjustments (source_type = 'Spree::PromotionAction' AND adjustable_type = 'Spree::LineItem' AND eligible), public.spree_line_items
-- pa: reverse id via public.spree_adjustments (source_type = 'Spree::PromotionAction' AND adjustable_type = 'Spree::Order' AND eligible)
-- pc: reverse id via public.spree_orders_promotions
-- pr: reverse id via public.spree_promotion_actions, public.spree_adjustments (source_type = 'Spree::PromotionAction' AND adjustable_type = 'Spree::LineItem' AND eligible), public.spree_line_items
-- pr: reverse id via public.spree_promotion_actions, public.spree_adjustments (source_type = 'Spree::PromotionAction' AND adjustable_type = 'Spree::Order' AND eligible)
-- r: reverse shipment_id if selected via public.spree_shipments
-- s: reverse id via public.spree_addresses, public.spree_orders (completed_at IS NOT NULL)
-- s: reverse id via public.spree_addresses, public.spree_orders (completed_at IS NOT NULL)
-- sh: column order_id
-- sh: column order_id if state = 'shipped'
-- u: reverse shipment_id if state IN ('shipped', 'returned') AND line_item_id IS NOT NULL via public.spree_shipments (state = 'shipped')
-- v: reverse id via public.spree_line_items
-- v: reverse id via public.spree_line_items
-- x: column adjustable_id if adjustable_type = 'Spree::Order' AND eligible
-- x: reverse adjustable_id if source_type = 'Spree::PromotionAction' AND adjustable_type = 'Spree::LineItem' AND eligible via public.spree_line_items
-- x: reverse adjustable_id if source_type = 'Spree::TaxRate' AND adjustable_type = 'Spree::LineItem' via public.spree_line_items
-- index CREATE INDEX CONCURRENTLY ON "public"."spree_shipping_rates" ("shipping_method_id") WHERE "selected";
