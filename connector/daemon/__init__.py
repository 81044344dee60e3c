"""A running connector: built, started, watched, built anew for a changed mapping, stopped; and what it is asked for is
carried out. Must not know what an order is, nor how rows become keys.
"""
