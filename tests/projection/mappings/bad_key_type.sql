SELECT n.no AS id FROM shop.norder n
-- problem 1:24 shop.norder.no of type numeric can't be an order key
-- hint keys are integers, text, uuid, numeric with a scale, dates, time stamps or enums, in a deterministic collation
