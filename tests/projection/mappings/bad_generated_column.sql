SELECT o.id, g.x FROM shop.orders o JOIN shop.generated g ON g.same = o.id
-- problem 1:42 no way leads from a changed row of shop.generated (alias g) to the orders that it changes: g.same is a generated column, not streamed before Postgres 18, and from then on only if it is stored and the publication says so
-- hint write its expression in the place of g.same: order_id; or list "shop.generated" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_generated_column
