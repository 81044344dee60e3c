-- Shoppers and Redo know an order by its code:
-- order_key: public.order(id)
SELECT
    o.code AS id,
    o."orderPlacedAt" AS created_at,
    o."currencyCode" AS presentment_currency,
    o."currencyCode" AS shop_currency,
    CASE WHEN o.state = 'Cancelled' THEN o."orderPlacedAt" END AS cancelled_at,
    CASE WHEN o.state = 'Cancelled' THEN 'other' END AS cancel_reason,
    jsonb_build_object(
        'id', c.id, 'email', c."emailAddress", 'first_name', c."firstName", 'last_name', c."lastName", 'phone', c."phoneNumber"
    ) AS customer,
    (
        SELECT jsonb_build_object(
            'first_name', s.adr ->> 'fullName', 'company', s.adr ->> 'company', 'address1', coalesce(s.adr ->> 'streetLine1', ''),
            'address2', s.adr ->> 'streetLine2', 'city', coalesce(s.adr ->> 'city', ''),
            'province_code', coalesce(s.adr ->> 'province', ''), 'zip', coalesce(s.adr ->> 'postalCode', ''),
            'country_code', s.adr ->> 'countryCode', 'phone', s.adr ->> 'phoneNumber'
        )
        FROM (SELECT o."shippingAddress"::jsonb AS adr) AS s
    ) AS shipping_address,
    coalesce((
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', l.id,
                'product_id', coalesce(v."productId", v.id),
                'variant_id', v.id,
                'sku', v.sku,
                'title', coalesce(t.name, v.sku),
                'quantity', l.quantity,
                'price_set', l."listPrice" / 100.0,
                'tax_lines', (
                    SELECT jsonb_agg(
                        jsonb_build_object(
                            'title', x.tax ->> 'description', 'rate', x.tax ->> 'taxRate',
                            'price_set', round(l.quantity * l."listPrice" * (x.tax ->> 'taxRate')::numeric / 10000, 2)
                        )
                        ORDER BY x.place
                    )
                    FROM jsonb_array_elements(l."taxLines"::jsonb) WITH ORDINALITY AS x(tax, place)
                ),
                'discounts', (
                    SELECT jsonb_agg(
                        jsonb_build_object(
                            'discount_id', a.adj ->> 'adjustmentSource', 'discount_title', a.adj ->> 'description',
                            'amount_set', -(a.adj ->> 'amount')::numeric / 100
                        )
                        ORDER BY a.place
                    )
                    FROM jsonb_array_elements(l.adjustments::jsonb) WITH ORDINALITY AS a(adj, place)
                )
            )
            ORDER BY l.id
        )
        FROM order_line AS l
        JOIN product_variant AS v ON v.id = l."productVariantId"
        LEFT JOIN LATERAL (
            SELECT n.name FROM product_variant_translation AS n WHERE n."baseId" = v.id AND n."languageCode" = 'en' ORDER BY n.id LIMIT 1
        ) AS t ON true
        WHERE l."orderId" = o.id AND l.quantity > 0
    ), '[]') || coalesce((
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', 'surcharge-' || x.id, 'product_id', 'surcharge', 'sku', x.sku, 'title', x.description, 'quantity', 1,
                'returnable_quantity', 0, 'price_set', x."listPrice" / 100.0
            )
            ORDER BY x.id
        )
        FROM surcharge AS x
        WHERE x."orderId" = o.id
    ), '[]') AS line_items,
    NULL::jsonb AS order_discounts,
    (
        SELECT jsonb_agg(
            jsonb_build_object('id', s.id, 'title', coalesce(t.name, m.code), 'code', m.code, 'price_set', s."listPrice" / 100.0)
            ORDER BY s.id
        )
        FROM shipping_line AS s
        JOIN shipping_method AS m ON m.id = s."shippingMethodId"
        LEFT JOIN LATERAL (
            SELECT n.name FROM shipping_method_translation AS n WHERE n."baseId" = m.id AND n."languageCode" = 'en' ORDER BY n.id LIMIT 1
        ) AS t ON true
        WHERE s."orderId" = o.id
    ) AS shipping_lines,
    (
        SELECT jsonb_agg(
            jsonb_build_object(
                'id', f.id,
                'shipping_date', f."createdAt",
                'tracking_numbers', CASE WHEN f."trackingCode" <> '' THEN
                    jsonb_build_array(jsonb_build_object('carrier', f.method, 'tracking_number', f."trackingCode"))
                END,
                'line_items', (
                    SELECT jsonb_agg(jsonb_build_object('id', r."orderLineId", 'quantity', r.quantity) ORDER BY r.id)
                    FROM order_line_reference AS r
                    WHERE r."fulfillmentId" = f.id AND r.discriminator = 'FulfillmentLine'
                )
            )
            ORDER BY f.id
        )
        FROM order_fulfillments_fulfillment AS link
        JOIN fulfillment AS f ON f.id = link."fulfillmentId"
        WHERE link."orderId" = o.id AND f.state IN ('Shipped', 'Delivered')
    ) AS fulfillments,
    (
        SELECT jsonb_agg(found.tag ORDER BY found.tag)
        FROM (
            SELECT coupon AS tag FROM unnest(string_to_array(nullif(o."couponCodes", ''), ',')) AS coupon
            UNION
            SELECT t.name
            FROM order_promotions_promotion AS op
            JOIN promotion_translation AS t ON t."baseId" = op."promotionId" AND t."languageCode" = 'en'
            WHERE op."orderId" = o.id
        ) AS found
    ) AS tags
FROM "order" AS o
JOIN customer AS c ON c.id = o."customerId"
WHERE NOT o.active AND o."orderPlacedAt" IS NOT NULL AND o.type <> 'Aggregate'
    AND EXISTS (SELECT FROM order_line AS l WHERE l."orderId" = o.id AND l.quantity > 0)
-- key public.order(id)
-- c: reverse id via public.order (NOT active AND orderPlacedAt IS NOT NULL)
-- f: reverse id if state IN ('Shipped', 'Delivered') via public.order_fulfillments_fulfillment
-- l: column orderId
-- l: column orderId
-- link: column orderId
-- m: reverse id via public.shipping_line
-- n: reverse baseId if languageCode = 'en' via public.product_variant, public.order_line
-- n: reverse baseId if languageCode = 'en' via public.shipping_method, public.shipping_line
-- o: key id if NOT active AND orderPlacedAt IS NOT NULL
-- op: column orderId
-- r: reverse fulfillmentId if discriminator = 'FulfillmentLine' via public.fulfillment (state IN ('Shipped', 'Delivered')), public.order_fulfillments_fulfillment
-- s: column orderId
-- t: reverse baseId if languageCode = 'en' via public.order_promotions_promotion
-- v: reverse id via public.order_line
-- x: column orderId
