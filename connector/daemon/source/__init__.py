"""The source while the connector runs: its objects, a lost slot, and dropping what is ours."""
