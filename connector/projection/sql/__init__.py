"""SQL as text: the mapping parsed and edited, the names in it, quoting, errors by their SQLSTATE. No I/O. Must not
know the catalog.
"""
