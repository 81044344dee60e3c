SELECT n.order_id AS id FROM shop.note n
-- problem 1:8 id comes from shop.note, which has no primary key
