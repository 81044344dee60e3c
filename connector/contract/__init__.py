"""Redo's order: its fields, the rules that no schema shows, the canonical form and the fingerprint.

Must not know the network, Postgres, or the sandbox.
"""
