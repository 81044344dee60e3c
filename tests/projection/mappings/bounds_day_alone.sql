SELECT s.id, h.label FROM shop.sale s LEFT JOIN shop.holiday h ON h.day = s.sold::date
-- key shop.sale(id)
-- h: reverse day via shop.sale
-- s: key id
