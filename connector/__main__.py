"""`python -m connector` is `redo-connector`."""

from connector.cli import main

main()
