SELECT o.id, a.city FROM shop.aorder o, shop.address a
WHERE EXISTS (SELECT 1 FROM shop.blocked b WHERE b.aorder_id = o.id AND b.address_id = a.id ORDER BY count(*))
-- problem 1:41 no way leads from a changed row of shop.address (alias a) to the orders that it changes: EXISTS of an aggregate is always true, because that gives a row even where it reads none: it joins nothing
-- hint write EXISTS (SELECT FROM ...), without the aggregate; or list "shop.address" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_exists_of_an_aggregate
