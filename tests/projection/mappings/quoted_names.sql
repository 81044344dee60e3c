SELECT h."OrdId" AS id, H."Customer Name" AS "customerName",
    (SELECT string_agg(L.SKU, ',' ORDER BY "LineNo") FROM "Legacy"."OrderLine" AS L WHERE l."OrdId" = h."OrdId") AS skus
FROM "Legacy"."OrderHead" H
-- key Legacy.OrderHead(OrdId)
-- h: key OrdId
-- l: column OrdId
