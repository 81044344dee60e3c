SELECT o.id, t.label FROM shop.list_order o JOIN shop.tag t ON NOT t.id = ANY (o.tag_ids)
-- problem 1:50 no way leads from a changed row of shop.tag (alias t) to the orders that it changes: `NOT t.id = ANY(o.tag_ids)` holds for what does not match, which rows of any order may meet
-- hint put an = between columns of the two beside it; or list "shop.tag" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_what_does_not_match
