"""`python -m deploy.audit`: known vulnerabilities of what the locks pin, by pip-audit, judged by a reviewed allowlist.

A vulnerability that isn't allowed is an error. Where no database of vulnerabilities can be reached, nothing is known
either way: that is said, and is an error with `--require` only, so that a machine without a network can run the rest.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
ALLOWLIST: Final = ROOT / "requirements" / "audit-allowlist.toml"
LOCK: Final = ROOT / "requirements" / "dev.lock"  # holds what the others do
_PATIENCE: Final = 180.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability of one pinned package. `ids`: its own, and what others call it."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fix = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fix is known"
        return f"{self.package} {self.version}: {', '.join(self.ids)} ({fix})"


@dataclass(frozen=True, slots=True)
class Audit:
    """What one database said. `known`: packages that it looked up; `unknown`: those it couldn't tell about, and `why`.
    What isn't installed on this system (a package for another one) is neither."""

    findings: tuple[Finding, ...] = ()
    known: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A finding that somebody looked at. It holds until `until`, so that it is looked at again."""

    id: str
    package: str
    until: date
    reason: str


def audit(lock: Path, service: Sequence[str]) -> Audit:
    """Ask one database. What can't be had is in `unknown`; raises nothing for it."""
    command = ["-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(lock), "-f", "json"]
    switches = ["--progress-spinner=off", "--desc=off", "--aliases=on", "--timeout=10"]
    try:
        done = subprocess.run(
            [sys.executable, *command, *switches, *service],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Audit(unknown=pinned(lock), why=f"no answer in {_PATIENCE:.0f} s")
    try:
        said = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        lines = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        return Audit(unknown=pinned(lock), why=lines[-1][:300])
    unknown = frozenset(each["name"] for each in said if "skip_reason" in each)
    known = frozenset(each["name"] for each in said) - unknown
    why = next((each["skip_reason"] for each in said if "skip_reason" in each), "")
    return Audit(tuple(_findings(said)), known, unknown, why)


def pinned(lock: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))


def _findings(said: Sequence[Mapping[str, Any]]) -> Sequence[Finding]:
    return [
        Finding(
            each["name"],
            each["version"],
            tuple(dict.fromkeys([bug["id"], *bug.get("aliases", ())])),
            tuple(bug["fix_versions"]),
        )
        for each in said
        for bug in each.get("vulns", ())
    ]


def read_allowlist(path: Path) -> tuple[Allowed, ...]:
    """Raises KeyError or tomllib.TOMLDecodeError for an entry that lacks something."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("allow", [])
    return tuple(Allowed(each["id"], each["package"], each["until"], each["reason"]) for each in entries)


def judge(findings: Sequence[Finding], allowlist: Sequence[Allowed], today: date) -> list[Finding]:
    """Those that nobody allowed, or not for so long."""
    allowed = {(each.package, each.id) for each in allowlist if today <= each.until}
    return [each for each in findings if not any((each.package, name) in allowed for name in each.ids)]


def main(arguments: Sequence[str] | None = None, today: date | None = None) -> int:
    """0: nothing found that isn't allowed. 1: found, or (with --require) not all could be looked up."""
    options = _options().parse_args(arguments)
    allowlist = read_allowlist(options.allowlist)
    findings, known, unknown = _ask(options.lock, options.osv_url)
    bad = judge(findings, allowlist, today or datetime.now(UTC).date())
    for each in bad:
        _say(f"VULNERABLE: {each}\n  renew it with `make lock`, or allow it with a reason in {options.allowlist.name}")
    if unknown:
        of = len(unknown | known)
        _say(f"NOT AUDITED: {len(unknown)} of {of} packages: no database that could be reached knows of them")
    if known:
        _say(f"audited: {len(known)} packages, {len(findings)} vulnerabilities, {len(bad)} not allowed")
    return 1 if bad or (unknown and options.require) else 0


def _ask(lock: Path, osv_url: str | None) -> tuple[list[Finding], frozenset[str], frozenset[str]]:
    """Findings, packages that were looked up, and those that none could tell about. The second database is asked when
    the first lacks some."""
    services = [["-s", "osv", "--osv-url", osv_url]] if osv_url else [["-s", "pypi"], ["-s", "osv"]]
    findings: list[Finding] = []
    known, unknown = frozenset[str](), pinned(lock)
    for service in services:
        found = audit(lock, service)
        findings += [each for each in found.findings if each not in findings]
        known, unknown = known | found.known, unknown & found.unknown
        if not unknown:
            break
        _say(f"{service[1]}: can't tell about {len(found.unknown)} packages: {found.why}")
    return findings, known, unknown


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.audit")
    parser.add_argument("--require", action="store_true", help="fail when not every package could be looked up")
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--allowlist", type=Path, default=ALLOWLIST)
    parser.add_argument("--osv-url", help="a mirror of api.osv.dev's /v1/query, instead of PyPI and OSV")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
