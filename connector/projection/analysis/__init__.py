"""What the names in a mapping mean, and which parts of it are non-deterministic: from the parsed text and the
catalog to scopes. No I/O. Must not know order keys or routes.
"""
