"""The room that tells: metrics, health, the status page.

It must not know how to change anything, nor where its facts come from: it is handed a `Facts` and told of events.
"""
