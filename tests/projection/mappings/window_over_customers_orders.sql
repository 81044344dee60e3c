SELECT g.id, count(*) OVER (PARTITION BY g.customer_id) AS orders_of_customer FROM shop.gorder g
-- key shop.gorder(id)
-- restricted 2
-- g: key id
-- g: reverse customer_id via shop.gorder
