WITH RECURSIVE chain AS (
    SELECT t.id, t.parent_id FROM shop.torder t
    UNION ALL
    SELECT chain.id, p.parent_id FROM chain JOIN shop.torder p ON p.id = chain.parent_id
)
SELECT chain.id, count(*) AS depth FROM chain GROUP BY chain.id
-- problem 4:50 no way leads from a changed row of shop.torder (alias p)
