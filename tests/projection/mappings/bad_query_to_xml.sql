SELECT o.id, query_to_xml('SELECT * FROM shop.note', true, false, '') AS x FROM shop.orders o
-- problem 1:14 the function query_to_xml may read tables whose changes could not be followed: it reads tables that it is told of
-- hint write its tables into the mapping
