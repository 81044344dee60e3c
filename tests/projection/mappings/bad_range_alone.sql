SELECT o.id, r.rate FROM shop.fx_order o JOIN shop.rate r ON r.valid_from BETWEEN o.placed AND o.placed + interval '1 day'
-- problem 1:47 no way leads from a changed row of shop.rate (alias r) to the orders that it changes: `r.valid_from BETWEEN o.placed AND o.placed + INTERVAL '1 DAY'` is no equality: rows of any order may meet it
-- hint put an = between columns of the two beside it (rates: r.currency = o.currency AND r.valid_from <= o.placed); or list "shop.rate" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead rate_valid_from
-- instead rate_by_range
