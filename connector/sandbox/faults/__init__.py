"""How the sandbox misbehaves: the switches, rate limits, and what they do to requests."""
