"""The source's transactions become affected orders in the ledger, durably, before the slot may move.

It must not know what is done about an affected order, or how a stream is opened.
"""
