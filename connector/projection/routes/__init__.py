"""The order key of a mapping, and how a changed row leads to keys. No I/O. Must not know how orders are read."""
