"""`python -m tests.support.loud_child run --config FILE`: the real command, in a process where libraries want to say
all."""

from __future__ import annotations

import logging

from connector.cli.main import main

LOUD = ("httpx2", "httpcore2", "uvicorn", "uvicorn.error", "uvicorn.access", "psycopg", "psycopg.pq", "asyncio")

if __name__ == "__main__":
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)
    main()
