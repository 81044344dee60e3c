SELECT u.id, u.memo, array_agg(i.sku ORDER BY i.id) AS skus
FROM shop.uorder u LEFT JOIN shop.uitem i ON i.uorder_id = u.id GROUP BY u.id
-- key shop.uorder(id)
-- u: key id
-- i: column uorder_id
