"""The HTTP side of Redo: the client, its connections, and what answers mean.

Must not know Postgres, LSNs, or whether to try again later.
"""
