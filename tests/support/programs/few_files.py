"""`redo-connector`, in a process that may open no more than a few files and sockets."""

from __future__ import annotations

import resource
from typing import Final

FILES: Final = 200

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    from connector.cli.main import main

    main()
