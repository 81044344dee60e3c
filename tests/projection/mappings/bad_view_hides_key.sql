-- order_key: shop.orders(id)
SELECT v.ref AS id FROM shop.order_refs v
-- problem 2:25 the view shop.order_refs does not show the order key o.id
-- hint read its tables instead
