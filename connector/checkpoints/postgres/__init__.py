"""Postgres as the checkpoint store's engine: a schema of a database. It must not know any table but its own marks, nor
the OMS's database, which others compare it with.
"""
