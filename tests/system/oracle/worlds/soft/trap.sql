-- A flagged item keeps its order from having a row without one; a window counts items that are left out afterwards.
SELECT o.id::text AS id, o.placed AS created_at, 'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', coalesce(o.buyer, '-'), 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    jsonb_agg(jsonb_build_object('id', coalesce(i.id, 0), 'product_id', coalesce(i.id, 0), 'sku', coalesce(x.place, 0)::text,
        'title', coalesce(f.label, '-'), 'quantity', 1, 'price_set', 0) ORDER BY i.id) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(coalesce(v.title, '-') ORDER BY v.title, v.id) FROM public.live_item AS v
        JOIN public.live_offer AS w ON w.id = v.offer_id WHERE v.order_id = o.id) AS tags
FROM public.orders AS o
LEFT JOIN public.item AS i ON i.order_id = o.id
LEFT JOIN public.live_offer AS f ON f.id = i.offer_id
LEFT JOIN (
    SELECT n.order_id, n.kind, n.line, row_number() OVER (PARTITION BY n.order_id ORDER BY n.line, n.kind) AS place FROM public.note AS n
) AS x ON x.order_id = o.id AND x.kind = 'tag' AND x.line = i.qty
WHERE i.deleted_at IS NULL AND o.kind = 'sale'
GROUP BY o.id
