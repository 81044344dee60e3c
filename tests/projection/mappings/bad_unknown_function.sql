SELECT o.id, no_such_function(o.total) AS x FROM shop.orders o
-- problem 1:14 function no_such_function(numeric) does not exist
