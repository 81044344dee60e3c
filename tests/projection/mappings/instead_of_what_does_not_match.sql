-- An equality beside it.
SELECT o.id, t.label FROM shop.list_order o JOIN shop.tag t ON t.owner_id = o.id AND NOT t.id = ANY (o.tag_ids)
-- key shop.list_order(id)
-- o: key id
-- t: column owner_id
