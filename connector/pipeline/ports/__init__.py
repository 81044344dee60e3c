"""What the pipeline needs of the rooms around it, as small Protocols, and the records that pass through them.

No behaviour, and nothing of who stands behind a port.
"""
