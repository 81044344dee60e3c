SELECT o.id FROM shop.aorder o WHERE o.ship_id = ALL (SELECT b.address_id FROM shop.blocked b)
-- problem 1:80 no way leads from a changed row of shop.blocked (alias b) to the orders that it changes: = ALL (SELECT ...) is decided by each row of the subquery, for every order
-- hint say in the subquery's WHERE, with =, which order its rows belong to; or list "shop.blocked" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_equal_to_all
