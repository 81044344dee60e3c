-- A grouped CTE by composite key, and how much else the customer ordered in the same region.
WITH "L" AS (
    SELECT l.region, l."orderNo", count(*) AS n, sum(l."Qty") AS units,
        jsonb_agg(jsonb_build_object('id', l."lineId", 'product_id', 'x', 'sku', 'x', 'title', coalesce(i."Title", 'x'),
            'quantity', l."Qty", 'price_set', 1)) AS rows
    FROM "Sales"."Order Line" l LEFT JOIN "Master data"."Item" i USING (sku)
    GROUP BY l.region, l."orderNo"
)
SELECT "Order".region || '/' || "Order"."No" AS id, "Order"."placedAt" AS created_at,
    'EUR' AS presentment_currency, 'EUR' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', 'A', 'last_name', (
        SELECT coalesce(sum(o2."shipFee"), 0)::text FROM "Sales"."Order" o2
        WHERE o2."customerId" = "Order"."customerId" AND o2.region = "Order".region
    )) AS customer,
    jsonb_build_object('address1', 'Weg 1', 'city', 'Bonn', 'province_code', 'NW', 'zip', '53113', 'country_code', 'DE')
        AS shipping_address,
    "L".rows AS line_items, NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines, NULL::jsonb AS fulfillments,
    "L".n || ' lines, ' || "L".units || ' units' AS sales_channel
FROM "Sales"."Order" JOIN "L" ON "L".region = "Order".region AND "L"."orderNo" = "Order"."No"
