"""What a process has cost so far, read from /proc: CPU seconds and peak resident memory. Linux only.

Knows pids; must not know what the processes do.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of one process, its ended children's included (proc_pid_stat(5), fields 14 to 17)."""
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def family_cpu_seconds(pid: int) -> float:
    """The same for a process and its living children: a Postgres server, say. Differences of it lose nothing, because
    a child's time moves to its parent when it ends."""
    total = cpu_seconds(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            total += cpu_seconds(int(child))
    return total


def peak_rss(pid: int) -> int:
    """The high-water mark of resident memory in bytes, since the start or the last `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no memory left: it ended")


def forget_peak(pid: int) -> None:
    """Let the high-water mark begin anew (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine_cpu_seconds() -> float:
    """What all processes of the machine have used together (proc_stat(5), without idle and waiting for I/O)."""
    line = Path("/proc/stat").read_text().partition("\n")[0].split()
    user, nice, system, _, _, irq, softirq, steal = (int(ticks) for ticks in line[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds by process. `others`: everything else on the machine, the load and the benchmark itself included."""

    connector: float
    redo: float
    postgres: float
    others: float

    @classmethod
    def now(cls, connector: int | None, redo: int, postgres: int) -> Cost:
        """So far, for the given pids; no connector yet counts 0."""
        used = 0.0 if connector is None else cpu_seconds(connector)
        ours = used, cpu_seconds(redo), family_cpu_seconds(postgres)
        return cls(*ours, machine_cpu_seconds() - sum(ours))

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.connector - other.connector,
            self.redo - other.redo,
            self.postgres - other.postgres,
            self.others - other.others,
        )
