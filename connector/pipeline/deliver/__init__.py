"""Requests to Redo: admitted within its limits, sent, and concluded from the answer in one commit for many.

It must not know how an order was read, nor what a request looks like on the wire.
"""
