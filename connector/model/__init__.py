"""The records that pass between rooms: changes, orders, errors; and text that isn't UTF-8; work away from the
event loop. Frozen data, no I/O.

Must not know any other room, nor a library that talks to something.
"""
