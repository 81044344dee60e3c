SELECT o.id::text AS id, count(*) AS n FROM shop.orders o JOIN shop.item i ON i.order_id = o.id GROUP BY o.id::text
-- problem 1:8 the rows are not grouped by the order key shop.orders.id
-- hint add o.id to GROUP BY
