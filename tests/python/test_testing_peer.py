"""Scripted peers say what they are told, insist on what they expect, and misbehave on request."""

from __future__ import annotations

import asyncio
from typing import Any

import kedge
import pytest
from kedge import Closed, Connect, Dispatch, Identify, Ready, Resume
from kedge.testing import Clock, Mismatch, Network, Peers
from kedge.testing.peer import matches, shown

HELLO = {"type": "hello", "seq": 0, "d": {"heartbeat_interval": 45000}}
READY = {
    "type": "ready",
    "seq": 1,
    "d": {"session_id": "s1", "protocol_version": 1, "capabilities": []},
}


async def let_in(link: kedge.aio.Link) -> None:
    async for event in link:
        if isinstance(event, Identify | Resume):
            link.accept(event, user=event.token, topics=["room"])


async def echo(websocket: kedge.websocket.WebSocket) -> None:
    async for message in websocket:
        await websocket.send(message)


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        (..., {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": ...}, {}, False),
        ({"a": {"b": str}}, {"a": {"b": "c"}}, True),
        ({"a": {"b": str}}, {"a": {"b": 1}}, False),
        ({}, [], False),
        ([1, ...], [1, 2], True),
        ([1], [1, 2], False),
        ([1], 1, False),
        ("ping", "ping", True),
        (None, None, True),
        (True, 1, True),
    ],
)
def test_a_pattern_names_what_matters(pattern: Any, value: Any, fits: bool) -> None:
    assert matches(pattern, value) is fits


def test_patterns_are_shown_as_they_would_be_written() -> None:
    assert shown({"a": [1, ..., str, None], "b": "ü"}) == '{"a": [1, ..., str, null], "b": "ü"}'
    assert shown(b"\x00\x01") == "2 bytes 0001"


def test_a_client_is_scripted_against_a_server() -> None:
    clock = Clock()
    peers = Peers()

    async def main() -> None:
        hub = kedge.gateway.Hub(clock=clock)
        async with (
            kedge.serve(let_in, hub=hub) as server,
            peers.connect(server.urls[0], "gateway") as peer,
        ):
            assert await peer.expect({"type": "hello"}) == HELLO
            peer.send({"type": "identify", "d": {"token": "anna"}})
            await peer.expect({"type": "ready", "d": {"session_id": str}})
            await peer.expect_nothing(10)
            hub.publish("room", "said", "hello")
            await peer.expect({"type": "said", "seq": 2, "d": "hello"})
            ended = await peer.expect_close(4007, within=70)
            assert ended.received == 4007
            with pytest.raises(Mismatch, match="the connection is over; not sent"):
                peer.send({"type": "heartbeat"})

    clock.run(main())
    lines = peers._records[0].transcript.lines
    assert lines[1].message == '{"type":"identify","d":{"token":"***"}}'
    assert lines[-1].code == 4007
    assert "AUTHENTICATING" in peers.report
    assert "the scripted gateway client of ws://" in peers.report


def test_a_server_is_scripted_against_a_client() -> None:
    clock = Clock()

    async def main() -> None:
        client = kedge.gateway.Client(token="ben", clock=clock)
        async with Peers().serve("gateway") as host, kedge.connect(host.url, client) as stream:
            peer = await host.accepted()
            assert peer.request is not None
            assert peer.request.target.startswith("/gateway?v=1")
            peer.send(HELLO)
            await peer.expect({"type": "identify", "d": {"token": "ben"}})
            peer.send(READY)
            beats = []

            def beat(message: Any) -> Any:
                beats.append(message)
                return {"type": "heartbeat_ack", "seq": 1, "d": {}}

            peer.answer({"type": "heartbeat"}, beat)
            await peer.expect_nothing(100)
            assert len(beats) >= 2
            peer.send({"type": "said", "seq": 2, "d": 1})
            await asyncio.sleep(1)
            peer.cut()
            again = await host.accepted(within=10)
            again.send(HELLO)
            await again.expect({"type": "resume", "d": {"session_id": "s1", "last_seq": 2}})
            again.close(4009, "expired")
            seen = []
            async for event in stream:
                seen.append(type(event))
                if isinstance(event, Closed) and event.code == 4009:
                    break
            assert seen == [Connect, Ready, Dispatch, Closed, Connect, Closed]

    clock.run(main())


def test_a_breach_is_marked_where_it_happens() -> None:
    peers = Peers()

    async def main() -> None:
        async with kedge.serve(echo) as server, peers.connect(server.urls[0], "gateway") as peer:
            peer.send({"type": "identify", "d": {}})
            await peer.expect()

    Clock().run(main())
    assert "! broken by the client: " in peers.report


def test_no_report_shows_a_token() -> None:
    peers = Peers()

    async def main() -> None:
        async with kedge.serve(echo) as server, peers.connect(server.urls[0]) as peer:
            for said in ({"token": "hunter2"}, '{"token": "hunter2', b'{"token": "hunter2"}'):
                peer.send(said)
                with pytest.raises(Mismatch) as told:
                    await peer.expect({"type": "other"})
                assert "hunter2" not in str(told.value)
                assert b"hunter2".hex() not in str(told.value)
            assert {type(line.message) for line in peer.lines} == {str, bytes}

    Clock().run(main())
    assert "token" in peers.report
    assert "hunter2" not in peers.report


def test_a_report_keeps_to_its_lines() -> None:
    peers = Peers()

    async def main() -> None:
        async with kedge.serve(echo) as server, peers.connect(server.urls[0]) as peer:
            peer.send("two\nlines" + "x" * 1000)
            await peer.expect()

    Clock().run(main())
    _, sent, _ = peers.report.splitlines()
    assert "two\ufffdlines" in sent
    assert sent.endswith("x ...")
    assert len(sent) < 200


def test_what_is_ignored_is_passed_over() -> None:
    async def main() -> None:
        async with kedge.serve(echo) as server, Peers().connect(server.urls[0]) as peer:
            peer.ignore({"type": "noise"})
            peer.answer("ping", "pong")
            for message in ({"type": "noise"}, "ping", {"type": "noise"}, {"type": "news"}):
                peer.send(message)
            await peer.expect({"type": "news"})
            await peer.expect("pong")
            peer.send(b"\x00binary")
            await peer.expect(b"\x00binary")
            peer.close(4321, "enough")
            assert (await peer.expect_close(4321)).reason == "enough"

    Clock().run(main())


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (
            lambda peer: peer.expect({"type": "other"}),
            'expected of the server: {"type": "other"}\n                   got: {"type": "news"}',
        ),
        (
            lambda peer: peer.expect_nothing(3),
            'expected of the server: nothing for 3 s\n                   got: {"type": "news"}',
        ),
        (
            lambda peer: peer.expect_close(),
            "expected of the server: the end of the connection\n"
            '                   got: {"type": "news"}',
        ),
    ],
)
def test_another_message_is_a_mismatch(expect: Any, message: str) -> None:
    async def main() -> None:
        async with kedge.serve(echo) as server, Peers().connect(server.urls[0]) as peer:
            peer.send({"type": "news"})
            await expect(peer)

    with pytest.raises(Mismatch) as told:
        Clock().run(main())
    assert str(told.value) == message


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (
            lambda peer: peer.expect(),
            "expected of the server: ...\n                   got: a close with 1000",
        ),
        (
            lambda peer: peer.expect_close(4000),
            "expected of the server: a close with 4000\n                   got: a close with 1000",
        ),
        (
            lambda peer: peer.expect_nothing(3),
            "expected of the server: nothing for 3 s\n                   got: a close with 1000",
        ),
    ],
)
def test_another_end_is_a_mismatch(expect: Any, message: str) -> None:
    async def leave(websocket: kedge.websocket.WebSocket) -> None:
        """Whose handler returns has its connection closed."""

    async def main() -> None:
        async with kedge.serve(leave) as server, Peers().connect(server.urls[0]) as peer:
            await expect(peer)

    with pytest.raises(Mismatch) as told:
        Clock().run(main())
    assert str(told.value) == message


def test_silence_is_a_mismatch_after_its_time() -> None:
    clock = Clock()

    async def main() -> None:
        async with kedge.serve(echo) as server, Peers().connect(server.urls[0]) as peer:
            await peer.expect({"type": "news"}, within=7)

    with pytest.raises(Mismatch, match="got: nothing within 7 s"):
        clock.run(main())
    assert clock.elapsed == pytest.approx(7, abs=0.1)


def test_a_client_that_never_comes_is_a_mismatch() -> None:
    async def main() -> None:
        async with Peers().serve("gateway") as host:
            await host.accepted(within=2)

    with pytest.raises(Mismatch, match="expected: a client that connects"):
        Clock().run(main())


def test_who_is_declined_hears_of_it() -> None:
    async def main() -> None:
        peers = Peers()
        async with peers.serve() as host:
            host.decline(401, [("x-why", "no")], b"who are you?")
            with pytest.raises(Mismatch, match="expected: the upgrade\n     got: 401"):
                async with peers.connect(host.url):
                    raise AssertionError("it was let in")
            async with peers.connect(host.url + "/any", subprotocols=["a"]):
                peer = await host.accepted()
                assert peer.request is not None
                assert (peer.request.target, peer.request.subprotocols) == ("/any", ("a",))

    Clock().run(main())


def test_a_server_that_is_no_websocket_does_not_let_anybody_wait() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def main() -> None:
        async with (
            await asyncio.start_server(lambda reader, writer: writers.append(writer), port=80),
            Peers().connect("ws://127.0.0.1:80", within=3),
        ):
            raise AssertionError("it was let in")

    with pytest.raises(Mismatch, match="expected: the upgrade\n     got: nothing within 3 s"):
        Clock().run(main())
    (writer,) = writers
    writer.close()


def test_a_request_that_is_no_upgrade_is_answered() -> None:
    async def main() -> None:
        async with Peers().serve() as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 404")
            writer.close()

    Clock().run(main())


def test_garbage_is_by_the_seed_and_closes() -> None:
    def garbage_of(seed: int) -> bytes:
        heard: list[bytes] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(10_000))
            writer.close()

        async def main() -> None:
            network = Network()
            async with Peers(seed).serve() as host, network.between(host.url) as url:
                reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2]))
                writer.write(
                    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                )
                await reader.readuntil(b"\r\n\r\n")
                peer = await host.accepted()
                peer.send_garbage(20)
                heard.append(await reader.readexactly(20))
                writer.close()

        Clock().run(main())
        return heard[0]

    assert garbage_of(1) == garbage_of(1)
    assert garbage_of(1) != garbage_of(2)


def test_who_is_silent_answers_nothing_until_he_goes_on() -> None:
    clock = Clock()

    async def main() -> None:
        pings = []

        async def ask(websocket: kedge.websocket.WebSocket) -> None:
            await websocket.send("are you there?")
            async for message in websocket:
                pings.append(message)

        async with (
            kedge.serve(ask, ping_interval=0) as server,
            Peers().connect(server.urls[0]) as peer,
        ):
            peer.go_silent()
            await peer.expect_nothing(100)
            peer.go_on()
            await peer.expect("are you there?")
            peer.send("yes")
            await asyncio.sleep(1)
            assert pings == ["yes"]
            peer.go_silent()
            await server.close()
            peer.go_on()
            await peer.expect_close()

    clock.run(main())


def test_who_was_silent_hears_of_a_cut_when_he_goes_on() -> None:
    async def main() -> None:
        network = Network()
        async with (
            kedge.serve(echo) as server,
            network.between(server.urls[0]) as url,
            Peers().connect(url) as peer,
        ):
            peer.go_silent()
            network.cut()
            await peer.expect_nothing(10)
            peer.send_raw(b"nobody is there")
            peer.go_on()
            assert (await peer.expect_close()).code is None

    Clock().run(main())


async def test_it_works_on_real_sockets() -> None:
    peers = Peers()
    async with kedge.serve(echo) as server, peers.connect(server.urls[0]) as peer:
        peer.send({"type": "news"})
        assert await peer.expect({"type": "news"}) == {"type": "news"}
    assert "the scripted raw client of ws://" in repr(peer)
