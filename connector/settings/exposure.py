"""Secrets where others can read them: files that everybody may read, connections that prove no identity.

Changes nothing, and returns no value of a setting.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from connector.model.errors import Problem
from connector.settings import files

_WEAK: Final = {
    "disable": "nothing is encrypted",
    "allow": "nothing is encrypted unless the server insists",
    "prefer": "whoever sits in between can have it unencrypted",
    "require": "anybody can pretend to be the server",
    "verify-ca": "any host with a certificate of that authority can pretend to be the server",
}

IN_CLEAR: Final = (
    "http:// to another machine sends the token and every order in clear: use https://, "
    "or set redo.allow_http where the network itself is encrypted"
)


def sent_in_clear(urls: Mapping[str, str]) -> list[str]:
    """The settings, of those whose URLs are given, that lead to another machine without TLS."""
    return [where for where, url in urls.items() if _leaves_in_clear(url)]


def _leaves_in_clear(url: str) -> bool:
    return url.startswith("http:") and not leads_here(url)


def leads_here(url: str) -> bool:
    """Whether a URL's host is this machine. What is no URL leads nowhere: it is reported elsewhere."""
    try:
        return _local(urlsplit(url).hostname or "")
    except ValueError:
        return True


def readable_by_all(path: str | None) -> list[Problem]:
    """Files that settings were read from, hold a secret, and may be read by every user of this machine."""
    return [
        Problem(
            f"every user of this machine may read {file}, which holds a secret",
            f"chmod 600 {file}  (640, with the connector's group, does as well)",
            where,
            warning=True,
        )
        for where, file in files.files_with_secrets(path)
        if _exposed(file)
    ]


def _exposed(file: Path) -> bool:
    """Its own bits, and a way to it: a folder that is closed to others closes all below it."""
    try:
        way = all(folder.stat().st_mode & 0o001 for folder in file.resolve().parents)
        return os.name == "posix" and way and bool(file.stat().st_mode & 0o004)
    except OSError:
        return False  # gone meanwhile, or its folder is closed to us too


def unverified(dsns: Mapping[str, str], environment: Mapping[str, str]) -> list[Problem]:
    """DSNs, by setting, that lead to another machine without proof that it is the right one. What libpq itself can't
    read is reported elsewhere."""
    return [
        Problem(
            f"sslmode {mode} to another machine: {_WEAK[mode]}",
            "add sslmode=verify-full, and sslrootcert=system or the file of your authority's certificate",
            where,
            warning=True,
        )
        for where, dsn in dsns.items()
        if (mode := _mode(dsn, environment)) in _WEAK
    ]


def _mode(dsn: str, environment: Mapping[str, str]) -> str | None:
    """What holds for the DSN; None where all its hosts are this machine."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return None
    if all(_local(host) for host in _hosts(given, environment)):
        return None
    # libpq's own default once a root certificate is named by `system`.
    root = given.get("sslrootcert") or environment.get("PGSSLROOTCERT")
    default = "verify-full" if root == "system" else "prefer"
    return str(given.get("sslmode") or environment.get("PGSSLMODE") or default)


def _hosts(given: Mapping[str, Any], environment: Mapping[str, str]) -> Sequence[str]:
    named = given.get("host") or given.get("hostaddr") or environment.get("PGHOST") or environment.get("PGHOSTADDR")
    return str(named or "").split(",")


def _local(host: str) -> bool:
    """Whether a name or address is this machine's own; a name only where no DNS server is asked for it (RFC 6761)."""
    if host in ("", "localhost") or host.endswith(".localhost") or host.startswith(("/", "@")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
