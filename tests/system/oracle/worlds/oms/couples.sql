-- The demo's tables once more, read across: a customer's orders know of each other, and items of their product's others.
SELECT o.ord_id::text AS id, o.placed_ts AS created_at, 'USD' AS presentment_currency, 'USD' AS shop_currency,
    jsonb_build_object('email', 'a@b.example', 'first_name', c.first_nm, 'last_name', c.last_nm, 'tags',
        jsonb_build_array(nth.nth::text)) AS customer,
    jsonb_build_object('address1', a.street_1, 'city', a.city, 'province_code', a.state_cd, 'zip', a.zip_cd,
        'country_code', 'US') AS shipping_address,
    goods.lines AS line_items, NULL::jsonb AS order_discounts, NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments,
    (SELECT jsonb_agg(DISTINCT s.carrier_cd ORDER BY s.carrier_cd) FROM oms.order_header AS other
        JOIN oms.shipment AS s ON s.ord_id = other.ord_id WHERE other.cust_id = o.cust_id) AS tags
FROM oms.order_header AS o
JOIN oms.customer AS c ON c.cust_id = o.cust_id
JOIN oms.cust_address AS a ON a.addr_id = o.ship_addr_id
CROSS JOIN LATERAL (
    SELECT count(*) AS nth FROM oms.order_header AS e WHERE e.cust_id = o.cust_id AND e.ord_id <= o.ord_id
) AS nth
JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('id', i.ord_id || '-' || i.line_no, 'product_id', p.product_id, 'sku', p.sku,
        'title', p.prod_nm, 'vendor', 'Hearth', 'quantity', i.qty, 'price_set', i.unit_price) ORDER BY i.line_no)
        AS lines
    FROM oms.order_item AS i JOIN oms.product AS p ON p.product_id = i.product_id WHERE i.ord_id = o.ord_id
) AS goods ON goods.lines IS NOT NULL
