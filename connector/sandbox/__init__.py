"""A local Redo for rehearsals, the demo and tests, with an opinion of its own on Redo's contract.

Must not know any other room.
"""
