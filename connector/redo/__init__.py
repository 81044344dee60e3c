"""The HTTP side of Redo: the client, its connections, what answers mean, and what of them may be logged.

Must not know Postgres, LSNs, or whether to try again later.
"""
