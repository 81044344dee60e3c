"""Single orders: what would be sent, what happened to them, another mapping, Redo read back. Must change nothing."""
