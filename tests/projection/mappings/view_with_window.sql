SELECT r.id, r.memo, r.nth FROM shop.customer_rank r
-- key shop.gorder(id)
-- g: key id
-- g: reverse customer_id via shop.gorder
