-- A django-oscar shop's orders in Redo's words. README.md says what the tables mean and what is approximated.
--
-- Shoppers know an order by its number, Redo does too; the table's key is another column:
-- order_key: public.order_order(id)

WITH line AS (
    SELECT
        l.id,
        l.order_id,
        l.quantity,
        l.title,
        l.partner_name,
        l.partner_sku,
        coalesce(p.parent_id, p.id)::text AS product_id,
        CASE WHEN p.parent_id IS NOT NULL THEN p.id::text END AS variant_id,
        -- For one unit, before discounts and tax. The unit price was added to the shop later: old lines have none.
        coalesce(l.unit_price_excl_tax, round(l.line_price_before_discounts_excl_tax / nullif(l.quantity, 0), 2), 0) AS price,
        coalesce(l.unit_price_incl_tax - l.unit_price_excl_tax, 0) AS unit_tax,
        l.line_price_incl_tax - l.line_price_excl_tax AS tax,
        -- A variant without a picture shows its parent's.
        coalesce(
            (SELECT i.original FROM catalogue_productimage AS i WHERE i.product_id = p.id ORDER BY i.display_order, i.id LIMIT 1),
            (SELECT i.original FROM catalogue_productimage AS i WHERE i.product_id = p.parent_id ORDER BY i.display_order, i.id LIMIT 1)
        ) AS image
    FROM order_line AS l
    LEFT JOIN catalogue_product AS p ON p.id = l.product_id
),

-- What each discount of an order took off its lines; the rest of it is the order's own.
discount AS (
    SELECT
        d.id,
        d.order_id,
        d.category,
        d.amount,
        d.amount - coalesce((SELECT sum(ld.amount) FROM order_orderlinediscount AS ld WHERE ld.order_discount_id = d.id), 0)
            AS not_on_lines,
        coalesce(nullif(d.voucher_code, ''), nullif(d.offer_name, ''), 'Discount') AS title,
        nullif(d.voucher_code, '') AS code
    FROM order_orderdiscount AS d
)

SELECT
    o.number AS id,
    o.date_placed AS created_at,
    o.currency AS presentment_currency,
    o.currency AS shop_currency,
    site.domain AS sales_channel,
    jsonb_build_array(jsonb_build_object('namespace', 'oscar', 'key', 'status', 'value', o.status)) AS metafields,

    -- The status is the shop's own word: `Cancelled` is what OSCAR_ORDER_STATUS_PIPELINE calls it in the documentation.
    CASE WHEN o.status = 'Cancelled' THEN coalesce(
        (SELECT max(c.date_created) FROM order_orderstatuschange AS c WHERE c.order_id = o.id AND c.new_status = o.status),
        o.date_placed
    ) END AS cancelled_at,
    CASE WHEN o.status = 'Cancelled' THEN 'other' END AS cancel_reason,

    -- Guests have an address for letters and one for mails, but no account.
    jsonb_build_object(
        'id', u.id::text,
        'email', coalesce(u.email, o.guest_email),
        'first_name', coalesce(nullif(u.first_name, ''), sa.first_name),
        'last_name', coalesce(nullif(u.last_name, ''), sa.last_name),
        'phone', nullif(sa.phone_number, '')
    ) AS customer,

    jsonb_build_object(
        'first_name', sa.first_name,
        'last_name', sa.last_name,
        'address1', sa.line1,
        'address2', nullif(concat_ws(', ', nullif(sa.line2, ''), nullif(sa.line3, '')), ''),
        'city', sa.line4,
        'province_code', sa.state,
        'zip', sa.postcode,
        'country_code', sa.country_id,
        'phone', nullif(sa.phone_number, '')
    ) AS shipping_address,

    CASE WHEN ba.id IS NOT NULL THEN
        jsonb_build_object(
            'first_name', ba.first_name,
            'last_name', ba.last_name,
            'address1', ba.line1,
            'address2', nullif(concat_ws(', ', nullif(ba.line2, ''), nullif(ba.line3, '')), ''),
            'city', ba.line4,
            'province_code', ba.state,
            'zip', ba.postcode,
            'country_code', ba.country_id
        )
    END AS billing_address,

    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', l.id::text,
                -- A product that was deleted leaves its line behind.
                'product_id', coalesce(l.product_id, l.partner_sku),
                'variant_id', l.variant_id,
                'sku', l.partner_sku,
                'title', l.title,
                'vendor', nullif(l.partner_name, ''),
                'quantity', l.quantity,
                'price_set', l.price,
                'tax_lines', CASE WHEN l.tax > 0 THEN
                    jsonb_build_array(jsonb_build_object('price_set', l.tax, 'rate', NULL, 'title', 'Tax'))
                END,
                'discounts', (
                    SELECT jsonb_agg(
                        jsonb_build_object(
                            'amount_set', ld.amount,
                            'discount_id', ld.id::text,
                            'discount_title', d.title,
                            'discount_code', d.code
                        )
                        ORDER BY ld.id
                    )
                    FROM order_orderlinediscount AS ld
                    JOIN discount AS d ON d.id = ld.order_discount_id
                    WHERE ld.line_id = l.id AND ld.amount > 0
                ),
                -- Redo coverage is a product of the partner re:do with the sku x-redo; an attribute says what it covers.
                'tags', (
                    SELECT jsonb_agg(covers.value #>> '{}' ORDER BY covers.id)
                    FROM order_lineattribute AS covers
                    WHERE covers.line_id = l.id AND covers.type = '_redo_type' AND covers.value #>> '{}' IS NOT NULL
                ),
                'properties', (
                    SELECT jsonb_agg(jsonb_build_object('name', a.type, 'value', a.value #>> '{}') ORDER BY a.id)
                    FROM order_lineattribute AS a
                    WHERE a.line_id = l.id AND a.value #>> '{}' IS NOT NULL
                ),
                'image', 'https://shop.example/media/' || l.image
            )
            ORDER BY l.id
        )
        FROM line AS l
        WHERE l.order_id = o.id
    ) AS line_items,

    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'amount_set', d.not_on_lines,
                'discount_id', d.id::text,
                'discount_title', d.title,
                'discount_code', d.code
            )
            ORDER BY d.id
        )
        FROM discount AS d
        WHERE d.order_id = o.id AND d.category = 'Basket' AND d.not_on_lines > 0
    ) AS order_discounts,

    -- The charge is stored after discounts. A surcharge (for a payment method, say) has no place of its own at Redo.
    jsonb_build_array(
        jsonb_build_object(
            'id', 'shipping',
            'code', nullif(o.shipping_code, ''),
            'title', coalesce(nullif(o.shipping_method, ''), 'Shipping'),
            'price_set', o.shipping_excl_tax + coalesce(off.amount, 0),
            'discounts', off.rows,
            'tax_lines', CASE WHEN o.shipping_incl_tax > o.shipping_excl_tax THEN
                jsonb_build_array(jsonb_build_object(
                    'price_set', o.shipping_incl_tax - o.shipping_excl_tax, 'rate', NULL, 'title', 'Tax'
                ))
            END
        )
    ) || coalesce((
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', 'surcharge-' || s.id,
                'code', s.code,
                'title', s.name,
                'price_set', s.excl_tax,
                'tax_lines', CASE WHEN s.incl_tax > s.excl_tax THEN
                    jsonb_build_array(jsonb_build_object('price_set', s.incl_tax - s.excl_tax, 'rate', NULL, 'title', 'Tax'))
                END
            )
            ORDER BY s.id
        )
        FROM order_surcharge AS s
        WHERE s.order_id = o.id
    ), '[]') AS shipping_lines,

    -- An event says what happened to how many units of which lines. A shipment was delivered when a later event of the
    -- order says so of one of its lines.
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', e.id::text,
                'shipping_date', e.date_created,
                'delivery_date', (
                    SELECT max(later.date_created)
                    FROM order_shippingevent AS later
                    JOIN order_shippingeventtype AS tt ON tt.id = later.event_type_id
                    JOIN order_shippingeventquantity AS tq ON tq.event_id = later.id
                    JOIN order_shippingeventquantity AS eq ON eq.line_id = tq.line_id
                    WHERE later.order_id = e.order_id AND tt.code = 'delivered' AND eq.event_id = e.id
                ),
                'line_items', (
                    SELECT jsonb_agg(jsonb_build_object('id', q.line_id::text, 'quantity', q.quantity) ORDER BY q.id)
                    FROM order_shippingeventquantity AS q
                    JOIN order_line AS ql ON ql.id = q.line_id AND ql.order_id = e.order_id
                    WHERE q.event_id = e.id
                )
            )
            ORDER BY e.id
        )
        FROM order_shippingevent AS e
        JOIN order_shippingeventtype AS et ON et.id = e.event_type_id
        WHERE e.order_id = o.id AND et.code = 'shipped'
    ) AS fulfillments,

    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', e.id::text,
                'created_at', e.date_created,
                'note', nullif(e.reference, ''),
                'line_items', returned.rows,
                -- What was paid back without naming lines.
                'order_level_refunds', CASE WHEN returned.rows IS NULL THEN
                    jsonb_build_array(jsonb_build_object('amount_set', e.amount))
                END
            )
            ORDER BY e.id
        )
        FROM order_paymentevent AS e
        JOIN order_paymenteventtype AS et ON et.id = e.event_type_id
        LEFT JOIN LATERAL (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'line_item_id', q.line_id::text,
                    'quantity', q.quantity,
                    'subtotal_set', q.quantity * l.price,
                    'total_tax_set', q.quantity * l.unit_tax
                )
                ORDER BY q.id
            ) AS rows
            FROM order_paymenteventquantity AS q
            JOIN line AS l ON l.id = q.line_id AND l.order_id = e.order_id
            WHERE q.event_id = e.id AND q.quantity > 0
        ) AS returned ON true
        WHERE e.order_id = o.id AND et.code = 'refunded'
    ) AS refunds,

    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'payment_id', s.id::text,
                'amount', s.amount_debited,
                'currency', s.currency,
                'created_date', coalesce(
                    (SELECT min(t.date_created) FROM payment_transaction AS t WHERE t.source_id = s.id AND t.txn_type = 'Debit'),
                    o.date_placed
                ),
                'payment_gateway', st.name
            )
            ORDER BY s.id
        )
        FROM payment_source AS s
        JOIN payment_sourcetype AS st ON st.id = s.source_type_id
        WHERE s.order_id = o.id AND s.amount_debited > 0
    ) AS transactions

FROM order_order AS o
-- Orders of downloads only have no shipping address: there is nothing to send back.
JOIN order_shippingaddress AS sa ON sa.id = o.shipping_address_id
LEFT JOIN order_billingaddress AS ba ON ba.id = o.billing_address_id
LEFT JOIN auth_user AS u ON u.id = o.user_id
LEFT JOIN django_site AS site ON site.id = o.site_id
LEFT JOIN LATERAL (
    SELECT
        sum(d.amount) AS amount,
        jsonb_agg(
            jsonb_build_object(
                'amount_set', d.amount, 'discount_id', d.id::text, 'discount_title', d.title, 'discount_code', d.code
            )
            ORDER BY d.id
        ) AS rows
    FROM discount AS d
    WHERE d.order_id = o.id AND d.category = 'Shipping' AND d.amount > 0
) AS off ON true
WHERE
    coalesce(u.email, o.guest_email) <> ''
    AND EXISTS (SELECT 1 FROM order_line AS any_line WHERE any_line.order_id = o.id)
