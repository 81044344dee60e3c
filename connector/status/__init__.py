"""Metrics, health, the status page. Must not know how to change anything, nor where its facts come from: it is handed a
`Facts`, and notified of events.
"""
