"""What a chaos run came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.system.chaos.scene import Scene


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault, and how long (s) from its end until everything changed before that was at Redo."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """`resent`: pushes of an order in the form that Redo had already. `peak_retained`: bytes of WAL that the slot kept.
    `unexpected_ends`: exit codes of connectors that ended by themselves."""

    seed: int
    struck: tuple[Struck, ...]
    wrong: tuple[str, ...]
    orders: int
    transactions: int
    pushes: int
    resent: int
    peak_retained: int
    unexpected_ends: tuple[int, ...]
    postgres: str = ""
    overlaps: int | None = None
    """Requests that began while another one of the same order was under way; None: not counted."""
    heading: str = "fault | times | recovered, median | worst"

    @property
    def clean(self) -> bool:
        return not self.wrong

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def rows(self) -> Iterator[tuple[str, int, float, float]]:
        """Fault, how often, median and worst recovery (s)."""
        for name in sorted({each.name for each in self.struck}):
            seconds = [each.seconds for each in self.struck if each.name == name]
            yield name, len(seconds), median(seconds), max(seconds)

    def markdown(self, facts: Mapping[str, str]) -> str:
        """For docs/reliability.md: `facts` are of the machine."""
        lines = [f"Machine: {', '.join(f'{name} {value}' for name, value in facts.items())}. Seed {self.seed}.", ""]
        lines += [f"| {self.heading} |", "|---|---:|---:|---:|"]
        lines += [f"| {name} | {times} | {half:.1f} s | {worst:.1f} s |" for name, times, half, worst in self.rows()]
        return "\n".join([*lines, "", *(f"{line}." for line in self._summary())])

    def _summary(self) -> Iterator[str]:
        what = "faults" if self.overlaps is None else "takeovers"
        yield (
            f"{len(self.struck)} {what} while {self.transactions:,} transactions changed {self.orders:,} orders:"
            f" {self.pushes:,} pushes, {self.resent:,} of them alike"
        )
        yield (
            f"{self.peak_retained / 1e6:.1f} MB of WAL retained at most; the connector ended by itself"
            f" {len(self.unexpected_ends)} times {[*self.unexpected_ends]}"
        )
        if self.overlaps is not None:
            yield f"{self.overlaps} requests began while another one of the same order was under way"
        yield "nothing lost, nothing stale, every order right" if self.clean else "not clean: see below"

    def __str__(self) -> str:
        lines = [f"{'fault':<28}{'times':>6}{'median':>10}{'worst':>10}"]
        lines += [f"{name:<28}{times:>6}{half:>8.1f} s{worst:>8.1f} s" for name, times, half, worst in self.rows()]
        lines += self._summary()
        return "\n".join([*lines, *(f"WRONG {each}" for each in self.wrong)])


def report_of(scene: Scene, seed: int, struck: Sequence[Struck], wrong: Sequence[str]) -> Report:
    return Report(
        seed,
        tuple(struck),
        tuple(wrong),
        orders=len(scene.state.orders),
        transactions=scene.writing.committed,
        pushes=scene.state.pushes.total(),
        resent=scene.resent,
        peak_retained=scene.peak_retained,
        unexpected_ends=tuple(scene.connectors.ends),
        postgres=str(scene.primary.version),
    )
