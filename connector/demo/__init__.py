"""A sample OMS with its traffic on an embedded Postgres, with the connector and a local Redo beside it.

Must not know more of the other rooms than their public entry points.
"""
