WITH unflagged AS (SELECT i.* FROM public.item AS i WHERE i.deleted_at IS NULL)
SELECT o.id::text AS id, o.placed AS created_at, 'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', coalesce(o.buyer, '-'), 'last_name', 'B') AS customer,
    jsonb_build_object('address1', '1 Street', 'city', 'Austin', 'province_code', 'TX', 'zip', '78701',
        'country_code', 'US') AS shipping_address,
    (SELECT jsonb_agg(jsonb_build_object('id', l.id, 'product_id', l.id, 'sku', coalesce(f.label, '-'),
        'title', coalesce(l.title, '-'), 'quantity', coalesce(l.qty, 1), 'price_set', (
            SELECT count(*) FROM public.adjustment AS a WHERE a.source_id = l.id AND a.source_type = 'Shop::Item'
        )) ORDER BY l.id)
        FROM unflagged AS l LEFT JOIN public.offer AS f ON f.id = l.offer_id AND f.deleted_at IS NULL AND f.state = 'live'
        WHERE l.order_id = o.id AND l.shown) AS line_items,
    NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(found.word ORDER BY found.word) FROM (
        SELECT coalesce(a.label, '-') AS word FROM public.adjustment AS a
        WHERE a.source_type = 'Shop::Order' AND a.source_id = o.id
        UNION ALL SELECT n.body FROM public.note AS n WHERE n.order_id = o.id AND n.kind = 'tag' AND n.body IS NOT NULL
        UNION ALL SELECT t.word FROM public.tag AS t WHERE t.order_id = o.id AND NOT t.removed AND t.word IS NOT NULL
    ) AS found) AS tags
FROM public.orders AS o
WHERE o.deleted_at IS NULL AND o.kind IN ('sale', 'gift')
    AND EXISTS (SELECT FROM unflagged AS l WHERE l.order_id = o.id AND l.shown)
