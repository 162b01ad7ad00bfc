"""A client and a hub talk through messages: hello, resume, and what goes wrong."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import zstandard
from core_world import ENTROPY, Clock, World, live_client
from kedge import _core
from kedge._core import (
    Attached,
    Binary,
    Close,
    Closed,
    Connect,
    Decline,
    Dispatch,
    ErrorReport,
    Gap,
    GatewayClient,
    GatewayHub,
    HubLink,
    Identify,
    Message,
    Ready,
    Resume,
    Resumed,
    Retry,
    Stop,
    Sync,
    Text,
    Upgrade,
    WantCredentials,
)

compress = pytest.mark.parametrize("compress", [False, True], ids=["plain", "zstd"])


@compress
def test_the_whole_way(compress: bool) -> None:
    world = World(capabilities=["voice"])
    world.members = {"user_id": 7, "display_name": "Änn"}
    wire = world.join(compress=compress, capabilities=["voice", "video"])

    (identify, attached) = world.server_events
    assert isinstance(identify, Identify)
    assert identify.token == "token-of-ann"
    assert identify.protocol_version == 1
    assert identify.capabilities == ("voice", "video")
    assert identify.data["token"] == "token-of-ann"
    assert isinstance(attached, Attached)
    assert attached.session == wire.link.session
    assert not attached.resumed

    (ready,) = world.client_events
    assert isinstance(ready, Ready)
    assert ready.session_id == wire.link.session.id
    assert ready.seq == 1
    assert ready.data["user_id"] == 7
    assert ready.data["display_name"] == "Änn"
    assert ready.data["capabilities"] == ["voice"]

    world.client_events.clear()
    assert world.hub.publish("news", "message_create", {"text": "ü"}) == 1
    assert world.hub.publish("other", "message_create", {"text": "nobody"}) == 0
    world.run()
    (dispatch,) = world.client_events
    assert dispatch == Dispatch("message_create", 2, '{"text":"ü"}'.encode())
    assert dispatch.data == {"text": "ü"}
    assert json.loads(bytes(dispatch.raw or b""))["d"] == {"text": "ü"}

    assert wire.client.notify("presence_update", {"status": "idle"}) == []
    world.run()
    assert world.server_events[-1] == Message("presence_update", True, b'{"status":"idle"}')


def test_what_the_protocol_does_not_know_is_sent_by_choice() -> None:
    world = World(unknown="deliver")
    with pytest.raises(_core.ArgumentError) as caught:
        world.join("ann").client.notify("wave", {"to": 5})
    assert caught.value.status == "UNKNOWN_TYPE"
    world.join("bob", any_type=True).client.notify("wave", {"to": 5})
    world.run()
    assert world.server_events[-1] == Message("wave", False, b'{"to":5}')


@compress
def test_a_compressed_client_gets_binary_messages(compress: bool) -> None:
    world = World()
    wire = world.join(compress=compress)
    world.hub.publish("news", "a", {"text": "x" * 1000})
    (output,) = wire.link.outputs()
    assert isinstance(output, Binary if compress else Text)
    assert (len(output.data) < 500) is compress


def test_a_splice_of_each_session_is_a_frame_to_zstandard() -> None:
    """One event, compressed once, under numbers of their own: hello and ready are whole frames."""
    world = World()
    wires = [world.join("ann", compress=True)]
    world.hub.publish("news", "earlier", 0)
    world.run()
    wires.append(world.join("bob", compress=True))
    decoder = zstandard.ZstdDecompressor(max_window_size=8 << 20)
    for size in (0, 1, 100, 255, 256, 5_000, 70_000, 200_000):
        data = {"text": "tell me again, " * (size // 15)}
        world.hub.publish("news", "a", data)
        bodies = []
        for ahead, wire in zip((1, 0), wires, strict=True):
            (output,) = wire.link.outputs()
            assert isinstance(output, Binary)
            header = zstandard.get_frame_parameters(output.data)
            text = decoder.decompress(output.data, allow_extra_data=False)
            assert (header.content_size, header.window_size) == (len(text), len(text))
            assert (header.dict_id, header.has_checksum) == (0, False)
            message = json.loads(text)
            assert (message["type"], message["d"]) == ("a", data)
            bodies.append((message["seq"] - ahead, text.partition(b",")[2]))
        assert bodies[0] == bodies[1]


@compress
def test_a_cut_is_resumed_and_nothing_is_lost_or_doubled(compress: bool) -> None:
    world = World()
    wire = world.join(compress=compress)
    for n in range(3):
        world.hub.publish("news", "a", n)
    world.run()
    for n in range(3, 6):
        world.hub.publish("news", "a", n)
    wire.link.outputs(1)  # written, but never arrived
    wire.cut()
    closed = world.client_events[-1]
    assert isinstance(closed, Closed)
    assert isinstance(closed.action, Retry)
    assert closed.action.resume
    assert closed.cause == "LOST"
    assert closed.code is None
    session = world.attached()[0].session
    assert session is not None
    assert session.alive
    assert not session.attached
    world.hub.publish("news", "a", 6)

    deadline = wire.client.deadline
    assert deadline is not None
    assert deadline == pytest.approx(world.clock.now + closed.action.after)
    world.clock.now = deadline
    assert wire.client.tick() == [Connect(2, True)]
    again = world.connect(wire.client)
    assert isinstance(world.server_events[-2], Resume)
    assert world.server_events[-2].position == 4
    assert world.attached()[-1] == Attached(session, True, 4)
    assert again.link.session == session
    assert wire.client.connection == 2
    assert Resumed(8, 4) in world.client_events
    world.hub.publish("news", "a", 7)
    world.run()
    assert world.dispatches() == [(n + 2, n) for n in range(8)]


def test_a_second_resume_takes_the_session_over() -> None:
    world = World()
    first = world.join()
    second = world.client()
    second.load(first.client.save())
    assert second.start() == [Connect(1, True)]
    wire = world.connect(second)
    (closed,) = [event for event in world.server_events if isinstance(event, Closed)]
    assert closed.code == 4009
    assert closed.cause == "TAKEN_OVER"
    assert closed.session_id is None
    assert wire.link.session is not None
    assert first.link.session is None
    assert world.hub.link_of(wire.link.session) is wire.link
    assert world.hub.counts["taken_over"] == 1


def test_a_refused_token_wants_new_credentials() -> None:
    world = World()
    client = world.client(token="wrong")
    client.start()
    wire = world.connect(client)
    closed = world.client_events[-1]
    assert isinstance(closed, Closed)
    assert closed.code == closed.received == 4004
    assert closed.action == WantCredentials()
    assert closed.cause == "PEER_CLOSED"
    (told,) = [event for event in world.server_events if isinstance(event, Closed)]
    assert (told.code, told.sent, told.received, told.cause) == (4004, 4004, None, "REFUSED")
    assert wire.link.finished
    assert client.set_credentials("token-of-ann") == [Connect(1)]
    world.connect(client)
    assert isinstance(world.client_events[-1], Ready)


def test_refusing_has_a_code_and_a_text() -> None:
    world = World()
    world.decide = lambda link, question: link.refuse(question, 4012, "come later")
    client = world.client()
    client.start()
    world.connect(client)
    closed = world.client_events[-1]
    assert isinstance(closed, Closed)
    assert (closed.code, closed.reason) == (4012, "come later")
    assert isinstance(closed.action, Retry)
    assert not closed.action.resume


def test_an_answer_may_come_late_but_only_once() -> None:
    world = World()
    asked: list[tuple[HubLink, Identify | Resume]] = []

    def decide(link: HubLink, question: Identify | Resume) -> list[_core.Event]:
        asked.append((link, question))
        return []

    world.decide = decide
    client = world.client()
    client.start()
    world.connect(client)
    ((link, question),) = asked
    world.clock.pass_time(5)
    assert isinstance(link.accept(question, user=7)[0], Attached)
    with pytest.raises(_core.StaleTicketError) as caught:
        link.accept(question, user=7)
    assert caught.value.status == "STALE_TICKET"
    with pytest.raises(_core.StaleTicketError):
        link.refuse(question)
    with pytest.raises(_core.StaleTicketError):
        link.accept(Identify("token", ticket=99), user=7)
    assert [session.user for session in world.hub.sessions()] == ["7"]


def test_a_question_of_a_lost_link_is_stale() -> None:
    world = World()
    asked: list[Identify | Resume] = []
    world.decide = lambda link, question: asked.append(question) or []
    client = world.client()
    client.start()
    wire = world.connect(client)
    wire.cut()
    with pytest.raises(_core.StaleTicketError):
        wire.link.accept(asked[0], user="ann")


def test_a_session_of_another_user_is_refused() -> None:
    world = World()
    ann = world.join("ann")
    bob = world.client("bob")
    bob.load(ann.client.save())
    bob.start()
    world.connect(bob)
    closed = world.client_events[-1]
    assert isinstance(closed, Closed)
    assert closed.code == 4004


def test_a_history_that_is_too_short_says_so() -> None:
    world = World(topic_history=(2, 1 << 20, 600.0), own_history=(1, 1 << 20, 600.0))
    wire = world.join()
    wire.cut()
    for n in range(5):
        world.hub.publish("news", "a", n)
    world.clock.now = wire.client.deadline or 0.0
    wire.client.tick()
    world.connect(wire.client)
    closed = [event for event in world.client_events if isinstance(event, Closed)][-1]
    assert closed.code == 4010
    assert Sync("HISTORY_LOST") in world.client_events


def test_gaps_and_duplicates_are_told_and_dropped() -> None:
    client = live_client()
    assert client.receive('{"type":"a","seq":2}') == [Dispatch("a", 2)]
    assert client.receive('{"type":"a","seq":2}') == []
    assert client.receive('{"type":"a","seq":5,"d":1}') == [Gap(3, 4), Dispatch("a", 5, b"1")]
    assert client.counts["duplicates"] == 1
    assert client.counts["gaps"] == 2


def test_numbers_that_the_server_knows_of_and_never_sent_are_counted() -> None:
    client = live_client()
    assert client.counts["behind"] == 0
    client.receive('{"type":"heartbeat_ack","seq":9}')
    assert client.counts["behind"] == 1


def test_an_error_report_has_its_code_and_message_decoded() -> None:
    client = live_client()
    (report,) = client.receive('{"type":"error","d":{"code":"x\\u00e9","message":{"a":[1]}}}')
    assert isinstance(report, ErrorReport)
    assert report.code == "xé"
    assert report.message == {"a": [1]}
    (report,) = client.receive('{"type":"error","d":{"code":5}}')
    assert isinstance(report, ErrorReport)
    assert (report.code, report.message, report.data) == (5, None, {"code": 5})


def test_an_error_report_that_python_cannot_decode_stays_text() -> None:
    client = live_client()
    digits = "7" * 5000
    (report,) = client.receive(f'{{"type":"error","d":{{"code":{digits},"message":"m"}}}}')
    assert isinstance(report, ErrorReport)
    has_limit = getattr(sys, "get_int_max_str_digits", lambda: 0)() > 0
    assert isinstance(report.code, str if has_limit else int)
    assert report.message == "m"


@pytest.mark.parametrize("kind", [str, bytes, bytearray, memoryview])
def test_a_message_may_be_any_kind_of_text(kind: Any) -> None:
    client = live_client()
    text = '{"type":"a","seq":2,"d":{"text":"ü"}}'
    if kind is str:
        (event,) = client.receive(text)
    else:
        (event,) = client.receive_text(kind(text.encode()))
    assert event == Dispatch("a", 2, '{"text":"ü"}'.encode())
    assert bytes(event.raw or b"") == text.encode()


@pytest.mark.parametrize("kind", [str, bytes, bytearray])
def test_slices_stay_when_more_is_received(kind: Any) -> None:
    client = live_client()
    views = []
    for n in range(2, 50):
        text = f'{{"type":"a","seq":{n},"d":"ü{n}"}}'
        message = text if kind is str else kind(text.encode())
        (event,) = client.receive(message) if kind is str else client.receive_text(message)
        if kind is bytearray:
            message[:] = b"x" * len(message)
        views.append((event.raw, event.payload, text))
        del event, message
    del client
    for n, (raw, payload, text) in enumerate(views, 2):
        assert bytes(raw) == text.encode()
        assert bytes(payload) == f'"ü{n}"'.encode()


def test_slices_of_bytes_are_not_copies() -> None:
    client = live_client()
    message = b'{"type":"a","seq":2,"d":"%s"}' % (b"x" * 1_000_000)
    (event,) = client.receive_text(message)
    references = sys.getrefcount(message)
    view = event.payload
    assert view is not None
    assert sys.getrefcount(message) == references + 1
    assert view.nbytes == 1_000_002


def test_the_decoder_of_a_client_decodes_its_data() -> None:
    asked: list[bytes] = []

    def decoder(payload: bytes) -> str:
        asked.append(payload)
        return "decoded"

    client = live_client(decoder=decoder)
    (event,) = client.receive('{"type":"a","seq":2,"d":[1]}')
    assert asked == []
    assert event.data == "decoded"
    assert event.data == "decoded"
    assert asked == [b"[1]"]


def test_the_decoder_of_a_hub_decodes_what_its_links_tell() -> None:
    world = World(decoder=lambda payload: ("decoded", payload))
    wire = world.join()
    wire.client.notify("typing", {"feed_id": 1})
    world.run()
    message = world.server_events[-1]
    assert isinstance(message, Message)
    assert message.data == ("decoded", b'{"feed_id":1}')


def test_a_decoder_may_call_its_client() -> None:
    def decoder(payload: bytes) -> object:
        return client.receive('{"type":"a","seq":3}')

    client = live_client(decoder=decoder)
    (event,) = client.receive('{"type":"a","seq":2,"d":[1]}')
    assert event.data == [Dispatch("a", 3)]


FAULTS: list[tuple[Any, int]] = [
    ("{", 4002),
    ("[]", 4002),
    ("", 4002),
    ('{"type":5}', 4002),
    ('{"type":"a","type":"b"}', 4002),
    ('{"type":"typing","d":{"feed_id":"x"}}', 4002),
    (b"\x00\x01", 4002),
    ('{"type":"unheard_of"}', 4001),
    ('{"type":"identify","d":{"token":"x"}}', 4005),
    ('{"type":"a","d":"\ud800"}', 1007),
    ('{"type":"a","d":"\udcff\udc80"}', 1007),
]


@pytest.mark.parametrize(("message", "code"), FAULTS)
def test_what_a_client_does_wrong_is_a_close_and_never_raises(message: Any, code: int) -> None:
    world = World()
    wire = world.join()
    (closed,) = wire.link.receive(message)
    assert isinstance(closed, Closed)
    assert closed.sent == code
    (close,) = wire.link.outputs()
    assert isinstance(close, Close)
    assert close.code == code
    assert wire.link.receive(message) == []


def test_text_that_is_not_utf8_is_a_fault_too() -> None:
    world = World()
    wire = world.join()
    (closed,) = wire.link.receive_text(b'{"type":"a","d":"\xff"}')
    assert isinstance(closed, Closed)
    assert closed.sent == 1007


@pytest.mark.parametrize(
    "message",
    ["{", "", '{"type":"a","seq":-1}', b"\x00", '{"type":"a","seq":2,"d":"\ud800"}', b""],
)
def test_what_a_server_does_wrong_is_a_close_and_never_raises(message: Any) -> None:
    client = live_client(compress=True)
    (closed,) = client.receive(message)
    assert isinstance(closed, Closed)
    assert isinstance(closed.action, Retry)
    assert closed.action.resume
    assert client.receive(message) == []


def test_a_client_counts_what_it_did_not_send() -> None:
    client = live_client()
    client.notify("typing", {"feed_id": 1})
    client.notify("typing", b'{"dm_id":2}')
    (closed,) = client.lost()
    assert isinstance(closed, Closed)
    assert closed.unsent == 2


def test_a_stopped_client_does_not_come_back() -> None:
    client = live_client()
    (closed,) = client.stop()
    assert isinstance(closed, Closed)
    assert closed.action == Stop()
    assert client.outputs() == [Close(1000)]
    assert client.deadline is None
    assert client.start() == [Connect(1, True)]


def test_a_client_saves_no_token() -> None:
    client = live_client()
    saved = client.save()
    assert b"secret" not in saved
    other = GatewayClient(token="secret", clock=Clock())
    other.load(bytearray(saved))
    assert other.start() == [Connect(1, True)]


def test_http_refusals_are_judged() -> None:
    clock = Clock()
    client = GatewayClient(token="secret", clock=clock, entropy=ENTROPY)
    client.start()
    client.handshake()
    (closed,) = client.connect_failed(429, retry_after=30)
    assert isinstance(closed, Closed)
    assert closed.http_status == 429
    assert isinstance(closed.action, Retry)
    assert closed.action.after >= 30
    clock.now = client.deadline or 0.0
    client.tick()
    client.handshake()
    (closed,) = client.connect_failed(401)
    assert isinstance(closed, Closed)
    assert closed.action == WantCredentials()


def test_host_closes_are_told_with_their_code() -> None:
    client = live_client()
    (closed,) = client.host_closed(1009, "too big")
    assert isinstance(closed, Closed)
    assert closed.cause == "HOST_CLOSED"
    assert closed.reason == "too big"
    assert isinstance(closed.action, Retry)


def test_a_reason_may_be_any_text() -> None:
    client = live_client()
    (closed,) = client.peer_closed(4008, "\ud800 and more")
    assert isinstance(closed, Closed)
    assert closed.reason == "? and more"
    client = live_client()
    (closed,) = client.peer_closed(4008, b"\xff")
    assert isinstance(closed, Closed)
    assert closed.reason == "\ufffd"
    client = live_client()
    (closed,) = client.peer_closed()
    assert isinstance(closed, Closed)
    assert (closed.code, closed.reason, closed.cause) == (None, "", "PEER_CLOSED")


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("/gateway", Upgrade()),
        (b"/gateway?v=1&encoding=json&compress=zstd", Upgrade()),
        ("/gateway?encoding=etf", 400),
        ("/gateway?compress=gzip", 400),
    ],
)
def test_the_request_is_answered_first(target: Any, answer: Any) -> None:
    link = World().hub.link()
    headers = [(b"Host", b"example.org"), ["Origin", "https://example.org"], ("X", "\udcff")]
    link.requested(target, headers)
    assert link.output_waiting
    (output,) = link.outputs()
    if isinstance(answer, Upgrade):
        assert output == answer
    else:
        assert isinstance(output, Decline)
        assert output.status == answer
        assert dict(output.headers)["Content-Type"] == "application/json"
        assert json.loads(output.body)


def test_more_headers_than_the_library_reads_are_refused() -> None:
    """None may be overlooked: it could be the Origin."""
    link = World().hub.link()
    headers = [(f"X-{n}", "x") for n in range(101)]
    with pytest.raises(_core.ArgumentError, match="more than 100 headers"):
        link.requested("/gateway", headers)
    assert link.outputs() == []
    link.requested("/gateway", headers[:100])
    assert link.outputs() == [Upgrade()]


def test_an_unsupported_version_is_closed_after_hello() -> None:
    link = World().hub.link()
    link.requested("/gateway?v=9")
    assert link.outputs() == [Upgrade()]
    link.opened()
    hello, close = link.outputs()
    assert isinstance(hello, Text)
    assert isinstance(close, Close)
    assert close.code == 4011


def test_a_silent_client_is_closed_in_time() -> None:
    world = World(heartbeat_interval=10.0)
    wire = world.join()
    assert wire.link.deadline == pytest.approx(world.clock.now + 15)
    world.clock.pass_time(15)
    (closed,) = wire.link.tick()
    assert isinstance(closed, Closed)
    assert (closed.code, closed.cause) == (4007, "TIMED_OUT")
    assert closed.resumable
    assert closed.session_id == world.hub.sessions()[0].id


def test_a_limit_on_outputs_leaves_the_backlog_where_it_is() -> None:
    world = World()
    wire = world.join()
    for n in range(100):
        world.hub.publish("news", "a", {"n": n, "text": "x" * 100})
    first = wire.link.outputs(1000)
    assert 1000 <= sum(len(output.data) for output in first if isinstance(output, Text)) < 1200
    assert wire.link.output_waiting
    assert wire.link.queued == 0
    assert wire.link.outputs(0) == []
    assert len(first) + len(wire.link.outputs()) == 100
    assert not wire.link.output_waiting


def test_a_slow_reader_is_outrun_when_the_history_ends() -> None:
    world = World(topic_history=(10, 1 << 20, 600.0))
    wire = world.join()
    for n in range(11):
        world.hub.publish("news", "a", n)
    assert wire.link in world.hub.ready()
    (closed,) = wire.link.events()
    assert isinstance(closed, Closed)
    assert closed.code == 4010
    assert not closed.resumable


def test_unknown_types_can_be_handed_on() -> None:
    world = World(unknown="deliver")
    wire = world.join()
    assert wire.link.receive('{"type":"x","d":[1]}') == [Message("x", False, b"[1]")]
    world = World(unknown="ignore")
    wire = world.join()
    assert wire.link.receive('{"type":"x","d":[1]}') == []
    assert wire.link.counts["ignored"] == 1


def test_a_wrong_payload_can_be_an_error_report() -> None:
    world = World(invalid_payload_closes=False)
    wire = world.join()
    assert wire.link.receive('{"type":"typing","d":{}}') == []
    world.run()
    assert isinstance(world.client_events[-1], ErrorReport)
    assert wire.link.session is not None


def test_words_replace_the_lists_of_the_protocol() -> None:
    relay = '{"type":"mls_relay","d":{"mls_type":"%s","data":"x"}}'
    wire = World(words={"mls_type": ["other"]}).join()
    assert wire.link.receive(relay % "other") != []
    assert wire.link.receive(relay % "welcome")[0].sent == 4002


def test_events_that_wait_come_before_what_is_received() -> None:
    world = World()
    wire = world.join()
    world.hub.end(wire.link.session or "")
    (closed,) = wire.link.receive('{"type":"typing","d":{"feed_id":1}}')
    assert isinstance(closed, Closed)
    assert closed.code == 4009


def test_times_are_exact() -> None:
    seen: list[float] = []

    def clock() -> float:
        seen.append(1.0)
        return 2.0**33 + 0.25

    hub = GatewayHub(clock=clock)
    link = hub.link()
    link.requested("/gateway")
    assert link.outputs() == [Upgrade()]
    link.opened(now=2**33)
    assert link.deadline == 2.0**33 + 0.25 + 30
    link.lost(now=2**33 + 1)
    assert len(seen) == 3
    assert hub.clock is clock
    assert link.clock is clock


def test_a_deadline_is_reached_at_the_time_that_it_told() -> None:
    for start in (0.1, 12345.678901234, 1e6 + 1e-7, 9e9 / 7):
        hub = GatewayHub(identify_timeout=0.3, stall_tolerance=0, now=start)
        link = hub.link(now=start)
        link.requested("/gateway", now=start)
        assert link.outputs() == [Upgrade()]
        link.opened(now=start)
        deadline = link.deadline
        assert deadline is not None
        assert link.tick(now=deadline - 1e-6) == []
        assert link.tick(now=deadline) != []
