"""The checkpoint store in a Postgres database of its own: the mirror of the SQLite store, in SQL written for Postgres.

It must not know why an order changed, nor the OMS's database, which others compare it with.
"""
