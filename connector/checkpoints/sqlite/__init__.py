"""SQLite as the checkpoint store's engine: a file, or memory. It must not know any table but its own marks."""
