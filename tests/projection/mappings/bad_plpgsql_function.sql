SELECT o.id, shop.spelled(o.id) AS text FROM shop.orders o
-- problem 1:19 the function spelled may read tables whose changes could not be followed: it is plpgsql and not IMMUTABLE
-- hint declare it IMMUTABLE if it reads no table, or write its tables into the mapping
