SELECT c.code AS id, c.memo, (SELECT count(*) FROM shop.citem i WHERE i.code = c.code) AS n,
    (SELECT count(*) FROM shop.citem v WHERE v.vcode = c.code) AS m
FROM shop.corder c
-- key shop.corder(code)
-- c: key code
-- i: column code
-- v: column vcode
