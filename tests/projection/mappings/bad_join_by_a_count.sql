SELECT o.id, d.body FROM shop.orders o JOIN (SELECT n.body, count(*) AS n FROM shop.note n GROUP BY n.body) d ON d.n = o.id
-- problem 1:80 no way leads from a changed row of shop.note (alias n) to the orders that it changes: `d.n` is computed in the query that gives it, in a way that isn't followed
-- hint let that query give a plain column, of one type in all branches of a union; or list "shop.note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead cte_grouped
