"""Redo's side: the contract (models, rules, canonical form), the client, and a local sandbox.

Knows nothing of Postgres, LSNs, or whether to try again later.
"""
