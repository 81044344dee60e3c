"""What conditions in ON and WHERE state. Must not know clauses or names."""
