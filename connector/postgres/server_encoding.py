"""Reading a database that isn't in UTF-8 byte for byte: what psycopg must do otherwise on such a connection.

Knows psycopg's adapters; must not know what is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.errors import UntranslatableCharacter

from connector.model.charset import charset_of

_TEXTS = ("text", "varchar", "bpchar", "name")
_JSON = ("json", "jsonb")


async def use_server_encoding(connection: AsyncConnection[Any]) -> None:
    """Have text come and go as it is stored, if the database's encoding is one for `Charset`. Raises psycopg.Error."""
    encoding = connection.info.parameter_status("server_encoding")
    charset = charset_of(encoding)
    if charset is None:
        return
    await connection.execute("SELECT set_config('client_encoding', $1, false)", [encoding])

    def write(text: str) -> bytes:
        try:
            return charset.write(text)
        except UnicodeEncodeError:
            raise UntranslatableCharacter(f"a character that the database's encoding {encoding} lacks") from None

    class Cursor(_Cursor):
        encode = staticmethod(write)

    connection.cursor_factory = Cursor
    _register(connection.adapters, charset.read, write)


def _register(adapters: AdaptersMap, read: Callable[[bytes], str], write: Callable[[str], bytes]) -> None:
    class TextLoader(Loader):
        def load(self, data: Buffer) -> str:
            return read(bytes(data))

    class JsonLoader(Loader):
        def load(self, data: Buffer) -> Any:
            return json.loads(read(bytes(data)))

    class TextDumper(Dumper):
        def dump(self, obj: str) -> bytes:
            return write(obj)

    for name in _TEXTS:
        adapters.register_loader(name, TextLoader)
    for name in _JSON:
        adapters.register_loader(name, JsonLoader)
    adapters.register_dumper(str, TextDumper)


class _Cursor(AsyncRawCursor[Any]):
    """Sends statements in the database's encoding."""

    encode: Callable[[str], bytes]

    async def execute(self, query: Any, params: Any = None, **options: Any) -> _Cursor:
        return await super().execute(self.encode(query) if isinstance(query, str) else query, params, **options)
