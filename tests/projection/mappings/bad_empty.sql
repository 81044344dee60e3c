-- Nothing yet.
;
-- problem 1:1 there is no SQL in it
-- hint write one SELECT
