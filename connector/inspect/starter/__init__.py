"""From a live schema to a starter: facts of the catalog in, a proposed mapping and settings out.

Only `catalog` asks a database; what is proposed is decided without I/O. A field that isn't certain is left to a person:
a wrong guess would cost a shopper, an open question costs a minute.
"""
