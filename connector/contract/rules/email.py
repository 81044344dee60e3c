"""Which e-mail addresses Redo's schema takes, and which of them are unusual.

JSON Schema's `email` is a mailbox of RFC 5321, section 4.1.2.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_WORD: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOTTED: Final = rf"{_WORD}(?:\.{_WORD})*"
_QUOTED: Final = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_USUAL: Final = re.compile(rf"(?=[^@]{{1,64}}@){_DOTTED}@{_LABEL}(?:\.{_LABEL})+")
_MAILBOX: Final = re.compile(
    rf"(?P<local>{_DOTTED}|{_QUOTED})@(?:(?P<domain>{_LABEL}(?:\.{_LABEL})*)|\[(?P<literal>[0-9A-Za-z.:]+)\])"
)
_LONGEST: Final = 254
_LONGEST_LOCAL: Final = 64


def usual(address: str) -> bool:
    """`local@domain.tld` of plain characters."""
    return len(address) <= _LONGEST and _USUAL.fullmatch(address) is not None


def valid(address: str) -> bool:
    """Whether the schema takes it: also without a dot in the domain, with a quoted local part, or at an IP address."""
    found = _MAILBOX.fullmatch(address) if len(address) <= _LONGEST else None
    if found is None or len(found["local"]) > _LONGEST_LOCAL:
        return False
    return found["literal"] is None or _ip_address(found["literal"])


def _ip_address(literal: str) -> bool:
    try:
        if literal.startswith("IPv6:"):
            IPv6Address(literal.removeprefix("IPv6:"))
        else:
            IPv4Address(literal)
    except ValueError:
        return False
    return True
