SELECT o.id, t.label FROM shop.list_order o JOIN shop.tag t ON t.code = ANY (regexp_split_to_array(o.csv, ','))
-- problem 1:50 no way leads from a changed row of shop.tag (alias t) to the orders that it changes: the elements of `regexp_split_to_array(o.csv, ',')` can't be looked up
-- hint join by a column that is an array; or list "shop.tag" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead array_any
-- instead array_split_text
