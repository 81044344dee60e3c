WITH RECURSIVE chain AS (
    SELECT t.id, t.parent_id FROM shop.torder t
    UNION
    SELECT chain.id, p.parent_id FROM chain JOIN shop.torder p ON p.id = chain.parent_id
)
SELECT chain.id, count(*) AS depth FROM chain GROUP BY chain.id
-- key shop.torder(id)
-- t: key id
-- p: reverse id via shop.torder, shop.torder
