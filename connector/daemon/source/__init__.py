"""The source while the connector runs: its objects, a lost slot, slots left behind."""
