-- Other rows hold texts that are no numbers: the mapping never comes to cast them, and no query of ours may fail.
WITH line AS MATERIALIZED (SELECT name, ref FROM shop.member WHERE ref LIKE 'sale.line,%')
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN line m ON split_part(m.ref, ',', 2)::bigint = o.id
-- key shop.web_order(id)
-- o: key id
-- member: reverse ref via shop.web_order
