"""A throw-away Postgres server. Must not know what the databases in it are for."""
