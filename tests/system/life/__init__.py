"""One order's life, for the model-based test: a small OMS in memory, and the real pipeline over it in virtual time."""
