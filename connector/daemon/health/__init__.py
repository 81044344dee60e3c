"""Whether the connector gets on: facts, one state, WAL that is kept, and the end of a process that is stuck."""
