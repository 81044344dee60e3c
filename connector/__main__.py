"""`python -m connector` is `redo-connector`."""

from connector.cli.main import main

main()
