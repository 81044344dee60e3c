WITH wide AS (SELECT id, tag_ids AS tags FROM shop.list_order),
  each AS (SELECT w.id, e.tag FROM wide w, unnest(w.tags) AS e(tag))
SELECT e.id, t.label FROM each e JOIN shop.tag t ON t.id = e.tag
-- key shop.list_order(id)
-- list_order: key id
-- t: reverse id via shop.list_order
