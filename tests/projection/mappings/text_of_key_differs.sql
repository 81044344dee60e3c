-- 7.00 = 7, but the texts differ: the key is looked up, not read from the row.
SELECT d.id, sum(i.qty) AS n FROM shop.dorder d LEFT JOIN shop.ditem i ON i.order_no = d.id GROUP BY d.id
-- key shop.dorder(id)
-- d: key id
-- i: reverse order_no via shop.dorder
