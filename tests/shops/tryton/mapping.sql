SELECT
    o.id::text AS id,
    o.create_date AS created_at,
    cur.code AS presentment_currency,
    cur.code AS shop_currency,
    CASE WHEN o.state = 'cancelled' THEN o.create_date END AS cancelled_at,
    CASE WHEN o.state = 'cancelled' THEN 'other' END AS cancel_reason,
    jsonb_build_object(
        'id', p.id, 'email', e.value, 'phone', tel.value, 'first_name', split_part(p.name, ' ', 1), 'last_name', split_part(p.name, ' ', 2)
    ) AS customer,
    jsonb_build_object(
        'first_name', coalesce(a.party_name, p.name), 'address1', coalesce(a.street, ''), 'city', coalesce(a.city, ''),
        'province_code', coalesce(split_part(sub.code, '-', 2), ''), 'zip', coalesce(a.postal_code, ''), 'country_code', c.code
    ) AS shipping_address,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', l.id,
                'product_id', coalesce(pr.template, l.id),
                'variant_id', pr.id,
                'sku', coalesce(pr.code, t.code, l.id::text),
                'title', coalesce(t.name, l.description, ''),
                'quantity', l.quantity::numeric,
                'price_set', coalesce(l.unit_price, 0)
            )
            ORDER BY l.sequence, l.id
        )
        FROM sale_line AS l
        LEFT JOIN product_product AS pr ON pr.id = l.product
        LEFT JOIN product_template AS t ON t.id = pr.template
        WHERE l.sale = o.id AND l.type = 'line' AND l.shipment_cost IS NULL AND l.quantity > 0
    ) AS line_items,
    NULL::jsonb AS order_discounts,
    (
        SELECT jsonb_agg(jsonb_build_object('id', l.id, 'title', coalesce(l.description, 'Shipping'), 'price_set', l.shipment_cost) ORDER BY l.id)
        FROM sale_line AS l
        WHERE l.sale = o.id AND l.type = 'line' AND l.shipment_cost IS NOT NULL
    ) AS shipping_lines,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', sent.id,
                'shipping_date', sent.effective_date,
                'tracking_numbers', CASE WHEN sent.tracking_number <> '' THEN
                    jsonb_build_array(jsonb_build_object('tracking_number', sent.tracking_number))
                END,
                'line_items', sent.lines
            )
            ORDER BY sent.id
        )
        FROM (
            SELECT s.id, s.effective_date, s.tracking_number,
                jsonb_agg(jsonb_build_object('id', l.id, 'quantity', m.quantity::numeric) ORDER BY m.id) AS lines
            FROM sale_line AS l
            JOIN stock_move AS m ON m.origin = 'sale.line,' || l.id AND m.state = 'done'
            JOIN stock_shipment_out AS s ON m.shipment = 'stock.shipment.out,' || s.id AND s.state IN ('packed', 'done')
            WHERE l.sale = o.id AND l.type = 'line'
            GROUP BY s.id
        ) AS sent
    ) AS fulfillments,
    CASE WHEN o.reference IS NOT NULL THEN jsonb_build_array(o.reference) END AS tags
FROM sale_sale AS o
JOIN party_party AS p ON p.id = o.party
JOIN currency_currency AS cur ON cur.id = o.currency
JOIN party_address AS a ON a.id = coalesce(o.shipment_address, o.invoice_address)
LEFT JOIN country_country AS c ON c.id = a.country
LEFT JOIN country_subdivision AS sub ON sub.id = a.subdivision
JOIN LATERAL (
    SELECT m.value FROM party_contact_mechanism AS m
    WHERE m.party = p.id AND m.type = 'email' AND m.active AND m.value IS NOT NULL ORDER BY m.sequence, m.id LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (
    SELECT m.value FROM party_contact_mechanism AS m
    WHERE m.party = p.id AND m.type IN ('phone', 'mobile') AND m.active ORDER BY m.sequence, m.id LIMIT 1
) AS tel ON true
WHERE o.state IN ('confirmed', 'processing', 'done', 'cancelled') AND o.number IS NOT NULL
    AND EXISTS (
        SELECT FROM sale_line AS l WHERE l.sale = o.id AND l.type = 'line' AND l.shipment_cost IS NULL AND l.quantity > 0
    )
-- key public.sale_sale(id)
-- a: reverse id via public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- a: reverse id via public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- c: reverse id via public.party_address, public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- c: reverse id via public.party_address, public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- cur: reverse id via public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- l: column sale if type = 'line'
-- l: column sale if type = 'line' AND shipment_cost IS NOT NULL
-- l: column sale if type = 'line' AND shipment_cost IS NULL
-- l: column sale if type = 'line' AND shipment_cost IS NULL
-- m: reverse origin if state = 'done' via public.sale_line (type = 'line')
-- m: reverse party if type = 'email' AND value IS NOT NULL AND active via public.party_party, public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- m: reverse party if type IN ('phone', 'mobile') AND active via public.party_party, public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- o: key id if number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled')
-- p: reverse id via public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- pr: reverse id via public.sale_line (type = 'line' AND shipment_cost IS NULL)
-- s: reverse id if state IN ('packed', 'done') via public.stock_move (state = 'done'), public.sale_line (type = 'line')
-- sub: reverse id via public.party_address, public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- sub: reverse id via public.party_address, public.sale_sale (number IS NOT NULL AND state IN ('confirmed', 'processing', 'done', 'cancelled'))
-- t: reverse id via public.product_product, public.sale_line (type = 'line' AND shipment_cost IS NULL)
-- index CREATE INDEX CONCURRENTLY ON "public"."party_address" ("country");
-- index CREATE INDEX CONCURRENTLY ON "public"."party_address" ("subdivision");
-- index CREATE INDEX CONCURRENTLY ON "public"."sale_line" ((('sale.line,'::text || "id"::text))) WHERE ("type")::text = 'line'::text; -- then ANALYZE "public"."sale_line";
-- index CREATE INDEX CONCURRENTLY ON "public"."sale_line" ("product") WHERE ("shipment_cost" IS NULL) AND (("type")::text = 'line'::text);
-- index CREATE INDEX CONCURRENTLY ON "public"."sale_sale" ("currency") WHERE ("state")::text = ANY ('{confirmed,processing,done,cancelled}'::text[]);
-- index CREATE INDEX CONCURRENTLY ON "public"."sale_sale" ("invoice_address") WHERE ("state")::text = ANY ('{confirmed,processing,done,cancelled}'::text[]);
-- index CREATE INDEX CONCURRENTLY ON "public"."sale_sale" ("shipment_address") WHERE ("state")::text = ANY ('{confirmed,processing,done,cancelled}'::text[]);
-- index CREATE INDEX CONCURRENTLY ON "public"."stock_shipment_out" ((('stock.shipment.out,'::text || "id"::text))) WHERE ("state")::text = ANY ('{packed,done}'::text[]); -- then ANALYZE "public"."stock_shipment_out";
