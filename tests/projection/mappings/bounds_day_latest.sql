SELECT z.id, r.rate FROM shop.zoned_sale z LEFT JOIN LATERAL (
    SELECT d.rate FROM shop.day_rate d WHERE d.currency = z.currency AND d.day <= z.placed_at::date
    ORDER BY d.day DESC LIMIT 1
) r ON true
-- key shop.zoned_sale(id)
-- d: reverse currency, day via shop.zoned_sale
-- z: key id
