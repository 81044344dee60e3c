"""HAProxy for the tests: what is installed, or Debian's package, kept unpacked in `.haproxy` of this checkout."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from tests.support.programs import debian

_CACHE: Final = Path(__file__).parents[3] / ".haproxy"
_PACKAGES: Final = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
"""With the libraries that few machines have."""


def haproxy() -> tuple[str, dict[str, str]]:
    """The program, and the environment that it needs. Raises debian.PackageMissing."""
    installed = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if installed is not None:
        return installed, {}
    if not _CACHE.is_dir():
        debian.unpack(_PACKAGES, _CACHE)
    libraries = ":".join(str(folder) for folder in (_CACHE / "usr" / "lib").glob("*-linux-*"))
    return str(_CACHE / "usr" / "sbin" / "haproxy"), {"LD_LIBRARY_PATH": libraries}
