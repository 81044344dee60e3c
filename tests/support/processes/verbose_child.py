"""The real command, in a process where the loggers of libraries are set to DEBUG.

`python -m tests.support.processes.verbose_child run --config FILE`
"""

from __future__ import annotations

import logging

from connector.cli.main import main

LOUD = ("httpx2", "httpcore2", "uvicorn", "uvicorn.error", "uvicorn.access", "psycopg", "psycopg.pq", "asyncio")

if __name__ == "__main__":
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.DEBUG)
    main()
