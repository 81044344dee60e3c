"""What Postgres's catalog says about what a mapping names, and whether that is still so. Must not know scopes,
order keys or routes.
"""
