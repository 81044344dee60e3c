SELECT v.id, v.seen FROM shop.stamped v
-- problem 1:26 now() in the payload
