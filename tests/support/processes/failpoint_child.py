"""The real command with one failpoint armed.

`python -m tests.support.processes.failpoint_child POINT PASSES run --config FILE`
"""

from __future__ import annotations

import sys

from connector.cli.main import main
from connector.pipeline.failpoints import arm

if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:3] = []
    main()
