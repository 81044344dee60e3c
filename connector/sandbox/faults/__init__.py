"""How the sandbox misbehaves: the switches, the script that changes them, rate limits, and what they do to requests."""
