"""The vectors of the envelopes beside a second opinion: Python's JSON, and another reading of each
protocol's page.

The C suites hold kedge against the same files. Where the second opinion differs, a table or the
comment beside the test says which rule it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from test_differential_core import (
    refused,
)
from vectors import Case, bytes_of, cases, holds_json, named

# By the name in the vectors: the members of the text that may hold it.
ENVELOPES = {
    "gateway_envelope": {"type": ("type",), "seq": ("seq",), "d": ("d",)},
    "flowlayer_envelope": {
        "type": ("type",),
        "called": ("name",),
        "id": ("id",),
        "payload": ("payload",),
    },
    "messaging_envelope": {
        "type": ("type",),
        "called": ("payloadType", "eventType"),
        "sequence": ("id",),
        "time": ("timestamp",),
        "id": ("id",),
        "payload": ("payload",),
    },
    "blobhub_envelope": {
        "type": ("method",),
        "id": ("id",),
        "payload": ("params", "result"),
        "error": ("error",),
    },
}


def says(claimed: object, found: object) -> bool:
    """The claim is the value, its text trimmed, its JSON as it stands, or the number in it."""
    if claimed == found or (isinstance(found, str) and found.strip() in (claimed, str(claimed))):
        return True
    try:
        return isinstance(claimed, str) and bool(json.loads(claimed) == found)
    except ValueError:
        return False


class Members(dict[str, object]):
    """An object of JSON that remembers which names stood twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.doubled = {name for name in names if names.count(name) > 1}


class Raw(str):
    """A number as it stands."""


def members_of(text: bytes) -> object:
    hooks = {"parse_int": Raw, "parse_float": Raw, "object_pairs_hook": Members}
    return json.loads(text.decode(), parse_constant=refused, **hooks)


def is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Raw)


def is_said(value: object) -> bool:
    """A text with more in it than white space."""
    return isinstance(value, str) and is_text(value) and value.strip(" \t\r\n") != ""


def is_unsigned(value: object) -> bool:
    return (
        isinstance(value, Raw)
        and re.fullmatch("0|[1-9][0-9]*", value) is not None
        and int(value) < 1 << 64
    )


def gateway_takes(one: Members) -> bool:
    seq = one.get("seq")
    return (
        not one.doubled & {"type", "seq", "d"}
        and is_text(one.get("type"))
        and (seq is None or is_unsigned(seq))
    )


def flowlayer_takes(one: Members) -> bool:
    needs = {"command": ("id", "name"), "ack": ("id",), "result": ("id",), "event": ("name",)}
    kind = one.get("type")
    named = str(kind).strip(" \t\r\n")
    return (
        not one.doubled & {"type", "id", "name", "payload"}
        and is_said(kind)
        and all(is_said(one.get(member)) for member in needs.get(named, ()))
    )


def messaging_takes(one: Members) -> bool:
    kind, name = one.get("type"), one.get("id")
    if "type" not in one:
        return one.get("event") == "pong" and "event" not in one.doubled
    known = {"type", "timestamp", "id", "payloadType", "eventType", "payload"}
    if not is_text(kind) or one.doubled & known:
        return False
    if kind in ("request", "response", "event") and not isinstance(one.get("timestamp"), Raw):
        return False
    match kind:
        case "request":
            return is_text(name) and is_text(one.get("payloadType")) and "payload" in one
        case "response":
            return "id" in one and (name is None or is_text(name))
        case "event":
            called = one.get("eventType")
            called = one.get("payloadType") if called is None else called
            return is_text(called) and (name is None or is_unsigned(name))
        case "ack":
            return is_unsigned(Raw(name)) if isinstance(name, str) else False
    return True


def blobhub_takes(one: Members) -> bool:
    """JSON-RPC 2.0 as BlobHub has it."""
    name, params = one.get("id"), one.get("params", [])
    known = {"jsonrpc", "method", "params", "id", "result", "error"}
    if one.doubled & known or not is_text(one.get("jsonrpc")):
        return False
    if one["jsonrpc"] != "2.0":
        return False
    is_id = isinstance(name, str)  # or a number, as it stands
    if "method" in one:
        return (
            is_text(one["method"])
            and isinstance(params, dict | list)
            and (is_id or "id" not in one)
            and not one.keys() & {"result", "error"}
        )
    if "id" not in one or len(one.keys() & {"result", "error"}) != 1:
        return False
    if "error" in one:
        return isinstance(one["error"], dict) and (is_id or name is None)
    return is_id


TAKES: dict[str, Callable[[Members], bool]] = {
    "gateway_envelope": gateway_takes,
    "flowlayer_envelope": flowlayer_takes,
    "messaging_envelope": messaging_takes,
    "blobhub_envelope": blobhub_takes,
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes(name: str) -> None:
    for case in cases(name):
        value = envelope_value(case)
        assert case["status"] != "ENVELOPE_NOT_OBJECT" or not isinstance(value, dict), case
        if case["status"].startswith(("JSON_", "UTF8_")) or case.get("kind") == "PING":
            continue
        one = members_of(bytes_of(case))
        assert (case["status"] == "OK") == (isinstance(one, Members) and TAKES[name](one)), case
        if case["status"] != "OK":
            continue
        assert isinstance(value, dict), case
        for claim, members in ENVELOPES[name].items():
            if claim in case:
                found = [value[member] for member in members if member in value]
                assert any(says(case[claim], each) for each in found), (claim, case)


def element_kind(one: Members) -> str:
    if "method" in one:
        return "REQUEST" if "id" in one else "NOTIFICATION"
    return "RESPONSE"


def elements_of(text: str) -> Iterator[tuple[int, int]]:
    """Where the elements of an array begin and end."""
    blanks = re.compile(r"[ \t\r\n]*")

    def behind(at: int) -> int:
        found = blanks.match(text, at)
        assert found is not None
        return found.end()

    at = behind(0) + 1
    while text[behind(at)] != "]":
        begin = behind(at + (text[at] == ","))
        _, end = json.JSONDecoder().raw_decode(text, begin)
        yield begin, end
        at = behind(end)


def holds_element(text: str, begin: int, end: int, element: Case) -> None:
    one = members_of(text[begin:end].encode())
    taken = isinstance(one, Members) and blobhub_takes(one)
    assert (element["status"] == "OK") == taken
    assert (element["status"] == "ENVELOPE_NOT_OBJECT") == (not isinstance(one, Members))
    if taken:
        assert isinstance(one, Members)
        assert element["kind"] == element_kind(one)
        assert element["offset"] == end
    else:
        assert begin <= element["offset"] < end
    if isinstance(one, Members) and "id" in element:
        assert json.loads(element["id"]) == json.loads(text[begin:end])["id"]


@named("blobhub_batch")
def test_blobhub_batch(case: Case) -> None:
    if case["status"].startswith(("JSON_", "UTF8_")):
        holds_json(case)
        return
    text = bytes_of(case).decode()  # of ASCII alone: an offset is an index
    if case["status"] == "OK" and not case["array"]:
        (element,) = case["elements"]
        if element["status"].startswith("JSON_"):
            holds_json({**case, **element})
        else:
            holds_element(text, 0, len(text), element)
        return
    found = list(elements_of(text))
    assert len(found) == len(json.loads(text))
    if case["status"] == "ENVELOPE_NOT_OBJECT":
        assert found == []
        assert text[case["offset"]] == "["
    elif case["status"] == "LIMIT":
        assert case["offset"] == found[case["limit"]][0]
    else:
        assert len(found) <= case["limit"]
        for (begin, end), element in zip(found, case["elements"], strict=True):
            holds_element(text, begin, end, element)


@pytest.mark.parametrize(
    "name",
    ["gateway_envelope_payloads", "flowlayer_payloads", "messaging_payloads", "blobhub_payloads"],
)
def test_payloads(name: str) -> None:
    for case in cases(name):
        if case["text"]:  # else there is no payload
            envelope_value(case)


def envelope_value(case: Case) -> object:
    """What Python reads; the fault is one of JSON just where Python finds one."""
    text, status = bytes_of(case), case["status"]
    if status.startswith(("JSON_", "UTF8_")):
        holds_json(case)
        return None
    if case.get("kind") == "PING":  # the messenger's: whatever is no object
        assert not text.lstrip(b" \t\r\n").startswith(b"{"), case
        return None
    value: object = json.loads(text)
    assert case["offset"] == len(text) if status == "OK" else case["offset"] <= len(text), case
    return value
