"""A local Redo for rehearsals, the demo and tests. It checks Redo's contract by code of its own.

Must not know any other room.
"""
