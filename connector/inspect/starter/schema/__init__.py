"""A schema as a starter sees it: what the catalog says, and what names mean. Only `catalog` asks a database."""
