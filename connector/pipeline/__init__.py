"""Affected keys are assembled, compared, pushed and checkpointed here, in that order and nowhere else.

It owns the ports, small Protocols that the rooms around it satisfy, and must not know what stands behind them: no
psycopg, HTTP library, sqlglot, environment or HTML.
"""
