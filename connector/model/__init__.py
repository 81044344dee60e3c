"""The words that every room shares: changes, orders, errors, and how stored text is read. Frozen data, no I/O.

Must not know any other room, nor a library that talks to something.
"""
