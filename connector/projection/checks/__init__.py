"""Why a mapping may not be run as it is: privileges, row security, names that may mean another table, what the
server refuses. Must not know how orders are read.
"""
