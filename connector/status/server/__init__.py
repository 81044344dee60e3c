"""The HTTP side: which path answers what, who may act, and live streams. Must not know how to change anything."""
