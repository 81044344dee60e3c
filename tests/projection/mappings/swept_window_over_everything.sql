SELECT g.id, rank() OVER (ORDER BY g.placed) AS nth FROM shop.gorder g
-- sweep_tables shop.gorder
-- key shop.gorder(id)
-- g: key id
-- g: sweep 
