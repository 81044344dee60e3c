"""The replication stream: from COPY BOTH frames to committed transactions, and the flush LSN back. Must not know
what an image is good for.
"""
