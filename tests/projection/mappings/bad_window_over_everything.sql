SELECT g.id, rank() OVER (ORDER BY g.placed) AS nth FROM shop.gorder g
-- problem 1:58 a window function sees rows of all orders
