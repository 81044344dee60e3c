SELECT z.id, r.rate FROM shop.zoned_sale z
LEFT JOIN shop.day_rate r ON r.currency = z.currency AND r.day = (z.placed_at AT TIME ZONE 'Asia/Tokyo')::date
-- key shop.zoned_sale(id)
-- r: reverse currency via shop.zoned_sale
-- z: key id
