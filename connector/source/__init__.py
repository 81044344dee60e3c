"""The OMS database as a stream of committed transactions, and what that stream needs: slot, publication, privileges.

Must not know orders, HTTP, or what "done" means.
"""
