"""Log lines: one event a line, and what repeats is bounded. Must not know who logs, or about what."""
