"""Whatever Redo says, nothing of a shopper and no secret gets into an Outcome."""

from __future__ import annotations

import base64
import html
import json
import re
import time
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.orders import Outcome
from connector.redo.answers import Answer, meaning, pushed
from connector.redo.redaction import LEFT_OUT, LONGEST_MESSAGE, Redactor
from tests.support.redo_orders import document, order_of
from tests.support.redo_servers import client_of, said, serving

SECRET = "rd_live_9fQ2xVbK7sTz"
SHOPPER = {
    "email": "wilhelmina.krzyzewski@mailbox.example.net",
    "firstName": "Wilhelmina",
    "lastName": "Krzyżewski-Øster",
    "phone": "+48 601 234 567",
}
ADDRESS = {
    "address1": "17 Qvistgaard Vej",
    "address2": "Flat 4b, Zuidpoort",
    "city": "Hjørring",
    "company": "Xylotech GmbH",
    "firstName": "Wilhelmina",
    "lastName": "Krzyżewski-Øster",
    "phone": "+48 601 234 567",
    "provinceCode": "NJ",
    "zip": "98407",
    "countryCode": "DK",
}
ORDER = order_of(document(customer=SHOPPER, shippingAddress=ADDRESS, billingAddress=ADDRESS))
PRIVATE = sorted({*SHOPPER.values(), *ADDRESS.values(), SECRET})


def folded(text: str) -> str:
    """Letters and digits alone, without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if sign.isalnum() and not unicodedata.combining(sign))


def pieces() -> frozenset[str]:
    """What must not be seen: six letters or digits of anything private on end, or a whole word of four."""
    words = {word for value in PRIVATE for word in re.findall(r"[^\W_]+", value)}
    runs = {folded(value)[at : at + 6] for value in PRIVATE for at in range(len(folded(value)) - 5)}
    return frozenset(run for run in runs | {folded(word) for word in words if len(word) >= 4} if len(run) >= 4)


PIECES = pieces()


def leaks(outcome: Outcome) -> list[str]:
    """Everything in an Outcome that came with the answer, the table's own sentence apart."""
    assert outcome.status is not None
    told = [outcome.message.removesuffix(meaning(outcome.status).sentence), outcome.reason]
    told += [text for found in outcome.violations for text in (found.path, found.message)]
    return [piece for piece in PIECES for text in told if piece in folded(text)]


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(sign):04x}" for sign in text)


WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "swapped": str.swapcase,
    "json": lambda text: json.dumps(text)[1:-1],
    "json escapes": escaped,
    "json escapes twice": lambda text: json.dumps(escaped(text))[1:-1],
    "hex escapes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode("latin-1", "replace")),
    "url": lambda text: quote(text, safe=""),
    "url, all of it": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "url twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "html": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "html entities": html.escape,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "without accents": folded,
    "full width": lambda text: "".join(chr(ord(s) + 0xFEE0) if "!" <= s <= "~" else s for s in text),
    "spaced out": " ".join,
    "dotted": ".".join,
    "with invisible signs": "\u200b".join,
    "glued": lambda text: f"user{text}exists",
    "snake": lambda text: "x_" + re.sub(r"\W+", "_", text) + "_y",
    "base64": lambda text: base64.b64encode(text.encode()).decode() * 3,
}
FRAMES = ["{}", "{} is taken", "Invalid value: '{}'", 'expected "email", got "{}"', "<{}>", "a{}", "({}) was not found"]


@st.composite
def echoes(draw: st.DrawFn) -> str:
    """A part of the request, anyhow written, in some sentence."""
    value = draw(st.sampled_from(PRIVATE) | st.just(ORDER.body.decode()))
    start = draw(st.integers(0, max(0, len(value) - 5)))
    end = draw(st.integers(start + 1, len(value)))
    part = draw(st.sampled_from([value, value[start:end]]))
    written = WRITINGS[draw(st.sampled_from(sorted(WRITINGS)))](part)
    return draw(st.sampled_from(FRAMES)).replace("{}", written)


def nested(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["customer", "shippingAddress", "lineItems", "email", "zip", "_errors", "0"]) | echoes()
    return st.lists(below, max_size=3) | st.dictionaries(names, below, min_size=1, max_size=3)


BODIES = st.fixed_dictionaries(
    {}, optional={name: echoes() for name in ("error", "title", "detail", "message", "redoId")}
).flatmap(
    lambda body: st.builds(lambda errors: body | {"errors": errors}, st.recursive(echoes(), nested, max_leaves=8))
)


def outcome_of(status: int, body: object, ascii_only: bool = False) -> Outcome:
    raw = json.dumps(body, ensure_ascii=True).encode() if ascii_only else orjson.dumps(body)
    return pushed(Answer(status, {}, raw), ORDER.order_id, Redactor(ORDER.body, (SECRET,)))


@given(BODIES, st.sampled_from([200, 302, 400, 401, 403, 404, 413, 422, 429, 500, 503]), st.booleans())
def test_an_answer_that_echoes_the_request_leaks_nothing(body: dict[str, Any], status: int, ascii_only: bool) -> None:
    assert leaks(outcome_of(status, body, ascii_only)) == []


@pytest.mark.parametrize("writing", WRITINGS)
def test_every_private_value_is_kept_out_however_it_is_written(writing: str) -> None:
    for value in PRIVATE:
        written = WRITINGS[writing](value)
        body = {"error": f"{written} is wrong", "errors": {"customer": {"email": written, written: written}}}
        outcome = outcome_of(400, body)
        assert leaks(outcome) == []
        assert "\\u" not in repr(outcome.message)


def test_what_is_split_across_the_keys_of_the_errors_is_kept_out() -> None:
    errors: Any = "is wrong"
    for part in reversed(re.findall(r"[^\W_]+", " ".join(PRIVATE))):
        errors = {part: errors}
        assert leaks(outcome_of(400, {"errors": errors})) == []
    assert {found.path for found in outcome_of(400, {"errors": {"Wilhelmina": {"98407": "no"}}}).violations} == {"?.?"}


async def test_a_real_server_that_echoes_the_whole_request_leaks_nothing() -> None:
    def echo(_: str, request: bytes) -> bytes:
        text = request.decode()
        return said(
            422, json.dumps({"error": text, "errors": {text: text, "customer": json.loads(ORDER.body)}}).encode()
        )

    async with serving(echo) as seen, client_of(seen.url, SECRET) as client:
        outcome = await client.push(ORDER)
    assert outcome.status == 422
    assert outcome.violations
    assert leaks(outcome) == []


@pytest.mark.parametrize(
    "said",
    [
        "Invalid email",
        "Failed to process order",
        "Line item ids must be unique",
        "Expected number, received string at lineItems",
        "Store does not exist",
        "Token does not have access to this store",
        "Quantity exceeds the fulfillable quantity",
        "Rejected by a switch",
        "Service unavailable",
    ],
)
def test_words_of_redos_own_are_kept_as_they_are(said: str) -> None:
    assert Redactor(ORDER.body, (SECRET,)).redact(said) == said


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Wilhelmina is unknown", "… is unknown"),
        ("No store in HJØRRING, DK", "No store in …"),
        ("zip 98407 is not in Denmark", "zip … is not in Denmark"),
        ("someone.else@example.org is taken", "… is taken"),
        ("call 0601 234 9999 instead", "call … instead"),
        ("山田 is unknown", "… is unknown"),
        (f"bad token {SECRET}", LEFT_OUT),
        ("Wilhelmina", LEFT_OUT),
        ("%" + "25" * 9 + "41", LEFT_OUT),
    ],
)
def test_only_the_words_that_are_ours_are_masked(said: str, shown: str) -> None:
    assert Redactor(ORDER.body, (SECRET,)).redact(said) == shown


@given(st.text(st.characters()) | st.text("\\u0%xX&#;1aF{}", max_size=40))
def test_any_words_become_one_bounded_line_that_can_be_written(message: str) -> None:
    shown = Redactor(ORDER.body, (SECRET,)).redact(message)
    shown.encode()  # raises for half a surrogate pair
    assert shown.isprintable()
    assert len(shown) <= max(LONGEST_MESSAGE, len(LEFT_OUT))


def test_of_what_is_said_about_a_huge_order_only_a_validators_words_are_kept() -> None:
    body = orjson.dumps({"note": "lorem ipsum " * 2**20})
    redactor = Redactor(body, [SECRET])
    began = time.process_time()
    assert redactor.redact("Payload too large: Wilhelmina, limit is 8 MB") == "… too large: …, limit is 8 …"
    assert redactor.redact(f"token {SECRET}") == LEFT_OUT
    assert time.process_time() - began < 0.5, "nothing else can run meanwhile"


def test_nothing_is_kept_where_it_is_not_known_what_may_be_quoted() -> None:
    assert Redactor(None, (SECRET,)).redact("Invalid email") == ""
