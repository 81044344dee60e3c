"""What makes two addresses of Redo the same one: what checkpoints are bound to.

Scheme, host, port and path count. Neither how a host is spelt, nor a default port, nor a slash at the end makes another
address, nor whether it is named by `redo.base_url` or whole. What DNS or a proxy makes of it can't be seen from here.
"""

from __future__ import annotations

import re
from typing import Final

from connector.redo.client import checked_url, orders_url

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def endpoint(url: str, store_id: str) -> str:
    """The base URL of a store's orders URL, or the URL itself where it has another form; normalised, and without its
    query, which may hold a secret. Raises ConfigurationError for a URL that can't be asked."""
    whole = _normalised(url)
    suffix = orders_url("", store_id)
    return whole.removesuffix(suffix)


def _normalised(url: str) -> str:
    parts = checked_url(url)
    host = parts.raw_host.decode("ascii").lower().removesuffix(".")
    if ":" in host:
        host = f"[{host.strip('[]')}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    path = parts.raw_path.decode("ascii").partition("?")[0].rstrip("/")
    return f"{parts.scheme}://{host}{port}{re.sub('%[0-9a-fA-F]{2}', lambda found: found[0].upper(), path)}"
