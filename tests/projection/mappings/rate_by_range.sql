SELECT f.id, r.rate FROM shop.fx_order f JOIN shop.rate r ON r.currency = f.currency AND f.placed >= r.valid_from
-- key shop.fx_order(id)
-- f: key id
-- r: reverse currency, valid_from via shop.fx_order
