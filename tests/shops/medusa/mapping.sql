SELECT
    o.id,
    o.created_at,
    o.canceled_at AS cancelled_at,
    CASE WHEN o.canceled_at IS NOT NULL THEN 'other' END AS cancel_reason,
    upper(o.currency_code) AS presentment_currency,
    upper(o.currency_code) AS shop_currency,
    jsonb_build_object(
        'id', c.id,
        'email', coalesce(o.email, c.email),
        'first_name', coalesce(c.first_name, sa.first_name, ''),
        'last_name', coalesce(c.last_name, sa.last_name, ''),
        'phone', coalesce(c.phone, sa.phone)
    ) AS customer,
    jsonb_build_object(
        'first_name', sa.first_name, 'last_name', sa.last_name, 'company', sa.company, 'address1', coalesce(sa.address_1, ''),
        'address2', sa.address_2, 'city', coalesce(sa.city, ''), 'province_code', coalesce(sa.province, ''),
        'zip', coalesce(sa.postal_code, ''), 'country_code', upper(sa.country_code), 'phone', sa.phone
    ) AS shipping_address,
    CASE WHEN ba.id IS NOT NULL THEN
        jsonb_build_object(
            'first_name', ba.first_name, 'last_name', ba.last_name, 'address1', ba.address_1, 'city', ba.city, 'zip', ba.postal_code,
            'country_code', upper(ba.country_code)
        )
    END AS billing_address,
    -- Redo takes no underscore in the id of a line, and Medusa's have one.
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', replace(li.id, '_', '-'),
                'product_id', coalesce(li.product_id, li.id),
                'variant_id', li.variant_id,
                'sku', coalesce(li.variant_sku, li.variant_id, li.id),
                'title', coalesce(li.product_title, li.title),
                'variant_title', li.variant_title,
                'image', li.thumbnail,
                'quantity', oi.quantity,
                'returnable_quantity', oi.quantity - oi.return_received_quantity,
                'price_set', coalesce(oi.unit_price, li.unit_price),
                'metafields', CASE WHEN li.product_type IS NOT NULL THEN
                    jsonb_build_array(jsonb_build_object('namespace', 'medusa', 'key', 'product_type', 'value', li.product_type))
                END,
                'discounts', (
                    SELECT jsonb_agg(
                        jsonb_build_object(
                            'discount_id', a.id, 'discount_title', a.description, 'discount_code', a.code, 'amount_set', a.amount
                        )
                        ORDER BY a.id
                    )
                    FROM order_line_item_adjustment AS a
                    WHERE a.item_id = li.id AND a.version = oi.version AND a.deleted_at IS NULL
                )
            )
            ORDER BY oi.id
        )
        FROM order_item AS oi
        JOIN order_line_item AS li ON li.id = oi.item_id AND li.deleted_at IS NULL
        WHERE oi.order_id = o.id AND oi.version = o.version AND oi.deleted_at IS NULL AND oi.quantity > 0
    ) AS line_items,
    NULL::jsonb AS order_discounts,
    (
        SELECT jsonb_agg(jsonb_build_object('id', m.id, 'title', m.name, 'price_set', m.amount) ORDER BY m.id)
        FROM order_shipping AS os
        JOIN order_shipping_method AS m ON m.id = os.shipping_method_id AND m.deleted_at IS NULL
        WHERE os.order_id = o.id AND os.version = o.version AND os.return_id IS NULL AND os.deleted_at IS NULL
    ) AS shipping_lines,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', f.id,
                'shipping_date', f.shipped_at,
                'delivery_date', f.delivered_at,
                'tracking_numbers', (
                    SELECT jsonb_agg(jsonb_build_object('tracking_number', fl.tracking_number) ORDER BY fl.id)
                    FROM fulfillment_label AS fl
                    WHERE fl.fulfillment_id = f.id AND fl.deleted_at IS NULL
                ),
                'line_items', (
                    SELECT jsonb_agg(
                        jsonb_build_object('id', replace(sent.line_item_id, '_', '-'), 'quantity', sent.quantity)
                        ORDER BY sent.line_item_id
                    )
                    FROM (
                        SELECT fi.line_item_id, sum(fi.quantity) AS quantity
                        FROM fulfillment_item AS fi
                        WHERE fi.fulfillment_id = f.id AND fi.line_item_id IS NOT NULL AND fi.deleted_at IS NULL
                        GROUP BY fi.line_item_id
                    ) AS sent
                )
            )
            ORDER BY f.id
        )
        FROM order_fulfillment AS link
        JOIN fulfillment AS f ON f.id = link.fulfillment_id AND f.canceled_at IS NULL AND f.deleted_at IS NULL
        WHERE link.order_id = o.id AND link.deleted_at IS NULL AND f.shipped_at IS NOT NULL
    ) AS fulfillments,
    (
        SELECT jsonb_agg(p.code ORDER BY p.code, p.id)
        FROM order_promotion AS op
        JOIN promotion AS p ON p.id = op.promotion_id AND p.deleted_at IS NULL
        WHERE op.order_id = o.id AND op.deleted_at IS NULL
    ) AS tags
FROM "order" AS o
JOIN order_address AS sa ON sa.id = o.shipping_address_id
LEFT JOIN order_address AS ba ON ba.id = o.billing_address_id
LEFT JOIN customer AS c ON c.id = o.customer_id AND c.deleted_at IS NULL
WHERE o.deleted_at IS NULL AND NOT o.is_draft_order AND o.status <> 'draft'
    AND EXISTS (
        SELECT FROM order_item AS oi
        JOIN order_line_item AS li ON li.id = oi.item_id AND li.deleted_at IS NULL
        WHERE oi.order_id = o.id AND oi.version = o.version AND oi.deleted_at IS NULL AND oi.quantity > 0
    )
-- key public.order(id)
-- a: reverse item_id if deleted_at IS NULL via public.order_line_item (deleted_at IS NULL), public.order_item (deleted_at IS NULL)
-- ba: reverse id via public.order (NOT is_draft_order AND deleted_at IS NULL)
-- c: reverse id if deleted_at IS NULL via public.order (NOT is_draft_order AND deleted_at IS NULL)
-- f: reverse id if shipped_at IS NOT NULL AND canceled_at IS NULL AND deleted_at IS NULL via public.order_fulfillment (deleted_at IS NULL)
-- fi: reverse fulfillment_id if line_item_id IS NOT NULL AND deleted_at IS NULL via public.fulfillment (shipped_at IS NOT NULL AND canceled_at IS NULL AND deleted_at IS NULL), public.order_fulfillment (deleted_at IS NULL)
-- fl: reverse fulfillment_id if deleted_at IS NULL via public.fulfillment (shipped_at IS NOT NULL AND canceled_at IS NULL AND deleted_at IS NULL), public.order_fulfillment (deleted_at IS NULL)
-- li: reverse id if deleted_at IS NULL via public.order_item (deleted_at IS NULL)
-- li: reverse id if deleted_at IS NULL via public.order_item (deleted_at IS NULL)
-- link: column order_id if deleted_at IS NULL
-- m: reverse id if deleted_at IS NULL via public.order_shipping (return_id IS NULL AND deleted_at IS NULL)
-- o: key id if NOT is_draft_order AND deleted_at IS NULL
-- oi: column order_id if deleted_at IS NULL
-- oi: column order_id if deleted_at IS NULL
-- op: column order_id if deleted_at IS NULL
-- os: column order_id if return_id IS NULL AND deleted_at IS NULL
-- p: reverse id if deleted_at IS NULL via public.order_promotion (deleted_at IS NULL)
-- sa: reverse id via public.order (NOT is_draft_order AND deleted_at IS NULL)
