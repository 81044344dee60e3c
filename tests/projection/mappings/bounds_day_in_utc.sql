SELECT z.id, r.rate FROM shop.zoned_sale z
LEFT JOIN shop.day_rate r ON r.currency = z.currency AND date(z.placed_at) = r.day
-- key shop.zoned_sale(id)
-- r: reverse currency, day via shop.zoned_sale
-- z: key id
