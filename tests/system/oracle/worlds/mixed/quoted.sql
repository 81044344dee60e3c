-- camelCase outputs, composite key, discounts two steps away.
SELECT o.region || '/' || o."No" AS "id", o."placedAt" AS "createdAt",
    'EUR' AS "presentmentCurrency", 'EUR' AS "shopCurrency",
    jsonb_build_object('email', 'a@b.example', 'firstName', coalesce(c."fullName", '-'), 'lastName',
        coalesce(c."select", '-')) AS customer,
    jsonb_build_object('address1', 'Weg 1', 'city', 'Bonn', 'provinceCode', 'NW', 'zip', '53113', 'countryCode', 'DE')
        AS "shippingAddress",
    lines.rows AS "lineItems", NULL::jsonb AS "orderDiscounts",
    jsonb_build_array(jsonb_build_object('id', 'ship', 'title', 'Post', 'priceSet', o."shipFee")) AS "shippingLines",
    NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(n."Body" ORDER BY n.seq) FROM "Sales"."Note" AS n
        WHERE (n.region, n."orderNo") = (o.region, o."No") AND n."Body" IS NOT NULL) AS tags
FROM "Sales"."Order" AS o
LEFT JOIN "Master data"."Customer" AS c ON c.id = o."customerId"
JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('id', l."lineId", 'productId', l.sku, 'sku', coalesce(l.sku, 'none'),
        'productId', coalesce(l.sku, 'none'), 'title', coalesce(i."Title", 'none'), 'vendor', b."Name",
        'quantity', l."Qty", 'priceSet', round(l.price, 2), 'discounts', (
            SELECT jsonb_agg(jsonb_build_object('discountId', d.id, 'amountSet', round(d.amount, 2)))
            FROM "Sales"."Discount" AS d WHERE d."lineId" = l."lineId"
        ))) AS rows
    FROM "Sales"."Order Line" AS l
    LEFT JOIN "Master data"."Item" AS i ON i.sku = l.sku
    LEFT JOIN "Master data"."Brand" AS b ON b."brandCode" = i."brandCode"
    WHERE l.region = o.region AND l."orderNo" = o."No"
) AS lines ON lines.rows IS NOT NULL
