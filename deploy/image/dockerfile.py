"""A Dockerfile's steps: read, and carried out in a folder as their root. Knows the instructions that ours uses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_NO_STEPS: Final = frozenset({"LABEL", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD", "HEALTHCHECK"})
_BUILDERS: Final = ("PIP_", "SSL_", "HTTP_", "HTTPS_", "http_", "https_")
"""Of the builder's network, so not the image's: proxies, certificates, pip's index."""
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")


class StepFailed(Exception):
    """An instruction didn't work, or is none that is known here."""


@dataclass(slots=True)
class Image:
    """A stage that was built: the folder that is its root, and what a container of it starts with."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"})
    workdir: str = "/"
    user: str = "0:0"
    words: dict[str, list[str]] = field(default_factory=dict)
    """ENTRYPOINT, CMD and HEALTHCHECK's CMD."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Name and rest of each, lines that go on joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def build(text: str, context: Path, base: Path, into: Path) -> Image:
    """Carry out all stages, each in a copy of `base`. Returns the last one. Raises StepFailed."""
    stages: dict[str, Image] = {}
    image: Image | None = None
    for name, rest in instructions(text):
        if name == "FROM":
            alias = rest.rpartition(" AS ")[2] if " AS " in rest else str(len(stages))
            image = stages[alias] = Image(into / alias)
            _run("cp", "-a", "--reflink=auto", str(base), str(image.root))
        elif image is None:
            if name != "ARG":
                raise StepFailed(f"{name} before the first FROM")
        else:
            _step(image, name, rest, context, stages)
    if image is None:
        raise StepFailed("there is no FROM")
    return image


def _step(image: Image, name: str, rest: str, context: Path, stages: Mapping[str, Image]) -> None:
    match name:
        case "RUN":
            _in_shell(image, rest)
        case "COPY":
            _copy(image, rest, context, stages)
        case "ENV":
            for key, value in re.findall(r"(\w+)=(\S+)", rest):
                image.env[key] = value.replace("$PATH", image.env["PATH"])
        case "USER":
            image.user = rest
        case "WORKDIR":
            image.workdir = rest
            (image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "ARG":
            pass  # for labels and FROM, which mean nothing here
        case _ if name in _NO_STEPS:
            if found := re.search(r"\[.*\]$", rest):
                image.words[name] = json.loads(found[0])
        case _:
            raise StepFailed(f"{name} is not known here")


def _in_shell(image: Image, command: str) -> None:
    """As root: ours changes user only after its last RUN."""
    builders = {key: value for key, value in os.environ.items() if key.startswith(_BUILDERS)}
    for path in (Path("/etc/resolv.conf"), Path("/etc/hosts"), _CERTIFICATES):
        if path.exists():
            shutil.copy(path, image.root / str(path).lstrip("/"))
    script = f"cd {image.workdir} && {command}"
    _run("chroot", str(image.root), "/bin/sh", "-ec", script, env={**image.env, **builders})


def _copy(image: Image, rest: str, context: Path, stages: Mapping[str, Image]) -> None:
    *words, target = rest.split()
    source = context
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].root
    for word in words:
        what = source / word.lstrip("/")
        to = image.root / os.path.join(image.workdir, target).lstrip("/")
        if target.endswith("/") or target == ".":
            to = to / what.name
        to.parent.mkdir(parents=True, exist_ok=True)
        _run("cp", "-a", "--no-preserve=ownership", str(what), str(to))


def _run(*command: str, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailed(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
