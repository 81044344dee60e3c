SELECT o.id, h."Customer Name" AS name FROM shop.orders o JOIN "Legacy"."OrderHead" h ON h."OrdId" = o.id
-- key shop.orders(id)
-- o: key id
-- h: column OrdId
