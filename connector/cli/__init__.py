"""The command: its verbs, asking a running connector, all that is printed, and exit codes.

Must not know business rules, SQL, or HTTP to Redo.
"""
