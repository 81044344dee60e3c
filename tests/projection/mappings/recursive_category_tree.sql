-- From above: whatever lies above an order's category, the walk goes down to it.
WITH RECURSIVE tree (id, root) AS (
    SELECT c.id, c.name FROM shop.category c WHERE c.parent_id IS NULL
    UNION
    SELECT c.id, tree.root FROM tree JOIN shop.category c ON c.parent_id = tree.id
)
SELECT o.id, tree.root FROM shop.aorder o LEFT JOIN tree ON tree.id = o.bill_id
-- key shop.aorder(id)
-- o: key id
-- c: reverse id if parent_id IS NULL via shop.aorder, shop.category
-- c: reverse id via shop.aorder, shop.category
