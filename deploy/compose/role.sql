-- What `redo-connector grants` asks a DBA for, in this rehearsal's OMS. The password is the rehearsal's, too.
CREATE ROLE redo_connector LOGIN REPLICATION PASSWORD 'rehearsal';
GRANT USAGE ON SCHEMA oms TO redo_connector;
GRANT SELECT ON ALL TABLES IN SCHEMA oms TO redo_connector;
CREATE PUBLICATION redo_connector FOR TABLE
    oms.carrier, oms.cust_address, oms.customer, oms.order_header, oms.order_item, oms.order_promo, oms.payment,
    oms.product, oms.promo, oms.refund, oms.refund_item, oms.shipment, oms.shipment_item
    WITH (publish_via_partition_root = true);
