SELECT o.id, p.x FROM shop.orders o CROSS JOIN shop.parent p
-- problem 1:48 no way leads from a changed row of shop.parent (alias p) to the orders that it changes: no = of columns joins it to the order, which only a table of few rows can do without
-- hint join it with = to the order (o.id) or to a table joined so; or list "shop.parent" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead join_customer
-- instead cross_joined_setting
