"""Orders are read by the mapping: in batches, in snapshots that show what affected them, and apart where they fail.

It must not know why an order is read, or what is done with it.
"""
