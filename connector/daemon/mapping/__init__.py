"""The mapping while the connector runs: changed, or not fit for the database."""
