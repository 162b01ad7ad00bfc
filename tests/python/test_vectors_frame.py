"""The vectors of frames and of the reader beside a second opinion: websockets.

The C suites hold kedge against the same files. Where the second opinion differs, a table or the
comment beside the test says which rule it is.
"""

from __future__ import annotations

from collections.abc import Generator

from test_differential_core import (
    close_of,
    theirs,
)
from vectors import UTF8_FAULTS, Case, bytes_of, named, utf8_fault
from websockets.exceptions import (
    PayloadTooBig,
    ProtocolError,
)
from websockets.frames import Close, Frame


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


# What websockets says, and what kedge calls that.
FRAME_FAULTS = {
    "reserved bits must be 0": {"FRAME_RESERVED"},
    "invalid opcode": {"FRAME_OPCODE"},
    "fragmented control frame": {"FRAME_CONTROL_FRAGMENTED"},
    "control frame too long": {"FRAME_CONTROL_SIZE"},
    "incorrect masking": {"FRAME_MASK_MISSING", "FRAME_MASK_UNEXPECTED"},
    "expected a continuation frame": {"FRAME_SEQUENCE"},
    "unexpected continuation frame": {"FRAME_SEQUENCE"},
    "close frame too short": {"CLOSE_SIZE"},
    "invalid status code": {"CLOSE_CODE"},
}
NOT_MINIMAL = "RFC 6455, 5.2: the minimal number of bytes must be used"
NO_SIGN = "RFC 6455, 5.2: the most significant bit must be 0"
AT_ITS_BYTE = "kedge tells it at its byte, websockets when the header is complete"
# Cases where websockets says something else, and which rule it is.
FRAME_DIFFERS = {
    "125 in two bytes": NOT_MINIMAL,
    "0 in two bytes": NOT_MINIMAL,
    "65535 in eight bytes": NOT_MINIMAL,
    "0 in eight bytes": NOT_MINIMAL,
    "a length of 2^63": NO_SIGN,
    "the longest length that can be written": NO_SIGN,
    "a close with a length in eight bytes": AT_ITS_BYTE,
    "a ping with a length in eight bytes": AT_ITS_BYTE,
    "a pong with a length in eight bytes": AT_ITS_BYTE,
    "a reserved bit is found before an unknown opcode": "two faults in one byte",
}


def frame_verdict(data: bytes, case: Case) -> str:
    """What websockets says, in kedge's words: a set of them where it has but one."""
    try:
        frame, size, ends = header_of(data, masked=case["receiver"] == "server")
    except ShortError:
        return "PARTIAL"
    except ProtocolError as fault:
        found = FRAME_FAULTS[str(fault)]
        return case["status"] if case["status"] in found else " or ".join(sorted(found))
    if case["status"] == "OK":
        assert (case["offset"], case["payload_size"]) == (ends, size)
        assert (case["fin"], case["opcode"]) == (int(frame.fin), int(frame.opcode))
    return "OK"


@named("frame")
def test_frame(case: Case) -> None:
    data = bytearray(bytes_of(case))
    if data and "reserved" in case and case["status"] == "OK":
        data[0] &= 0x8F  # websockets allows them to extensions only
    agrees = frame_verdict(bytes(data), case) == case["status"]
    assert agrees == (case["name"] not in FRAME_DIFFERS)


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


THE_CALLERS = "the limit is the caller's; websockets has another one"
AFTER_CLOSE = "RFC 6455, 5.5.1: nothing follows a close; websockets ignores what does"
BEFORE_THE_END = "websockets tells it, above this layer, when the frame is complete"
# Cases, masked or not, where websockets says something else, and which rule it is.
READER_DIFFERS = {
    "5 bytes announced in two": NOT_MINIMAL,
    "a length of 2^63": NO_SIGN,
    "a close within a message": "RFC 6455, 5.4: a control frame may stand between fragments",
    "a message behind a close": AFTER_CLOSE,
    "a second close": AFTER_CLOSE,
    "one byte behind a close": AFTER_CLOSE,
    "a bad byte before the frame is complete": BEFORE_THE_END,
    "a bad byte in a frame whose length is a megabyte": BEFORE_THE_END,
    "a frame over the frame limit": THE_CALLERS,
    "a frame over the message limit": THE_CALLERS,
    "fragments over the message limit": THE_CALLERS,
    "one fragment too many": THE_CALLERS,
    "empty fragments count": THE_CALLERS,
    "a limit of one allows no fragments": THE_CALLERS,
    "one unanswered ping too many": THE_CALLERS,
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


def reader_verdict(case: Case, expected: list[tuple[str, bytes]], fault: object) -> str:
    """What websockets says, and Python of the text behind the last item, in kedge's words."""
    status: str = case["status"]
    items = reader_items(case["items"])
    found: set[str]
    if isinstance(fault, PayloadTooBig):
        found = {"MESSAGE_TOO_LARGE"}
    elif isinstance(fault, UnicodeDecodeError):
        found = UTF8_FAULTS[fault.reason]
    elif fault is not None:
        found = FRAME_FAULTS.get(str(fault), set())
    elif len(expected) > len(items) and expected[len(items)][0] == "text":
        wrong = utf8_fault(expected[len(items)][1])
        found = {"OK"} if wrong is None else UTF8_FAULTS[wrong[0]]
    else:
        found = {"PARTIAL"} if items == expected else {"OK"}
    return status if status in found else " or ".join(sorted(found))


@named("reader")
def test_reader(case: Case) -> None:
    items = reader_items(case["items"])
    expected, peer = theirs(bytes_of(case), server=case["role"] == "server")
    name = case["name"].removesuffix(", masked").removesuffix(", unmasked")
    if name == "a close within a message":  # websockets has no item for it
        items.remove(close_of(peer))
    assert items == expected[: len(items)]
    agrees = reader_verdict(case, expected, peer.parser_exc) == case["status"]
    assert agrees == (name not in READER_DIFFERS)
