"""The C core beside others that do the same: Python's own UTF-8 and JSON, websockets' frames, and
zstandard.

Texts and streams are made from a seed; where the two differ, the test says which rule it is. The
library is the shared one of the C build, called by ctypes: nothing of the binding stands between.
"""

from __future__ import annotations

import ctypes
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

ROOT = Path(__file__).resolve().parents[2]
DEPTH = 60  # of nesting: far below what Python's json can take


class Span(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Result(ctypes.Structure):
    _fields_ = (("status", ctypes.c_int), ("offset", ctypes.c_size_t))


class Value(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("escaped", ctypes.c_bool), ("raw", Span))


class Allocator(ctypes.Structure):
    _fields_ = (("resize", ctypes.c_void_p), ("context", ctypes.c_void_p))


class Config(ctypes.Structure):
    _fields_ = (
        ("role", ctypes.c_int),
        ("mode", ctypes.c_int),
        ("frame_limit", ctypes.c_uint64),
        ("message_limit", ctypes.c_uint64),
        ("fragment_limit", ctypes.c_uint32),
        ("ping_limit", ctypes.c_uint32),
    )


class Item(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("first", ctypes.c_bool),
        ("last", ctypes.c_bool),
        ("code", ctypes.c_uint16),
        ("data", Span),
    )


class Limits(ctypes.Structure):
    _fields_ = (("content_size", ctypes.c_uint64), ("window_size", ctypes.c_uint64))


class Tail(ctypes.Structure):
    _fields_ = (
        ("blocks", Span),
        ("content_size", ctypes.c_uint64),
        ("window_descriptor", ctypes.c_uint8),
    )


def load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(ROOT / "build/c/libkedge.so"))
    library.kedge_status_name.restype = ctypes.c_char_p
    library.kedge_utf8_validate.restype = Result
    library.kedge_utf8_validate.argtypes = (Span,)
    library.kedge_json_validate.restype = Result
    library.kedge_json_validate.argtypes = (Span, ctypes.c_size_t)
    library.kedge_json_begin.argtypes = (ctypes.c_void_p, Span, ctypes.c_void_p)
    library.kedge_json_begin.restype = None
    library.kedge_json_read.argtypes = (ctypes.c_void_p, ctypes.POINTER(Value))
    library.kedge_json_read.restype = ctypes.c_bool
    library.kedge_json_text.argtypes = (
        *(Value, ctypes.c_char_p, ctypes.c_size_t),
        ctypes.POINTER(ctypes.c_size_t),
    )
    library.kedge_json_integer.argtypes = (Value, ctypes.POINTER(ctypes.c_int64))
    library.kedge_json_unsigned.argtypes = (Value, ctypes.POINTER(ctypes.c_uint64))
    library.kedge_allocator_default.restype = Allocator
    library.kedge_reader_config_default.restype = Config
    library.kedge_reader_init.argtypes = (ctypes.c_void_p, ctypes.POINTER(Config), Allocator)
    library.kedge_reader_feed_const.argtypes = (ctypes.c_void_p, Span)
    library.kedge_reader_next.argtypes = (ctypes.c_void_p, ctypes.POINTER(Item))
    library.kedge_reader_release.argtypes = (ctypes.c_void_p,)
    library.kedge_reader_release.restype = None
    library.kedge_zstd_encoder_create.argtypes = (
        *(ctypes.POINTER(ctypes.c_void_p), Allocator, ctypes.c_int),
    )
    library.kedge_zstd_encoder_free.argtypes = (ctypes.c_void_p,)
    library.kedge_zstd_encoder_free.restype = None
    library.kedge_zstd_decoder_create.argtypes = (ctypes.POINTER(ctypes.c_void_p), Allocator)
    library.kedge_zstd_decoder_free.argtypes = (ctypes.c_void_p,)
    library.kedge_zstd_decoder_free.restype = None
    library.kedge_zstd_encode_tail.argtypes = (
        *(ctypes.c_void_p, Span, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Tail)),
    )
    library.kedge_zstd_splice_head.argtypes = (Span, ctypes.POINTER(Tail), ctypes.c_char_p)
    library.kedge_zstd_splice_head.restype = ctypes.c_size_t
    library.kedge_zstd_decode.argtypes = (
        *(ctypes.c_void_p, Span, Limits, ctypes.c_char_p, ctypes.c_size_t),
        ctypes.POINTER(ctypes.c_size_t),
    )
    return library


@pytest.fixture(scope="module")
def core() -> ctypes.CDLL:
    return load()


def span_of(data: bytes) -> Span:
    """The caller keeps `data` alive."""
    return Span(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data))


def name_of(core: ctypes.CDLL, status: int) -> str:
    return str(core.kedge_status_name(status).decode())


def cases(name: str) -> list[bytes]:
    """The inputs of a vector file that are not very long."""
    found = []
    for case in json.loads((ROOT / f"tests/vectors/{name}.json").read_text())["cases"]:
        if "hex" in case:
            found.append(bytes.fromhex(case["hex"]))
        elif "times" not in case:
            found.append(case["text"].encode("utf-8", "surrogatepass"))
    return found


def changed(source: random.Random, data: bytes, alphabet: bytes) -> bytes:
    """The same with a few bytes replaced, left out, put in or doubled."""
    text = bytearray(data)
    for _ in range(source.randrange(4)):
        at = source.randrange(len(text) + 1)
        match source.randrange(4):
            case 0:
                text[at : at + 1] = bytes([source.choice(alphabet)])
            case 1:
                text[at:at] = bytes([source.choice(alphabet)])
            case 2:
                del text[at : at + source.randrange(1, 4)]
            case _:
                text[at:at] = text[max(0, at - 5) : at]
    return bytes(text)


# ---- UTF-8 ----


def utf8_inputs() -> Iterator[bytes]:
    source = random.Random(1)
    edges = bytes([0, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0])
    edges += bytes([0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF])
    known = cases("utf8")
    for _ in range(20_000):
        yield bytes(source.choices(edges, k=source.randrange(12)))
        yield changed(source, source.choice(known), edges)


def python_fault(text: bytes) -> int | None:
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        return fault.start
    return None


def test_utf8_is_what_python_takes_it_for(core: ctypes.CDLL) -> None:
    for text in utf8_inputs():
        result = core.kedge_utf8_validate(span_of(text))
        begin = python_fault(text)
        if begin is None:
            assert (result.status, result.offset) == (0, len(text)), text
        else:
            # Python names the character's first byte, kedge the byte that cannot continue it.
            assert result.status != 0, text
            assert begin <= result.offset <= begin + 3, text


# ---- JSON ----

LETTERS = b'{}[]:,"\\/bfnrtu0123456789aAdDeEfF.+-xX \t\n\r\x00\x1f\xc3\xa9\xed\xa0\x80'


def refused(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def python_value(text: bytes) -> object:
    """What Python reads: strictly UTF-8, and without the words that it takes besides JSON."""
    return json.loads(text.decode(), parse_constant=refused)


def has_lone_surrogate(value: object) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return any(has_lone_surrogate(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(map(has_lone_surrogate, value))


def json_inputs() -> Iterator[bytes]:
    source = random.Random(2)
    known = cases("json") + cases("gateway_envelope")
    yield from known
    for _ in range(30_000):
        yield changed(source, source.choice(known), LETTERS)
        yield bytes(source.choices(LETTERS, k=source.randrange(8)))


def test_json_is_what_python_takes_it_for(core: ctypes.CDLL) -> None:
    good = 0
    for text in json_inputs():
        if text.count(b"[") + text.count(b"{") > DEPTH:
            continue
        name = name_of(core, core.kedge_json_validate(span_of(text), DEPTH).status)
        try:
            value = python_value(text)
        except ValueError:
            assert name != "OK", text
            continue
        # Python takes the escape of half a character; it has a place for it.
        assert name in ("OK", "JSON_LONE_SURROGATE"), text
        if name == "OK":
            assert not has_lone_surrogate(value), text
            good += 1
    assert good > 1000


def read_value(core: ctypes.CDLL, text: bytes) -> Value:
    reader = ctypes.create_string_buffer(4096)
    value = Value()
    core.kedge_json_begin(reader, span_of(text), None)
    assert core.kedge_json_read(reader, ctypes.byref(value))
    return value


def test_texts_are_decoded_as_by_python(core: ctypes.CDLL) -> None:
    source = random.Random(3)
    characters = '\x00\x1f "\\/bé€😀\U0010ffff\x7f'
    for number in range(5_000):
        text = "".join(source.choices(characters, k=source.randrange(20)))
        raw = json.dumps(text, ensure_ascii=number % 2 == 0).encode()
        buffer = ctypes.create_string_buffer(len(raw))
        size = ctypes.c_size_t()
        value = read_value(core, raw)
        assert core.kedge_json_text(value, buffer, len(raw), ctypes.byref(size)) == 0
        assert buffer.raw[: size.value].decode() == text


def test_integers_are_those_of_python(core: ctypes.CDLL) -> None:
    source = random.Random(4)
    edges = [0, 1 << 31, 1 << 32, 1 << 53, 1 << 63, 1 << 64, 10**18, 10**19]
    for _ in range(5_000):
        number = (source.choice(edges) + source.randrange(-3, 4)) * source.choice((-1, 1))
        raw = str(number).encode()
        value = read_value(core, raw)
        signed, unsigned = ctypes.c_int64(), ctypes.c_uint64()
        status = core.kedge_json_integer(value, ctypes.byref(signed))
        assert (status == 0) == (-(1 << 63) <= number < 1 << 63)
        assert status != 0 or signed.value == number
        status = core.kedge_json_unsigned(value, ctypes.byref(unsigned))
        assert (status == 0) == (0 <= number < 1 << 64)
        assert status != 0 or unsigned.value == number


# ---- frames ----

KINDS = ("text", "binary", "ping", "pong", "close")
Events = list[tuple[str, bytes]]


def ours(core: ctypes.CDLL, stream: bytes, *, server: bool) -> tuple[Events, str]:
    """What the reader makes of it, and the status that it ends with."""
    reader = ctypes.create_string_buffer(1024)
    config = core.kedge_reader_config_default(int(server))
    assert core.kedge_reader_init(reader, ctypes.byref(config), core.kedge_allocator_default()) == 0
    assert core.kedge_reader_feed_const(reader, span_of(stream)) == 0
    events: Events = []
    item = Item()
    while (status := core.kedge_reader_next(reader, ctypes.byref(item))) == 0:
        data = ctypes.string_at(item.data.data, item.data.size) if item.data.size else b""
        if item.kind == KINDS.index("close") and item.code != 1005:
            data = struct.pack("!H", item.code) + data
        events.append((KINDS[item.kind], data))
    core.kedge_reader_release(reader)
    return events, name_of(core, status)


def joined(frames: list[Frame]) -> Events:
    """Messages and control frames, in the order in which they end."""
    events: Events = []
    kind, parts = "", b""
    for frame in frames:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            kind, parts = frame.opcode.name.lower(), b""
        if frame.opcode >= Opcode.CLOSE:
            events.append((frame.opcode.name.lower(), bytes(frame.data)))
            continue
        parts += frame.data
        if frame.fin:
            events.append((kind, parts))
    return events


def theirs(stream: bytes, *, server: bool) -> tuple[Events, Protocol]:
    peer: Protocol = (
        ServerProtocol(state=OPEN, max_size=1 << 20)
        if server
        else ClientProtocol(parse_uri("ws://h/"), state=OPEN, max_size=1 << 20)
    )
    peer.receive_data(stream)
    return joined([event for event in peer.events_received() if isinstance(event, Frame)]), peer


def frame_of(source: random.Random, *, server: bool) -> bytes:
    """A frame, mostly one that may stand there."""
    opcode = source.choices((1, 2, 0, 9, 10, 8, 5), (6, 3, 6, 2, 2, 1, 0.1))[0]
    fin = source.random() < (0.5 if opcode < 3 else 0.99)
    payload = b""
    if opcode == 8:
        code = source.choice((1000, 1001, 1005, 1006, 1012, 1015, 3000, 4999, 5000, 999))
        payload = source.choice((b"", b"\3", struct.pack("!H", code) + b"why"))
    elif opcode == 1 or source.random() < 0.5:
        payload = source.choice((b"", b"text", "é€😀".encode(), b"\xff", b"x" * 126))
    else:
        payload = source.randbytes(source.choice((0, 1, 5, 125, 126, 300)))
    reserved = source.choice((0x10, 0x40)) if source.random() < 0.02 else 0
    masked = server if source.random() < 0.98 else not server
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126 and source.random() < 0.98:
        head += bytes([mask_bit | size])
    elif size < 65536 and source.random() < 0.98:
        head += struct.pack("!BH", mask_bit | 126, size)
    else:
        head += struct.pack("!BQ", mask_bit | 127, size | (source.random() < 0.3) << 63)
    if masked:
        key = source.randbytes(4)
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        head += key
    return head + payload


def close_of(peer: Protocol) -> tuple[str, bytes]:
    assert peer.close_rcvd is not None
    return "close", peer.close_rcvd.serialize() if peer.close_rcvd.code != 1005 else b""


# What kedge refuses and websockets takes: it does not ask for the shortest form of a length (of a
# control frame kedge calls that its size), nor, in this layer, for UTF-8 in a text; what follows a
# close it ignores.
STRICTER = {"FRAME_NOT_MINIMAL", "FRAME_CONTROL_SIZE", "AFTER_CLOSE"}


@pytest.mark.parametrize("server", [True, False], ids=["server", "client"])
def test_frames_are_what_websockets_takes_them_for(core: ctypes.CDLL, server: bool) -> None:
    source = random.Random(5)
    seen: dict[str, int] = {}
    for _ in range(6_000):
        frames = [frame_of(source, server=server) for _ in range(source.randrange(1, 8))]
        cut = source.choice((0, 0, 0, 1, 3))
        stream = b"".join(frames)[: -cut or None]
        events, status = ours(core, stream, server=server)
        expected, peer = theirs(stream, server=server)
        seen[status] = seen.get(status, 0) + 1
        fault = peer.parser_exc
        if str(fault) == "incomplete fragmented message" and events[-1:] == [close_of(peer)]:
            # A close may stand between the fragments of a message (RFC 6455, 5.4): websockets does
            # not take it there.
            events.pop()
            fault = None
        assert events == (expected if status == "PARTIAL" else expected[: len(events)]), stream
        if status == "PARTIAL":
            assert fault is None, (stream, fault)
        elif status not in STRICTER and not status.startswith("UTF8_"):
            # kedge tells a fault at its byte, websockets when the frame is complete.
            assert fault is not None or cut, (stream, status)
    # None of the differences is the rule, and every common fault was met.
    assert seen["PARTIAL"] > 500
    assert {"FRAME_SEQUENCE", "FRAME_RESERVED", "CLOSE_CODE", "CLOSE_SIZE"} <= seen.keys()


# ---- zstd ----

COMMON_WINDOW = 8 << 20


def zstd_verdict(frame: bytes, limit: int, window: int) -> tuple[str, bytes]:
    """What zstandard says of a frame, by the rules of kedge/zstd.h and in their order; and what it
    holds."""
    if 0x184D2A50 <= int.from_bytes(frame[:4], "little") <= 0x184D2A5F:
        return "ZSTD_SKIPPABLE", b""
    try:
        header = zstandard.get_frame_parameters(frame)
    except zstandard.ZstdError:
        return "ZSTD_BROKEN", b""
    if header.dict_id != 0:
        return "ZSTD_DICTIONARY", b""
    if header.content_size == zstandard.CONTENTSIZE_UNKNOWN:
        return "ZSTD_NO_SIZE", b""
    if header.content_size > limit:
        return "ZSTD_TOO_LARGE", b""
    is_single_segment = frame[4] & 0x20 != 0
    if not is_single_segment and header.window_size > window:
        return "ZSTD_WINDOW", b""
    decoder = zstandard.ZstdDecompressor().decompressobj()
    try:
        content = decoder.decompress(frame)
    except zstandard.ZstdError:
        return "ZSTD_BROKEN", b""
    if not decoder.eof:
        return "ZSTD_BROKEN", b""
    return "ZSTD_TRAILING" if decoder.unused_data else "OK", content


def zstd_contents(source: random.Random) -> Iterator[bytes]:
    """Like events, noise, and runs; small ones mostly."""
    words = [b'{"id":', b'"author":', b"hello ", b'",', b"true", b"1730000000", "\u20ac".encode()]
    for number in range(400):
        size = source.choice((5, 60, 300, 300, 3000, 140_000 if number % 20 == 0 else 900))
        match number % 3:
            case 0:
                yield source.randbytes(size)
            case 1:
                yield bytes([source.randrange(256)]) * size
            case _:
                yield b"".join(source.choices(words, k=size // 6))


def test_a_splice_is_a_frame_to_zstandard(core: ctypes.CDLL) -> None:
    source = random.Random(6)
    decoder = zstandard.ZstdDecompressor(max_window_size=COMMON_WINDOW)
    for number, content in enumerate(zstd_contents(source)):
        encoder = ctypes.c_void_p()
        level = (-5, 1, 3, 9)[number % 4]
        allocator = core.kedge_allocator_default()
        assert core.kedge_zstd_encoder_create(ctypes.byref(encoder), allocator, level) == 0
        room = len(content) + len(content) // 200 + 1000
        memory, tail = ctypes.create_string_buffer(room), Tail()
        status = core.kedge_zstd_encode_tail(
            *(encoder, span_of(content), memory, room, ctypes.byref(tail))
        )
        assert status == 0
        core.kedge_zstd_encoder_free(encoder)
        blocks = ctypes.string_at(tail.blocks.data, tail.blocks.size)
        for _ in range(3):  # one tail, many beginnings
            prefix = source.randbytes(source.randrange(41))
            head = ctypes.create_string_buffer(57)
            size = core.kedge_zstd_splice_head(span_of(prefix), ctypes.byref(tail), head)
            frame = head.raw[:size] + blocks
            whole = prefix + content
            header = zstandard.get_frame_parameters(frame)
            assert (header.content_size, header.window_size) == (len(whole), len(whole))
            assert (header.dict_id, header.has_checksum) == (0, False)
            assert decoder.decompress(frame, allow_extra_data=False) == whole
            assert zstd_verdict(frame, len(whole), COMMON_WINDOW) == ("OK", whole)


def zstd_frames(source: random.Random) -> Iterator[bytes]:
    """Frames as zstandard makes them, of every form, and their like with a few bits changed."""
    dictionary = zstandard.ZstdCompressionDict(b"hello " * 50)
    for number, content in enumerate(zstd_contents(source)):
        options: dict[str, object] = {
            "level": source.choice((-5, 1, 3, 9)),
            "write_checksum": source.random() < 0.3,
            "write_content_size": source.random() < 0.9,
        }
        if number % 10 == 0:
            options["dict_data"] = dictionary
        frame = zstandard.ZstdCompressor(**options).compress(content)
        yield frame
        yield frame + source.choice((b"\0", frame, frame[:5]))
        yield frame[: source.randrange(len(frame))]
        for _ in range(8):
            damaged = bytearray(frame)
            for _ in range(source.randrange(1, 4)):
                most = source.choice((12, len(damaged)))
                damaged[source.randrange(min(most, len(damaged)))] ^= 1 << source.randrange(8)
            yield bytes(damaged)


# What kedge says, and zstandard: the headers of the blocks tell kedge that more follows, before one
# of them is decoded; and zstandard's libzstd may find damage within a compressed block (reserved
# bits that are set, bits to spare) that the one that kedge is linked to, of another version,
# overlooks.
ZSTD_DIFFERS = {("ZSTD_TRAILING", "ZSTD_BROKEN"), ("OK", "ZSTD_BROKEN")}


def has_huge_window(frame: bytes) -> bool:
    """libzstd reads no header with a window from 2 GiB on."""
    return frame[4] & 0x20 == 0 and frame[5] >> 3 >= 21


def test_frames_of_zstd_are_what_zstandard_takes_them_for(core: ctypes.CDLL) -> None:
    source = random.Random(7)
    limit = 100_000
    out = ctypes.create_string_buffer(limit)
    decoder = ctypes.c_void_p()
    allocator = core.kedge_allocator_default()
    assert core.kedge_zstd_decoder_create(ctypes.byref(decoder), allocator) == 0
    seen: dict[str, int] = {}
    overlooked = 0
    for frame in zstd_frames(source):
        size = ctypes.c_size_t()
        status = core.kedge_zstd_decode(
            *(decoder, span_of(frame), Limits(limit, COMMON_WINDOW), out, limit),
            ctypes.byref(size),
        )
        name = name_of(core, status)
        seen[name] = seen.get(name, 0) + 1
        verdict, content = zstd_verdict(frame, limit, COMMON_WINDOW)
        if name != verdict and (name, verdict) not in ZSTD_DIFFERS:
            assert verdict == "ZSTD_BROKEN", frame.hex()
            assert has_huge_window(frame), frame.hex()
        assert verdict != "OK" or out.raw[: size.value] == content
        overlooked += (name, verdict) == ("OK", "ZSTD_BROKEN")
    core.kedge_zstd_decoder_free(decoder)
    assert overlooked <= 10
    assert seen["OK"] > 300
    assert seen.keys() >= {"ZSTD_BROKEN", "ZSTD_NO_SIZE", "ZSTD_TOO_LARGE", "ZSTD_TRAILING"}
