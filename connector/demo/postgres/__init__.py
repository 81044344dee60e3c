"""A throw-away Postgres server. Must not know what the databases in it are for."""

from connector.demo.postgres.cluster import SETTINGS, Cluster, PostgresFailed, Template

__all__ = ["SETTINGS", "Cluster", "PostgresFailed", "Template"]
