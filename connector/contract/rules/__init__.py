"""Redo's rules that its JSON schema doesn't state: what there is, what breaks them, and what becomes of an order then.

Must not know how fields are read, nor the network.
"""
