"""What every room that talks to a Postgres shares, whatever the connection is for."""
