SELECT f.id, f.total * r.rate AS total FROM shop.fx_order f LEFT JOIN LATERAL (
    SELECT rate FROM shop.rate r WHERE r.currency = f.currency AND r.valid_from <= f.placed ORDER BY r.valid_from DESC LIMIT 1
) r ON true
-- key shop.fx_order(id)
-- f: key id
-- r: reverse currency, valid_from via shop.fx_order
