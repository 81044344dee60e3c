"""What every room that talks to a Postgres shares: connections with a bound of ours, what is pinned for a session,
poolers, connection errors in plain words, stored text. Must not know what a connection is for.
"""
