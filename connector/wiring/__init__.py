"""What settings describe, made: addresses, clients, timeouts. Must not know when anything runs."""
