"""What is kept back: changes of an unlikely size, orders of which it isn't known that they were deleted, endpoints that
nobody has approved, and a pause by hand.

It must not know how an order is read or pushed.
"""
