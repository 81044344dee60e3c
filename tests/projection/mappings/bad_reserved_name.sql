SELECT o.id, o.status AS __order_status FROM shop.orders o
-- problem 1:26 names with __order_ are the connector's own
-- hint give it another name
