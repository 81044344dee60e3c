SELECT v."Key" AS id, v."Customer Name" AS name FROM "Legacy"."Head View" v
-- key Legacy.OrderHead(OrdId)
-- h: key OrdId
