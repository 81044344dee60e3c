"""Documentation that is executed: the fenced blocks of a page, and a reader who types them into terminals.

The first word after ``` is a block's language, the second says what a reader does with it (`terminal-2`: leave it
running there). `<!-- file: NAME -->` before a block: save it as NAME. A `text` block is what the command before it
prints, where `...` stands for anything; a `json` block is part of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from shlex import quote
from typing import Any, Final

WITHIN: Final = 45.0

_BLOCK: Final = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)(?: (?P<role>\S+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_BLANKS: Final = re.compile(r" +")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `role` and `file` are empty where the page gives none."""

    language: str
    role: str
    file: str
    text: str


def blocks(page: str) -> list[Block]:
    return [
        Block(found["language"], found["role"] or "", found["file"] or "", found["text"])
        for found in _BLOCK.finditer(page)
    ]


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title}"
    return found[1]


def shows(printed: str, wanted: str) -> bool:
    """Whether output is what a page shows of it; `...` in the page stands for anything, over lines too. How many
    blanks there are between columns doesn't matter."""
    pattern = ".*".join(re.escape(part) for part in _BLANKS.sub(" ", wanted.strip()).split("..."))
    return re.fullmatch(pattern, _BLANKS.sub(" ", printed.strip()), re.DOTALL) is not None


def difference(wanted: Any, found: Any, path: str = "") -> str:
    """Where `found` lacks something of `wanted`; empty when it has all. Objects may have more fields, lists not."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if lacking := wanted.keys() - found.keys():
            return f"{path} has no {', '.join(sorted(lacking))}"
        return next(filter(None, (difference(wanted[name], found[name], f"{path}.{name}") for name in wanted)), "")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return next(filter(None, (difference(one, other, f"{path}[{at}]") for at, (one, other) in pairs)), "")
    return "" if type(wanted) is type(found) and wanted == found else f"{path}: {found!r}, not {wanted!r}"


def read(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


@dataclass(slots=True)
class Reader:
    """Types blocks into a shell that begins in `folder`; what is to be left running is left running in terminals of
    its own. The shell's folder and exported variables last from one block to the next."""

    folder: Path
    environment: Mapping[str, str]
    terminals: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def _state(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.state")

    @property
    def _before(self) -> str:
        return f". {quote(str(self._state))}\n" if self._state.exists() else ""

    def walk(self, page: Sequence[Block]) -> int:
        """Do everything in order. Returns how many blocks were executed."""
        done = 0
        for at, block in enumerate(page):
            if block.file:
                (self.folder / block.file).write_text(block.text, encoding="utf-8")
            elif block.language == "sh":
                after = page[at + 1] if at + 1 < len(page) and not page[at + 1].file else None
                expected = after if after is not None and after.language in ("text", "json") else None
                self._type(block, expected)
                done += 1
        return done

    def _type(self, block: Block, expected: Block | None) -> None:
        if block.role == "the-end":
            self.interrupt()
        if block.role.startswith("terminal"):
            output = self.leave_running(block.text)
            until(lambda: fits(output.read_text(), expected))
        else:
            self._until_it_prints(block.text, expected)

    def _until_it_prints(self, script: str, expected: Block | None) -> None:
        """The last line is typed again until it prints what the page shows: a person takes a moment, too."""
        printed = self.type(script)
        last = script.strip().splitlines()[-1]

        def again() -> str:
            nonlocal printed
            wrong = fits(printed, expected)
            if wrong:
                printed = self.type(last)
            return wrong

        until(again)

    def type(self, script: str) -> str:
        """Run a script to its end; what it printed. It must succeed."""
        left = f'{{ export -p; printf "cd %q\\n" "$PWD"; }} > {quote(str(self._state))}'
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{self._before}{script}\n{left}"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=WITHIN, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert ran.returncode == 0, f"{script}\nexit code {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def leave_running(self, script: str) -> Path:
        """The file that it writes to."""
        output = self.folder / f"terminal-{len(self.terminals)}.out"
        with output.open("wb") as file:
            self.terminals.append(
                subprocess.Popen(
                    ["bash", "-euo", "pipefail", "-c", f"{self._before}exec {script}"],
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        return output

    def interrupt(self) -> None:
        """Ctrl-C in each terminal, the latest first; every program must end well."""
        for terminal in reversed(self.terminals):
            os.killpg(terminal.pid, signal.SIGINT)
            assert terminal.wait(WITHIN) == 0, f"{terminal.args!r} ended with {terminal.returncode}"
        self.terminals.clear()

    def end(self) -> None:
        """Whatever is still running, because something failed."""
        for terminal in self.terminals:
            if terminal.poll() is None:
                os.killpg(terminal.pid, signal.SIGKILL)
            terminal.wait()


def fits(printed: str, expected: Block | None) -> str:
    """What is wrong with an output; empty when it is what the page shows."""
    if expected is None:
        return ""
    if expected.language == "text":
        return "" if shows(printed, expected.text) else f"it printed:\n{printed}\nand not:\n{expected.text}"
    try:
        return difference(read(expected.text), read(printed))
    except ValueError:
        return f"it printed:\n{printed}"


def until(check: Callable[[], str]) -> None:
    """Wait until nothing is wrong any more."""
    deadline = time.monotonic() + WITHIN
    while wrong := check():
        assert time.monotonic() < deadline, wrong
        time.sleep(0.1)
