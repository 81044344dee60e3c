"""The slot, the publications and the tables of the source: their state, setting them up, what drifted, taking them
down. Must not know how the stream is read.
"""
