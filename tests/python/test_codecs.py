"""Messages decoded and encoded without a link, of all four protocols."""

from __future__ import annotations

import copy
import gc
import json
import math
import pickle
import random
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from kedge import (
    ArgumentError,
    DecodeError,
    Envelope,
    LimitError,
    _core,
    blobhub,
    flowlayer,
    gateway,
    messaging,
)
from vectors import Case, bytes_of, cases, named

MODULES: dict[str, Any] = {
    "gateway": gateway,
    "flowlayer": flowlayer,
    "messaging": messaging,
    "blobhub": blobhub,
}


def text_of(view: memoryview | None) -> str | None:
    return None if view is None else bytes(view).decode()


def id_of(protocol: str, claimed: str | None) -> object:
    """FlowLayer's vectors have the text itself, the others JSON."""
    if claimed is None or protocol == "flowlayer":
        return claimed
    return json.loads(claimed)


def check(protocol: str, case: Case, text: bytes | str) -> None:
    decode = MODULES[protocol].decode
    if case["status"] != "OK":
        with pytest.raises(DecodeError) as caught:
            decode(text)
        assert (caught.value.kind, caught.value.offset) == (case["status"], case["offset"])
        assert caught.value.status is caught.value.kind
        assert caught.value.id == id_of(protocol, case.get("id"))
        return
    envelope = decode(text)
    kind = case.get("kind", "NONE")
    assert envelope.protocol == protocol
    assert envelope.kind == (None if kind == "NONE" else kind.lower())
    assert envelope.type == (None if protocol == "blobhub" else case.get("type"))
    called = case.get("type") if protocol in ("gateway", "blobhub") else case.get("called")
    assert envelope.name == called
    assert envelope.id == id_of(protocol, case.get("id"))
    assert envelope.seq == case.get("seq", case.get("sequence"))
    time = case.get("time")
    assert envelope.time == (None if time is None else json.loads(time))
    payload = case.get("d", case.get("payload"))
    assert text_of(envelope.payload) == payload
    assert bytes(envelope.raw) == bytes_of(case)
    if payload is not None:
        assert envelope.data == json.loads(payload)
    error = case.get("error")
    assert envelope.error == (None if error is None else json.loads(error))
    assert envelope == decode(text)
    assert hash(envelope) == hash(decode(text))
    assert pickle.loads(pickle.dumps(envelope)) == envelope


def check_case(protocol: str, case: Case) -> None:
    text = bytes_of(case)
    check(protocol, case, text)
    check(protocol, case, bytes(text))
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return
    check(protocol, case, characters)


@named("gateway_envelope")
def test_the_vectors_of_the_gateway(case: Case) -> None:
    check_case("gateway", case)


@named("flowlayer_envelope")
def test_the_vectors_of_flowlayer(case: Case) -> None:
    check_case("flowlayer", case)


@named("messaging_envelope")
def test_the_vectors_of_the_messenger(case: Case) -> None:
    check_case("messaging", case)


@named("blobhub_envelope")
def test_the_vectors_of_blobhub(case: Case) -> None:
    check_case("blobhub", case)


# ---- batches ----


def check_element(element: Envelope | DecodeError, claimed: Case) -> None:
    if claimed["status"] == "OK":
        assert isinstance(element, Envelope)
        assert str(element.kind).upper() == claimed["kind"]
    else:
        assert isinstance(element, DecodeError)
        assert (element.kind, element.offset) == (claimed["status"], claimed["offset"])
    assert element.id == (json.loads(claimed["id"]) if "id" in claimed else None)


@named("blobhub_batch")
def test_the_vectors_of_batches(case: Case) -> None:
    def read() -> Envelope | list[Envelope | DecodeError]:
        return blobhub.decode_batch(bytes_of(case), limit=case["limit"])

    if case["status"] == "LIMIT":
        with pytest.raises(LimitError):
            read()
    elif case["status"] != "OK":
        with pytest.raises(DecodeError) as caught:
            read()
        assert (caught.value.kind, caught.value.offset) == (case["status"], case["offset"])
    elif case["array"]:
        found = read()
        assert isinstance(found, list)
        assert len(found) == len(case["elements"])
        for element, claimed in zip(found, case["elements"], strict=True):
            check_element(element, claimed)
    else:
        (claimed,) = case["elements"]
        try:
            found = read()
        except DecodeError as error:
            check_element(error, claimed)
        else:
            assert isinstance(found, Envelope)
            check_element(found, claimed)


def test_an_element_knows_its_own_part_of_the_text() -> None:
    one = blobhub.encode("request", "a", {"n": 1}, id=1)
    two = blobhub.encode("notification", "b")
    found = blobhub.decode_batch(b" [" + one + b" , " + two + b"] ")
    assert isinstance(found, list)
    assert [bytes(each.raw) for each in found if isinstance(each, Envelope)] == [one, two]
    assert pickle.loads(pickle.dumps(found)) == found


def test_elements_have_the_decoder() -> None:
    batch = blobhub.encode_batch([blobhub.encode("request", "a", {"n": 1}, id=1)])
    found = blobhub.decode_batch(batch, decoder=len)
    assert isinstance(found, list)
    assert isinstance(found[0], Envelope)
    assert found[0].data == len('{"n":1}')
    single = blobhub.decode_batch(batch[1:-1].decode(), decoder=len)
    assert isinstance(single, Envelope)
    assert single.data == len('{"n":1}')


def test_a_batch_is_joined_of_messages_that_are_whole() -> None:
    messages = [
        blobhub.encode("request", "a", [1], id="x"),
        blobhub.encode("response", payload=b"null", id=2).decode(),
        bytearray(blobhub.encode("notification", "b")),
    ]
    batch = blobhub.encode_batch(iter(messages))
    assert batch == (
        b'[{"jsonrpc":"2.0","id":"x","method":"a","params":[1]},'
        b'{"jsonrpc":"2.0","id":2,"result":null},{"jsonrpc":"2.0","method":"b"}]'
    )
    found = blobhub.decode_batch(batch)
    assert isinstance(found, list)
    assert [each.id for each in found] == ["x", 2, None]


def test_what_is_no_message_is_not_joined() -> None:
    with pytest.raises(ArgumentError, match="one message at least"):
        blobhub.encode_batch([])
    with pytest.raises(DecodeError):
        blobhub.encode_batch([b"[]"])
    with pytest.raises(TypeError, match="str or bytes"):
        blobhub.encode_batch([1])
    with pytest.raises(TypeError):
        blobhub.encode_batch(1)


def test_the_options_of_a_batch_are_checked() -> None:
    with pytest.raises(TypeError, match="decoder must be callable"):
        blobhub.decode_batch(b"[]", decoder=1)
    with pytest.raises(ArgumentError, match="limit"):
        blobhub.decode_batch(b"[]", limit=-1)
    with pytest.raises(ArgumentError, match="limit is zero"):
        blobhub.decode_batch(b"[]", limit=0)
    with pytest.raises(TypeError, match="str or bytes"):
        blobhub.decode_batch(1)
    with pytest.raises(TypeError, match="message"):
        blobhub.decode_batch()


# ---- fields ----


def test_a_message_may_be_any_kind_of_bytes_or_str() -> None:
    text = '{"type":"grüße","seq":1,"d":{"a":"ü"}}'

    class Text(str):
        __slots__ = ()

    class Bytes(bytes):
        pass

    data = text.encode()
    forms = [text, Text(text), data, Bytes(data), bytearray(data), memoryview(data)]
    found = [gateway.decode(form) for form in forms]
    assert {envelope.name for envelope in found} == {"grüße"}
    assert all(envelope == found[0] and envelope.data == {"a": "ü"} for envelope in found)
    with pytest.raises(TypeError, match="a message is str or bytes, not int"):
        gateway.decode(1)


def test_bytes_that_change_later_were_copied() -> None:
    data = bytearray(b'{"type":"x","d":[1]}')
    envelope = gateway.decode(data)
    data[:] = b"*" * len(data)
    assert envelope.data == [1]
    assert envelope.name == "x"


def test_a_lone_surrogate_is_the_peers_fault() -> None:
    with pytest.raises(DecodeError) as caught:
        gateway.decode('{"type":"x","d":"\ud800"}')
    assert caught.value.kind == "UTF8_SURROGATE"


def test_the_envelope_lives_on_without_its_text() -> None:
    envelope = gateway.decode(b'{"type":"na' + b'me","seq":7,"d":{"a":' + b"1}}")
    payload = envelope.payload
    assert payload is not None
    assert payload.readonly
    del envelope
    gc.collect()
    assert bytes(payload) == b'{"a":1}'


def test_its_buffer_is_the_payload() -> None:
    envelope = gateway.decode(b'{"type":"x","d":[1]}')
    assert bytes(envelope) == b"[1]"
    view = memoryview(envelope)
    assert view.obj is envelope
    with pytest.raises(BufferError, match="no payload"):
        memoryview(gateway.decode(b'{"type":"x"}'))
    assert gateway.decode(b'{"type":"x"}').payload is None


def test_names_are_made_once_and_may_be_any() -> None:
    once = gateway.decode(b'{"type":"message_create"}')
    again = gateway.decode(b'{"type":"message_create"}')
    assert once.name is again.name
    assert once.name is once.name
    assert once.type == "message_create"
    long = "n" * 100
    assert gateway.decode(json.dumps({"type": long})).name == long
    escaped = "\\u00e9" * 100
    assert gateway.decode(f'{{"type":"{escaped}"}}').name == "é" * 100
    assert gateway.decode(b'{"type":""}').name == ""
    assert gateway.decode('{"type":"é"}').name == "é"
    for i in range(2000):
        assert gateway.decode(f'{{"type":"name{i}"}}').name == f"name{i}"


@pytest.mark.parametrize(
    ("id", "found"),
    [
        ("7", 7),
        ("-7", -7),
        ("1.5", 1.5),
        ("18446744073709551616", 2**64),
        ("1e400", math.inf),
        ("9" * 5000, "9" * 5000),
        ('"\\u00e9"', "é"),
    ],
)
def test_ids_are_what_python_can_have(id: str, found: object) -> None:
    limit = sys.get_int_max_str_digits()
    assert 0 < limit < 5000
    assert blobhub.decode(f'{{"jsonrpc":"2.0","id":{id},"method":"m"}}').id == found


def test_an_error_of_blobhub_is_decoded() -> None:
    text = blobhub.encode("response", id=1, error={"code": 400, "message": "no"})
    envelope = blobhub.decode(text)
    assert envelope.kind == "response"
    assert envelope.error == {"code": 400, "message": "no"}
    assert (envelope.payload, envelope.data) == (None, None)
    assert blobhub.decode(text, decoder=bytes.decode).error == '{"code":400,"message":"no"}'


def test_data_is_decoded_once_and_by_choice() -> None:
    seen = []

    def decoder(data: bytes) -> object:
        seen.append(data)
        return json.loads(data)

    envelope = gateway.decode(b'{"type":"x","d":{"a":1}}', decoder=decoder)
    assert envelope.data is envelope.data
    assert seen == [b'{"a":1}']
    plain = gateway.decode(b'{"type":"x","d":{"a":1}}', decoder=None)
    assert plain.data == {"a": 1}
    assert plain.data is plain.data
    assert gateway.decode(b'{"type":"x"}').data is None


def test_a_decoder_may_ask_for_the_data_itself() -> None:
    envelope: Envelope

    def decoder(data: bytes) -> object:
        return [data] if len(asked) else (asked.append(1), envelope.data)

    asked: list[int] = []
    envelope = gateway.decode(b'{"type":"x","d":1}', decoder=decoder)
    assert envelope.data == (None, [b"1"])


def test_a_decoder_that_fails_is_told() -> None:
    def decoder(data: bytes) -> object:
        raise LookupError("no")

    envelope = gateway.decode(b'{"type":"x","d":1}', decoder=decoder)
    with pytest.raises(LookupError, match="no"):
        _ = envelope.data
    response = blobhub.decode(
        blobhub.encode("response", id=1, error={"code": 1, "message": ""}), decoder=decoder
    )
    with pytest.raises(LookupError, match="no"):
        _ = response.error


def test_into_needs_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    envelope = gateway.decode(b'{"type":"x","d":[1,2]}')
    monkeypatch.setitem(sys.modules, "msgspec", None)
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    with pytest.raises(ImportError, match="msgspec"):
        envelope.into(list[int])


def test_into_asks_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        @staticmethod
        def decode(data: bytes, *, type: type) -> object:
            return type, data

    monkeypatch.setitem(sys.modules, "msgspec", Module)
    monkeypatch.setitem(sys.modules, "msgspec.json", Module)
    assert gateway.decode(b'{"type":"x","d":[1,2]}').into(list) == (list, b"[1,2]")
    assert gateway.decode(b'{"type":"x"}').into(list) == (list, b"null")


def test_it_matches_compares_and_is_told_in_one_line() -> None:
    envelope = flowlayer.decode(b'{"type":"command","id":"7","name":"get_logs","payload":{"a":1}}')
    match envelope:
        case Envelope("get_logs", "command", id="7"):
            pass
        case _:
            pytest.fail("it does not match")
    assert repr(envelope) == (
        "Envelope(protocol='flowlayer', kind='command', name='get_logs', id='7', payload=<7 bytes>)"
    )
    assert repr(gateway.decode('{"type":"x","seq":3}')) == (
        "Envelope(protocol='gateway', name='x', seq=3)"
    )
    told = repr(messaging.decode(messaging.encode("event", "new", time=5, seq=1)))
    assert told == "Envelope(protocol='messaging', kind='event', name='new', seq=1, time=5)"
    error = blobhub.encode("response", error={"code": 1, "message": ""})
    assert repr(blobhub.decode(error)) == (
        "Envelope(protocol='blobhub', kind='response', error=<23 bytes>)"
    )
    assert envelope != 1
    assert envelope != gateway.decode('{"type":"x","seq":3}')
    assert copy.copy(envelope) == envelope
    with pytest.raises(TypeError):
        envelope < envelope  # noqa: B015
    with pytest.raises(TypeError):
        Envelope()
    with pytest.raises(AttributeError):
        envelope.name = "other"


def test_a_token_is_not_told() -> None:
    identify = b'{"type":"identify","d":{"token":"hunter2"}}'
    assert "hunter2" not in repr(gateway.decode(identify))
    with pytest.raises(DecodeError) as caught:
        gateway.decode(identify + b"x")
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("module", MODULES.values(), ids=list(MODULES))
def test_the_options_are_checked(module: Any) -> None:
    with pytest.raises(TypeError, match="missing required argument 'message'"):
        module.decode()
    with pytest.raises(TypeError, match="at most 1"):
        module.decode(b"", b"")
    with pytest.raises(TypeError, match="unexpected"):
        module.decode(b"", depth=1)
    with pytest.raises(TypeError, match="decoder must be callable"):
        module.decode(b"", decoder=1)
    with pytest.raises(TypeError, match="str or bytes"):
        module.decode(1, decoder=len)


def test_the_ping_of_the_messenger_is_no_json() -> None:
    ping = messaging.decode("ping")
    assert (ping.kind, ping.name, ping.type, ping.payload) == ("ping", None, None, None)
    assert messaging.decode('{"event":"pong"}').kind == "pong"


# ---- memory ----


def test_envelopes_are_had_again_and_leak_nothing() -> None:
    text = b'{"type":"x","seq":70000,"d":{"a":[1,2]}}'

    def work() -> None:
        for _ in range(200):
            held = [gateway.decode(text) for _ in range(40)]
            assert all(each.data for each in held[::2])
            with pytest.raises(DecodeError):
                gateway.decode(text[:-1])

    work()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(5):
        work()
    gc.collect()
    assert sys.getallocatedblocks() - before < 200


def test_a_cycle_through_the_data_is_collected() -> None:
    class Thing(dict[str, object]):
        pass

    def decoder(data: bytes) -> Thing:
        return Thing()

    envelope = gateway.decode(b'{"type":"x","d":1}', decoder=decoder)
    thing = envelope.data
    thing["envelope"] = envelope
    gone = weakref.ref(thing)
    plain = gateway.decode(b'{"type":"x","d":{}}')
    plain.data["envelope"] = plain
    held = Thing()
    plain.data["held"] = held
    gone_too = weakref.ref(held)
    del envelope, thing, plain, held
    gc.collect()
    assert gone() is None
    assert gone_too() is None


def test_a_second_module_has_envelopes_of_its_own() -> None:
    from test_skeleton_module import load_again

    again = load_again()
    envelope = again.gateway_decode(b'{"type":"x"}')
    assert type(envelope) is again.Envelope is not _core.Envelope
    assert envelope != gateway.decode(b'{"type":"x"}')
    del again
    gc.collect()
    assert envelope.name == "x"


# ---- encoding ----


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ('{"type":"x"}', lambda: gateway.encode("x")),
        ('{"seq":3,"type":"x","d":{"a":1}}', lambda: gateway.encode("x", {"a": 1}, seq=3)),
        ('{"type":"x","d":null}', lambda: gateway.encode("x", b"null")),
        (
            '{"type":"command","id":"1","name":"n"}',
            lambda: flowlayer.encode("command", "n", id="1"),
        ),
        (
            '{"type":"command","id":"1","name":"n","payload":{}}',
            lambda: flowlayer.encode("command", "n", {}, id="1"),
        ),
        ('{"type":"ack","id":"1","payload":{}}', lambda: flowlayer.encode("ack", None, {}, id="1")),
        (
            '{"type":"result","id":"1","payload":{}}',
            lambda: flowlayer.encode("result", payload={}, id="1"),
        ),
        ('{"type":"event","name":"n"}', lambda: flowlayer.encode("event", "n")),
        ('{"type":"error","payload":{}}', lambda: flowlayer.encode("error", payload={})),
        (
            '{"type":"request","timestamp":1.5,"id":"r","payloadType":"new","payload":[]}',
            lambda: messaging.encode("request", "new", [], time=1.5, id="r"),
        ),
        (
            '{"type":"response","timestamp":1,"id":null}',
            lambda: messaging.encode("response", time=1),
        ),
        (
            '{"type":"response","timestamp":1,"id":"r","payload":{}}',
            lambda: messaging.encode("response", payload={}, time=1, id="r"),
        ),
        ('{"id":5,"type":"ack"}', lambda: messaging.encode("ack", seq=5)),
        (
            '{"jsonrpc":"2.0","id":1,"method":"m","params":{}}',
            lambda: blobhub.encode("request", "m", {}, id=1),
        ),
        ('{"jsonrpc":"2.0","method":"m"}', lambda: blobhub.encode("notification", "m")),
        ('{"jsonrpc":"2.0","id":1,"result":null}', lambda: blobhub.encode("response", id=1)),
        (
            '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}',
            lambda: blobhub.encode("response", error={"code": 1, "message": ""}),
        ),
        (
            '{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":""}}',
            lambda: blobhub.encode("response", id="a", error=b'{"code":1,"message":""}'),
        ),
    ],
)
def test_what_is_written(text: str, encoded: Callable[[], bytes]) -> None:
    assert json.loads(encoded()) == json.loads(text)
    assert len(encoded()) == len(text)


@pytest.mark.parametrize(
    ("encode", "wanted"),
    [
        (lambda: gateway.encode(""), "a message has a name"),
        (lambda: flowlayer.encode("command", "n"), "a command has a name and an id"),
        (lambda: flowlayer.encode("hello"), "a command has a name and an id"),
        (lambda: messaging.encode("request", "n", {}, id="r"), "all but an ack have a time"),
        (lambda: blobhub.encode("request", "m"), "a request has a name and an id"),
        (lambda: blobhub.encode("notification", "m", id=1), "a notification has a name"),
        (lambda: blobhub.encode("response", "m", id=1), "a response has an id"),
        (lambda: blobhub.encode("response"), "a response has an id"),
        (lambda: blobhub.encode("request", id=1), "a request has a name"),
        (lambda: blobhub.encode("error", id=1), 'kind is "request", "notification" or'),
        (lambda: gateway.encode("x", seq=-1), "seq is negative or too large"),
        (lambda: gateway.encode("x", seq=2**64), "seq is negative or too large"),
        (lambda: gateway.encode("\ud800"), "name has a lone surrogate"),
    ],
)
def test_what_is_missing_or_too_much_is_told(encode: Callable[[], bytes], wanted: str) -> None:
    with pytest.raises(ArgumentError, match=wanted):
        encode()


@pytest.mark.parametrize(
    ("encode", "kind", "offset"),
    [
        (lambda: gateway.encode("x", b"{1}"), "JSON_SYNTAX", 1),
        (lambda: gateway.encode("x", b"[" * 128 + b"]" * 128), "JSON_TOO_DEEP", 127),
        (lambda: gateway.encode("x", b""), "JSON_TRUNCATED", 0),
        (lambda: flowlayer.encode("ack", payload=[], id="1"), "ENVELOPE_MEMBER_TYPE", None),
        (lambda: flowlayer.encode("event", "log", {}, seq=1), "ENVELOPE_MEMBER_MISSING", None),
        (
            lambda: flowlayer.encode("event", "log", {"seq": 2}, seq=1),
            "ENVELOPE_MEMBER_DOUBLED",
            None,
        ),
        (lambda: blobhub.encode("response", id=1, error=[1]), "ENVELOPE_MEMBER_TYPE", None),
        (lambda: blobhub.encode("request", "m", id=[]), "ENVELOPE_MEMBER_TYPE", None),
        (lambda: blobhub.encode("response", id=1, error=b"x"), "JSON_SYNTAX", None),
    ],
)
def test_parts_that_make_no_message_are_told(
    encode: Callable[[], bytes], kind: str, offset: int | None
) -> None:
    with pytest.raises(DecodeError) as caught:
        encode()
    assert (caught.value.kind, caught.value.offset) == (kind, offset)


@pytest.mark.parametrize(
    "encode",
    [
        lambda: gateway.encode(1),
        lambda: gateway.encode(),
        lambda: gateway.encode("x", object()),
        lambda: gateway.encode("x", seq="1"),
        lambda: flowlayer.encode(),
        lambda: flowlayer.encode("ack", id=1, payload={}),
        lambda: messaging.encode(),
        lambda: messaging.encode("ack", 1),
        lambda: blobhub.encode(),
        lambda: blobhub.encode(1),
    ],
)
def test_arguments_of_other_types_are_told(encode: Callable[[], bytes]) -> None:
    with pytest.raises(TypeError):
        encode()


def test_a_long_name_of_escapes_is_written_whole() -> None:
    name = "\x01" * 10_000
    assert gateway.decode(gateway.encode(name)).name == name


# ---- and back again ----


class Draw(random.Random):
    """Draws messages that may be."""

    def text(self) -> str:
        letters = ["a", "Z", '"', "\\", "/", "\n", "\x01", "é", "漢", "😀", " "]
        return "_" + "".join(self.choices(letters, k=self.randrange(12))) + "."

    def value(self, depth: int = 3) -> object:
        kind = self.randrange(8 if depth else 6)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(self.randrange(4))]
        if kind == 7:
            return self.object(depth - 1)
        scalars = [None, True, self.randrange(-(2**70), 2**70), self.random(), self.text(), ""]
        return scalars[kind]

    def object(self, depth: int = 2) -> dict[str, object]:
        return {self.text(): self.value(depth) for _ in range(self.randrange(4))}

    def maybe(self, value: Any) -> Any:
        return value if self.random() < 0.5 else None

    def number(self) -> int:
        return self.randrange(1, 2 ** self.randrange(1, 65))

    def gateway(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.text(), self.maybe(self.value())), {"seq": self.maybe(self.number())}

    def flowlayer(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kind = self.choice(["command", "ack", "result", "event", "error"])
        name = self.text() if kind in ("command", "event") else None
        payload: Any = self.object() if kind in ("ack", "result", "error") else None
        if kind in ("command", "event"):
            payload = self.maybe(self.object())
        id = self.text() if kind in ("command", "ack", "result") else None
        return (kind, name, payload), {"id": self.maybe(self.text()) if kind == "error" else id}

    def messaging(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kind = self.choice(["request", "response", "event", "ack"])
        if kind == "ack":
            return (kind,), {"seq": self.number()}
        time = self.choice([self.randrange(2**40), self.random() * 1e9])
        name = None if kind == "response" else self.text()
        payload = self.object() if kind == "request" else self.maybe(self.object())
        options: dict[str, Any] = {"time": time}
        if kind == "event":
            options["seq"] = self.maybe(self.number())
        else:
            options["id"] = self.maybe(self.text()) if kind == "response" else self.text()
        return (kind, name, payload), options

    def blobhub(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kind = self.choice(["request", "notification", "response"])
        params = self.choice([None, self.object(), [self.value()]])
        id = self.choice([self.text(), self.randrange(-(2**70), 2**70)])
        if kind != "response":
            return (kind, self.text(), params), {"id": id} if kind == "request" else {}
        if self.random() < 0.5:
            return (kind, None, self.value()), {"id": id}
        error = {"code": self.randrange(999), "message": self.text()}
        return (kind,), {"id": self.maybe(id), "error": error}


@pytest.mark.parametrize("protocol", MODULES)
def test_what_was_written_is_read_again(protocol: str) -> None:
    draw = Draw(protocol)
    module = MODULES[protocol]
    for _ in range(2000):
        places, options = getattr(draw, protocol)()
        text = module.encode(*places, **options)
        read = module.decode(text)
        first, name, payload = (*places, None, None)[:3] if len(places) < 3 else places
        if protocol == "gateway":
            kind, name, payload = None, places[0], places[1]
        else:
            kind = first
        assert (read.kind, read.name) == (kind, name)
        assert read.data == payload
        for option in ("id", "seq", "time", "error"):
            assert getattr(read, option) == options.get(option)
        assert module.decode(text.decode()) == read


def test_a_numbered_log_has_its_number_within() -> None:
    text = flowlayer.encode("event", "log", {"service": "api"}, seq=7)
    read = flowlayer.decode(text)
    assert text == b'{"payload":{"seq":7,"service":"api"},"type":"event","name":"log"}'
    assert read.data == {"seq": 7, "service": "api"}
    assert read.seq is None


def test_the_vectors_are_written_again() -> None:
    for protocol, module in MODULES.items():
        for case in cases(f"{protocol}_envelope"):
            if case["status"] != "OK" or case.get("kind") in ("UNKNOWN", "PING", "PONG"):
                continue
            read = module.decode(bytes_of(case))
            payload = None if read.payload is None else bytes(read.payload)
            try:
                text = write_again(module, read, payload)
            except ValueError:
                assert is_odd(read), case["name"]
            else:
                again = module.decode(text)
                assert (again.name, again.data, again.id) == (read.name, read.data, read.id)


def write_again(module: Any, read: Envelope, payload: bytes | None) -> bytes:
    options: dict[str, Any] = {}
    for option in ("id", "seq", "time"):
        if (value := getattr(read, option)) is not None:
            options[option] = value
    if read.error is not None:
        options["error"] = read.error
    places = (read.name, payload)
    written = module.encode(*(places if read.kind is None else (read.kind, *places)), **options)
    assert isinstance(written, bytes)
    return written


def is_odd(read: Envelope) -> bool:
    """What is read, but never written: a payload that must be an object, an id that is blank."""
    return (
        read.name == ""
        or (read.payload is not None and not isinstance(read.data, dict | list))
        or (read.protocol == "flowlayer" and not isinstance(read.data, dict))
        or (read.protocol == "blobhub" and isinstance(read.id, float))
        or (read.protocol == "flowlayer" and read.kind in ("ack", "result", "event", "error"))
    )
