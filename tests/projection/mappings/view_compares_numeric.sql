SELECT d.id, d.qty FROM shop.order_dates d
-- key shop.dorder(id)
-- d: key id
-- i: reverse order_no via shop.dorder
