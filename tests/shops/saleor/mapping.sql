SELECT
    o.id::text AS id,
    o.created_at,
    o.currency AS presentment_currency,
    o.currency AS shop_currency,
    ch.slug AS sales_channel,
    CASE WHEN o.status = 'canceled' THEN o.created_at END AS cancelled_at,
    CASE WHEN o.status = 'canceled' THEN 'other' END AS cancel_reason,
    jsonb_build_object(
        'id', u.id, 'email', coalesce(u.email, nullif(o.user_email, '')), 'first_name', coalesce(u.first_name, a.first_name),
        'last_name', coalesce(u.last_name, a.last_name), 'phone', nullif(a.phone, '')
    ) AS customer,
    jsonb_build_object(
        'first_name', a.first_name, 'last_name', a.last_name, 'company', nullif(a.company_name, ''), 'address1', a.street_address_1,
        'address2', nullif(a.street_address_2, ''), 'city', a.city, 'province_code', a.country_area, 'zip', a.postal_code,
        'country_code', a.country, 'phone', nullif(a.phone, '')
    ) AS shipping_address,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', l.id,
                'product_id', coalesce(v.product_id::text, l.product_variant_id, l.id::text),
                'variant_id', coalesce(v.id::text, l.product_variant_id),
                'sku', coalesce(l.product_sku, v.sku, l.product_variant_id, l.id::text),
                'title', coalesce(t.name, l.product_name),
                'variant_title', nullif(l.variant_name, ''),
                'quantity', l.quantity,
                'price_set', l.undiscounted_unit_price_net_amount,
                'tags', l.metadata -> 'tags',
                'tax_lines', CASE WHEN l.total_price_gross_amount > l.total_price_net_amount THEN
                    jsonb_build_array(jsonb_build_object(
                        'title', 'Tax', 'rate', l.tax_rate, 'price_set', l.total_price_gross_amount - l.total_price_net_amount
                    ))
                END,
                'discounts', CASE WHEN l.unit_discount_amount > 0 THEN
                    jsonb_build_array(jsonb_build_object(
                        'discount_id', 'unit', 'discount_title', l.unit_discount_reason, 'amount_set', l.unit_discount_amount * l.quantity
                    ))
                END
            )
            ORDER BY l.created_at, l.id
        )
        FROM order_orderline AS l
        LEFT JOIN product_productvariant AS v ON v.id = l.variant_id
        LEFT JOIN product_producttranslation AS t ON t.product_id = v.product_id AND t.language_code = o.language_code
        WHERE l.order_id = o.id
    ) AS line_items,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'discount_id', d.id, 'discount_title', coalesce(nullif(d.translated_name, ''), d.name, d.reason),
                'discount_code', d.voucher_code, 'amount_set', d.amount_value
            )
            ORDER BY d.id
        )
        FROM discount_orderdiscount AS d
        WHERE d.order_id = o.id AND d.type IN ('manual', 'voucher', 'order_promotion')
    ) AS order_discounts,
    jsonb_build_array(
        jsonb_build_object(
            'id', 'shipping', 'title', coalesce(o.shipping_method_name, m.name, 'Shipping'), 'price_set', o.shipping_price_net_amount
        )
    ) AS shipping_lines,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', f.id,
                'shipping_date', f.created_at,
                'tracking_numbers', CASE WHEN f.tracking_number <> '' THEN
                    jsonb_build_array(jsonb_build_object('tracking_number', f.tracking_number))
                END,
                'line_items', (
                    SELECT jsonb_agg(jsonb_build_object('id', fl.order_line_id, 'quantity', fl.quantity) ORDER BY fl.id)
                    FROM order_fulfillmentline AS fl
                    WHERE fl.fulfillment_id = f.id
                )
            )
            ORDER BY f.fulfillment_order, f.id
        )
        FROM order_fulfillment AS f
        WHERE f.order_id = o.id AND f.status = 'fulfilled'
    ) AS fulfillments,
    (
        SELECT jsonb_agg(found.tag ORDER BY found.tag)
        FROM (
            SELECT jsonb_array_elements_text(o.metadata -> 'tags') AS tag
            UNION
            SELECT 'gift card' FROM order_order_gift_cards AS og JOIN giftcard_giftcard AS g ON g.id = og.giftcard_id AND g.is_active
            WHERE og.order_id = o.id
        ) AS found
    ) AS tags
FROM order_order AS o
JOIN channel_channel AS ch ON ch.id = o.channel_id
JOIN account_address AS a ON a.id = coalesce(o.shipping_address_id, o.billing_address_id)
LEFT JOIN account_user AS u ON u.id = o.user_id
LEFT JOIN shipping_shippingmethod AS m ON m.id = o.shipping_method_id
WHERE o.status NOT IN ('draft', 'unconfirmed', 'expired') AND coalesce(u.email, nullif(o.user_email, '')) IS NOT NULL
    AND EXISTS (SELECT FROM order_orderline AS l WHERE l.order_id = o.id)
-- key public.order_order(id)
-- a: reverse id via public.order_order
-- a: reverse id via public.order_order
-- ch: reverse id via public.order_order
-- d: column order_id if type IN ('manual', 'voucher', 'order_promotion')
-- f: column order_id if status = 'fulfilled'
-- fl: reverse fulfillment_id via public.order_fulfillment (status = 'fulfilled')
-- g: reverse id if is_active via public.order_order_gift_cards
-- l: column order_id
-- l: column order_id
-- m: reverse id via public.order_order
-- o: key id
-- og: column order_id
-- t: reverse product_id via public.product_productvariant, public.order_orderline
-- u: reverse id via public.order_order
-- v: reverse id via public.order_orderline
