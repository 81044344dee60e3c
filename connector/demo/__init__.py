"""A sample OMS on a throw-away Postgres. Uses the other rooms only through their public entry points."""
