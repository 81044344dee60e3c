"""All that is printed for people. Knows click, rich and plain dicts; must decide nothing."""
