"""What was read is compared with what Redo accepted: nothing to do, a push, a removal, or a refusal.

It must not know requests, or how an answer of Redo's is dealt with.
"""
