"""What is remembered: the ledger of affected orders, what Redo last accepted, dead letters, how far a sweep is.

It must not know why an order changed, nor what an HTTP answer is. `store` is the logic, with `tables/`; it runs named
statements (`sql/`) on an engine: `sqlite/` (a file, or memory) or `postgres/`.
"""
