"""What adds orders to the ledger beside the stream: walks over all orders, reverse lookups, second looks, former keys.

It must not know how an order is read, compared or pushed.
"""
