"""What is looked at before the connector runs, and what a DBA is told to grant. Reads only. Must not know how the
stream is read.
"""
