SELECT o.id, s.value FROM shop.orders o, shop.settings s WHERE s.name = 'x'
-- problem 1:42 no way leads from a changed row of shop.setting
