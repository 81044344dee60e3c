SELECT s.id, age(s.shipped, timestamptz '2020-01-01') AS took FROM shop.shipment s
-- key shop.shipment(id)
-- s: key id
