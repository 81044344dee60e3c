"""Nothing here: fixtures live in the named `fix_*.py` plugins."""
