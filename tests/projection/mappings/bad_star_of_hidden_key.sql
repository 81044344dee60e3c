WITH base AS (SELECT 'A' || o.id AS id FROM shop.orders o) SELECT base.* FROM base
-- problem 1:79 the order key must be among the columns of base, which is read as a whole
-- hint select o.id in it
