"""The room that remembers: the ledger of affected orders, what Redo last accepted, dead letters, how far a sweep is.

It must not know why an order changed, nor what an HTTP answer is. Its words are the records in the signatures of
`pipeline.memory`.
"""
