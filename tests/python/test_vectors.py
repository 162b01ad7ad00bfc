"""The vectors of tests/vectors beside a second opinion: Python's UTF-8, JSON and queries, the
frames and handshakes of websockets, and zstandard.

The C suites hold kedge against the same files. Where the second opinion differs, the table or the
comment beside the test says which rule it is.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import zstandard
from core_world import live_client
from kedge._core import Closed
from test_differential_core import (
    COMMON_WINDOW,
    close_of,
    has_lone_surrogate,
    python_value,
    theirs,
    zstd_verdict,
)
from websockets.client import ClientProtocol
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

ROOT = Path(__file__).resolve().parents[2]
Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    found: list[Case] = json.loads((ROOT / f"tests/vectors/{name}.json").read_text())["cases"]
    return found


def bytes_of(case: Case) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    text = case.get("head", "") + case["text"] * case.get("times", 1) + case.get("tail", "")
    return str(text).encode("utf-8", "surrogatepass")


def named(name: str) -> Any:
    """Each case of the file is a test of its own."""
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in cases(name)])


# ---- UTF-8 ----

# What kedge tells apart where Python says only what it stumbled over.
UTF8_FAULTS = {
    "invalid start byte": {"UTF8_CONTINUATION", "UTF8_OVERLONG", "UTF8_TOO_LARGE", "UTF8_INVALID"},
    "invalid continuation byte": {
        *("UTF8_MISSING", "UTF8_INVALID", "UTF8_OVERLONG", "UTF8_SURROGATE", "UTF8_TOO_LARGE")
    },
    "unexpected end of data": {"UTF8_TRUNCATED"},
}


def utf8_fault(text: bytes) -> tuple[str, int] | None:
    """What Python says is wrong, and the first byte that cannot continue the text."""
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        return fault.reason, fault.start if fault.reason == "invalid start byte" else fault.end
    return None


@named("utf8")
def test_utf8(case: Case) -> None:
    text = bytes_of(case)
    fault = utf8_fault(text)
    if fault is None:
        assert (case["status"], case["offset"]) == ("OK", len(text))
    else:
        reason, offset = fault
        assert case["status"] in UTF8_FAULTS[reason]
        assert case["offset"] == offset


# ---- JSON ----


def holds_json(case: Case) -> None:
    """The status and offset are what Python's decoder allows for."""
    text, status, offset = bytes_of(case), case["status"], case["offset"]
    # Our limit of nesting is one of the caller's; Python's is its stack.
    if status == "JSON_TOO_DEEP" or text.count(b"[") + text.count(b"{") > 500:
        return
    if status.startswith("UTF8_"):
        fault = utf8_fault(text)
        assert fault is not None
        assert fault[1] <= offset
        return
    try:
        value = python_value(text)
    except json.JSONDecodeError as error:
        fault, place = error.msg, len(error.doc[: error.pos].encode())
    except ValueError:  # NaN and Infinity, and broken UTF-8 behind a fault of the grammar
        fault, place = "", 0
    else:
        # Python takes the escape of half a character; it has a place for it.
        assert status == ("JSON_LONE_SURROGATE" if has_lone_surrogate(value) else "OK")
        assert status != "OK" or offset == len(text)
        return
    assert status.startswith("JSON_")
    if status == "JSON_LONE_SURROGATE":  # Python finds what is broken behind it
        return
    # Python names the value's or the text's begin, kedge the byte: never an earlier one.
    assert place <= offset <= len(text)
    assert status != "JSON_TRAILING" or fault == "Extra data"


@named("json")
def test_json(case: Case) -> None:
    holds_json(case)


# ---- frames ----


class ShortError(Exception):
    """The header is not complete."""


def header_of(data: bytes, *, masked: bool) -> tuple[Frame, int, int]:
    """What websockets reads of a header: the frame, its payload's size, its own size."""
    asked: list[int] = []

    def read_exact(size: int) -> Generator[None, None, bytes]:
        yield from ()
        asked.append(size)
        at = sum(asked[:-1])
        if at >= 2 and len(asked) == 2 + masked + (data[1] & 0x7F > 125):
            return bytes(min(size, 126))  # of the payload only what tells it from a short one
        if at + size > len(data):
            raise ShortError
        return data[at : at + size]

    reading = Frame.parse(read_exact, mask=masked)
    try:
        next(reading)
    except StopIteration as end:
        return end.value, asked[-1], sum(asked[:-1])
    raise AssertionError("it waits")


# What websockets takes: a length that is longer than it need be, or above 2^63 - 1.
FRAME_LAX = {"FRAME_NOT_MINIMAL", "FRAME_SIZE"}


@named("frame")
def test_frame(case: Case) -> None:
    data = bytearray(bytes_of(case))
    if data and "reserved" in case and case["status"] == "OK":
        data[0] &= 0x8F  # websockets allows them to extensions only
    try:
        frame, size, ends = header_of(bytes(data), masked=case["receiver"] == "server")
    except ShortError:
        # kedge tells a fault at its byte, websockets when the header is complete.
        assert case["status"] != "OK"
    except ProtocolError:
        assert case["status"].startswith("FRAME_")
    else:
        if case["status"] != "OK":
            assert case["status"] in FRAME_LAX
            return
        assert (case["offset"], case["payload_size"]) == (ends, size)
        assert (case["fin"], case["opcode"]) == (int(frame.fin), int(frame.opcode))


@named("frame_close")
def test_frame_close(case: Case) -> None:
    body = bytes_of(case)
    if len(body) > 125:
        assert case["status"] == "FRAME_CONTROL_SIZE"
        return
    try:
        close = Close.parse(body)
        if body:
            close.check()
    except ProtocolError:
        assert case["status"] == ("CLOSE_SIZE" if len(body) == 1 else "CLOSE_CODE")
    except UnicodeDecodeError:
        if case["status"] == "CLOSE_CODE":  # kedge reads the code first
            return
        fault = utf8_fault(body[2:])
        assert fault is not None
        assert case["status"] in UTF8_FAULTS[fault[0]]
        assert case["offset"] == 2 + fault[1]
    else:
        assert (case["status"], case["code"]) == ("OK", int(close.code))
        assert not body or close.serialize() == body


# What websockets takes or does not look at: the limits are ours (but for the message's), UTF-8 is
# checked above this layer, bytes behind a close are ignored, as is the shortest form of a length.
READER_LAX = {
    *("TOO_MANY_FRAGMENTS", "TOO_MANY_PINGS", "MESSAGE_TOO_LARGE", "AFTER_CLOSE"),
    *("FRAME_NOT_MINIMAL",),
}


def reader_items(items: str) -> list[tuple[str, bytes]]:
    found = []
    for item in filter(None, items.split("; ")):
        kind, _, data = item.partition(" ")
        if kind == "close":
            code, _, reason = data.partition(" ")
            head = b"" if code == "1005" else int(code).to_bytes(2, "big")
            found.append((kind, head + bytes.fromhex(reason)))
        else:
            found.append((kind, bytes.fromhex(data)))
    return found


@named("reader")
def test_reader(case: Case) -> None:
    status = case["status"]
    items = reader_items(case["items"])
    expected, peer = theirs(bytes_of(case), server=case["role"] == "server")
    fault = peer.parser_exc
    if str(fault) == "incomplete fragmented message" and items[-1:] == [close_of(peer)]:
        # A close may stand between the fragments of a message (RFC 6455, 5.4).
        items.pop()
        fault = None
    assert items == expected[: len(items)]
    if status == "PARTIAL":
        assert items == expected
        assert fault is None
    elif status not in READER_LAX and not status.startswith("UTF8_"):
        # A fault that kedge tells at its byte may wait here for the frame's end.
        assert fault is not None or len(expected) == len(items)


# ---- queries ----


@named("handshake_query")
def test_handshake_query(case: Case) -> None:
    pairs = parse_qsl(case["text"], keep_blank_values=True)
    # A name without a sign has no value, where Python has an empty one.
    ours = [part.partition("=")[::2] for part in case["pairs"].split(";") if part]
    if "%26" in case["text"]:  # what the case decodes to is written like a sign
        ours = [("a&b", "c=d")]
    if case["status"] == "HTTP_SYNTAX":  # Python takes a broken escape for text
        assert ours == pairs[: len(ours)]
        assert len(ours) < len(pairs)
    else:
        assert ours == pairs


# ---- handshakes ----

# Where websockets takes a request for an upgrade, or does not, and kedge says otherwise.
REQUEST_DIFFERS = {
    "Upgrade as a list": "a list of protocols is allowed (RFC 9110, 7.8)",
    "subprotocols over two headers, empty elements": "a slash is no character of a token, "
    "but kedge takes it for the sake of base64 in BlobHub's subprotocol",
    "a key with bits to spare": "a key has 16 bytes in one spelling",
}
# websockets looks neither at the host nor, without extensions of its own, at those asked for.
REQUEST_LAX = {"HTTP_HOST": "", "HTTP_SYNTAX": "an extension"}


@named("handshake_request")
def test_handshake_request(case: Case) -> None:
    upgrade = case["status"] == "OK" and case["upgrade"] == 1
    server = ServerProtocol()
    server.receive_data(bytes_of(case))
    events = server.events_received()
    if not events:
        assert not upgrade
        return
    assert case["status"] != "PARTIAL"
    assert isinstance(events[0], Request)
    code = server.accept(events[0]).status_code
    if (code == 101) == upgrade:
        assert not upgrade or events[0].path == case.get("target", events[0].path)
        return
    lax = REQUEST_LAX.get(case["status"])
    assert case["name"] in REQUEST_DIFFERS or (lax is not None and lax in case["name"])


# Where websockets takes an answer for an upgrade, or does not, and kedge says otherwise.
RESPONSE_DIFFERS = {
    "an empty list of extensions": "a list without elements asks for nothing",
    "an interim answer before": "1xx other than 101 is passed over (RFC 9110, 15.2)",
    "101 with a body": "an upgrade has no body",
    "101 with a chunked body": "an upgrade has no body",
    "a head over the limit": "the limit is the case's",
    "one header too many": "the limit is the case's",
}


@named("handshake_response")
def test_handshake_response(case: Case) -> None:
    offered = [Subprotocol(name) for name in case.get("offered", "").split()]
    client = ClientProtocol(parse_uri("ws://h/"), subprotocols=offered)
    client.key = "dGhlIHNhbXBsZSBub25jZQ=="
    client.receive_data(bytes_of(case))
    events = client.events_received()
    accepted = bool(events) and client.handshake_exc is None
    if accepted != (case["status"] == "OK"):
        assert case["name"] in RESPONSE_DIFFERS
    elif accepted:
        assert (client.subprotocol or "") == case.get("subprotocol", "")
    elif events and case["status"] == "UPGRADE_REFUSED" and "interim" not in case["name"]:
        assert isinstance(events[0], Response)
        assert events[0].status_code == case["code"]


# ---- envelopes ----

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


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes(name: str) -> None:
    for case in cases(name):
        value = envelope_value(case)
        assert case["status"] != "ENVELOPE_NOT_OBJECT" or not isinstance(value, dict), case
        if case["status"] != "OK" or case.get("kind") == "PING":
            continue
        assert isinstance(value, dict), case
        for claim, members in ENVELOPES[name].items():
            if claim in case:
                found = [value[member] for member in members if member in value]
                assert any(says(case[claim], each) for each in found), (claim, case)


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


# ---- zstd ----

# What zstandard says where it is not what kedge says.
ZSTD_DIFFERS = {
    "no content size, a huge window": "ZSTD_BROKEN",  # it reads no header with a window so large
    "the largest window": "ZSTD_BROKEN",  # likewise
    "2^64 - 1 bytes": "ZSTD_NO_SIZE",  # the number stands for that
}


@named("zstd")
def test_zstd(case: Case) -> None:
    limit, window = case.get("limit", 1000), case.get("window", COMMON_WINDOW)
    verdict, content = zstd_verdict(bytes_of(case), limit, window)
    assert verdict == ZSTD_DIFFERS.get(case["name"], case["status"])
    if verdict == "OK":
        assert content == bytes_of(case["content"])
    elif "measured" in case:
        header = zstandard.get_frame_parameters(bytes_of(case))
        assert header.content_size == case["measured"]
    if "prefix" in case:
        # RFC 8878, 3.1.1.2: the first block is raw, not the last, and as long as the prefix.
        frame, size = bytes_of(case), case["prefix"]
        at = zstandard.frame_header_size(frame)
        block = int.from_bytes(frame[at : at + 3], "little")
        assert size == 0 or block == size << 3
        assert size == 0 or frame[at + 3 : at + 3 + size] == content[:size]


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c["name"]) for c in cases("zstd") if "window" not in c],
)
def test_zstd_reaches_a_client_or_ends_its_connection(case: Case) -> None:
    """The window that a client takes is no setting of it."""
    client = live_client(compress=True, message_limit=case.get("limit", 1000))
    found = client.receive(bytes_of(case))
    content = bytes_of(case["content"]) if case["status"] == "OK" else b""
    if b'"ahoy"' in content:
        other = live_client(message_limit=case.get("limit", 1000))
        plain = other.receive(content.decode())
        assert found == plain != []
        assert not isinstance(found[0], Closed)
    else:
        (closed,) = found
        assert isinstance(closed, Closed)
        # What is no event of the gateway is refused as such.
        assert (closed.cause == case["status"]) == (case["status"] != "OK")
        assert client.receive(content) == []
