SELECT o.id FROM shop.orders o JOIN (
    SELECT n.order_id AS x FROM shop.note n UNION ALL SELECT i.price * 1.5 FROM shop.item i
) u ON u.x = o.id
-- problem 2:33 no way leads from a changed row of shop.note
