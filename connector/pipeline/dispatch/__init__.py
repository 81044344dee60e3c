"""From the ledger to the stations: which orders are taken when, and what is in work at the moment.

It must not know how an order is read, compared or delivered.
"""
