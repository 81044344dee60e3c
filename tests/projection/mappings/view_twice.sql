SELECT a.id, a.status, b.status AS other FROM shop.order_view a LEFT JOIN shop.order_view b ON b.id = a.id
-- key shop.orders(id)
-- orders: key id
-- orders: column id
