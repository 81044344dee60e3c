SELECT v.id, v.city FROM shop.ship_or_bill v
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
