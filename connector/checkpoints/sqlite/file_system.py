"""Which file system a folder is on. On one of a network neither SQLite's locks nor ours can be relied on.

https://www.sqlite.org/howtocorrupt.html, https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "afs", "ceph", "lustre", "gpfs", "glusterfs"),
        *("beegfs", "ocfs2", "gfs2", "orangefs"),
    )
)
_LOCAL_FUSE: Final = frozenset(
    f"fuse.{name}" for name in ("fuse-overlayfs", "gocryptfs", "encfs", "mergerfs", "bindfs", "ntfs-3g", "lxcfs")
)
"""Those that lead to a disk of this machine. Any other in user space may lead anywhere."""


def network_file_system(folder: Path, mounts: str | None = None) -> str | None:
    """Its type, where it can be told that it is one. `mounts`: as the file of the process's mounts."""
    try:
        device = os.stat(folder).st_dev
        lines = (_MOUNTS.read_text(encoding="utf-8", errors="replace") if mounts is None else mounts).splitlines()
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found = {kind for line in lines for number, kind in [_device_and_type(line)] if number == wanted}
    return next((kind for kind in sorted(found) if _is_network(kind)), None)


def _device_and_type(line: str) -> tuple[str, str]:
    head, _, tail = line.partition(" - ")
    fields = head.split()
    return (fields[2] if len(fields) > 2 else "", tail.partition(" ")[0])


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)
