"""kedge.serve with a hub, and kedge.connect with a client: sessions over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import kedge
import pytest
from aio_world import (
    TOPIC,
    Cable,
    Record,
    answer,
    client_of,
    following,
    handle,
    nothing_left,
    publish,
    soon,
    until,
)
from certificates import contexts
from kedge.aio import Link
from kedge.aio._alarm import Alarm
from kedge.gateway import (
    Attached,
    CloseCode,
    Closed,
    Connect,
    Dispatch,
    Event,
    Hub,
    Identify,
    Message,
    Publication,
    Ready,
    Resumed,
    Retry,
    Stop,
    WantCredentials,
)

compressions = pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])


@compressions
async def test_events_flow_both_ways_and_nothing_is_left(compress: bool) -> None:
    hub = Hub()
    async with nothing_left(), kedge.serve(handle, hub=hub) as server:
        client = client_of(compress=compress)
        async with following(server.urls[0], client) as record:
            await record.ready()
            publish(hub, 1, 3)
            await record.came(3)
            await record.stream.notify("presence_update", {"status": "idle"})
            await until(lambda: record.of(Dispatch)[-1].name == "presence_update")
            record.check(3)
        assert record.of(Closed)[-1].action == Stop()
        await until(lambda: server.connections == 0)
        assert [session.attached for session in hub.sessions()] == [False]
        await until(lambda: hub.counts["links"] == 0)


@compressions
async def test_a_cut_cable_is_noticed_by_nobody(compress: bool) -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server, Cable().laid() as cable:
        cable.target = server.port
        async with following(cable.url, client_of(compress=compress)) as record:
            await record.ready()
            publish(hub, 1, 10)
            await record.came(10)
            for cut in range(1, 4):
                cable.pull()
                await record.closed(cut)
                publish(hub, cut * 10 + 1, cut * 10 + 10)
                cable.plug()
                await record.resumed(cut)
            await record.came(40)
            record.check(40)
            assert [resumed.replayed for resumed in record.of(Resumed)] == [10, 10, 10]
            assert record.of(Closed)[0].action == Retry(record.of(Closed)[0].action.after, True)
            assert len(hub.sessions()) == 1


async def test_a_cable_cut_amid_a_flood_loses_nothing() -> None:
    hub = Hub(topic_history=(100_000, 1 << 30, 600.0))
    async with kedge.serve(handle, hub=hub) as server, Cable().laid() as cable:
        cable.target = server.port
        async with following(cable.url) as record:
            await record.ready()
            for part in range(20):
                publish(hub, part * 100 + 1, part * 100 + 100, size=1000)
                await until(lambda part=part: record.counts[-1:] > [part * 100])
                cable.pull()
                await asyncio.sleep(0)
                cable.plug()
            await record.came(2000)
            record.check(2000)
            assert len(record.of(Resumed)) >= 10


async def test_a_slow_reader_is_a_cursor_and_the_others_do_not_wait() -> None:
    """A client that takes nothing costs no memory and nobody's time; then it gets everything."""
    hub = Hub(topic_history=(100_000, 1 << 30, 600.0))
    async with (
        kedge.serve(handle, hub=hub) as server,
        kedge.connect(server.urls[0], client_of("slow"), events_max=4) as slow,
    ):
        while not isinstance(await anext(slow), Ready):
            pass
        async with following(server.urls[0]) as record:
            await record.ready()
            publish(hub, 1, 1500, size=20_000)
            await record.came(1500)
            record.check(1500)
            (link,) = (link for link in hub.links() if link.session.user == "slow")
            assert link.queued < 64  # nothing but the answer to a heartbeat, at most
            assert link.output_waiting
        took = []
        while len(took) < 1500:
            event = await soon(anext(slow))
            took.append(event.data["count"])
        assert took == list(range(1, 1501))


async def test_a_burst_that_awaits_nothing_outruns_nobody_who_reads() -> None:
    hub = Hub()
    async with (
        kedge.serve(handle, hub=hub) as server,
        following(server.urls[0], client_of("anna")) as anna,
    ):
        await anna.ready()
        publish(hub, 1, 5000)
        session = hub.sessions("anna")[0]
        for count in range(5001, 8001):
            hub.send(session, "tick", {"count": count})
        await anna.came(8000)
        anna.check(8000)
        assert anna.of(Closed) == []
    assert hub.counts["history_lost"] == 0


async def test_a_reader_that_the_history_outruns_is_told_so() -> None:
    hub = Hub(topic_history=(10, 1 << 30, 600.0))
    async with (
        kedge.serve(handle, hub=hub) as server,
        kedge.connect(server.urls[0], client_of("slow"), events_max=4) as slow,
    ):
        while not isinstance(await anext(slow), Ready):
            pass
        while hub.links() and not hub.links()[0].output_waiting:
            publish(hub, 1, 1, size=100_000)
            await asyncio.sleep(0)
        publish(hub, 1, 20, size=100_000)
        closed = None
        while closed is None:
            event = await soon(anext(slow))
            closed = event if isinstance(event, Closed) else None
        assert closed.code == CloseCode.REPLAY_EXHAUSTED


async def test_a_server_restarts_from_its_sealed_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with Cable().laid() as cable:
        first = Hub()
        async with kedge.serve(handle, hub=first, state=state) as server:
            cable.target = server.port
            stack = contextlib.AsyncExitStack()
            records = [
                await stack.enter_async_context(following(cable.url, client_of(name, compress=c)))
                for name, c in (("anna", True), ("ben", False))
            ]
            for record in records:
                await record.ready()
            publish(first, 1, 10)
            for record in records:
                await record.came(10)
        async with stack:
            for record in records:
                assert (await record.closed()).code == CloseCode.SERVER_RESTART
            assert stat.S_IMODE(state.stat().st_mode) == 0o600
            second = Hub()
            async with kedge.serve(handle, hub=second, state=state) as server:
                assert not state.exists()
                publish(second, 11, 20)
                cable.target = server.port
                for record in records:
                    await record.came(20)
                    record.check(20)
                    assert len(record.of(Ready)) == 1


async def test_a_state_that_is_none_is_put_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    state.write_bytes(b"no state")
    async with kedge.serve(handle, hub=Hub(), state=state) as server:
        assert server.port > 0
        assert (tmp_path / "state.rejected").read_bytes() == b"no state"
        assert "was not restored" in caplog.text
    assert state.exists()


async def test_a_server_that_does_not_begin_leaves_the_state_where_it_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with kedge.serve(handle, hub=Hub(), state=state) as server:
        port = server.port
    saved = state.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        hub = Hub()
        with pytest.raises(OSError, match="address already in use"):
            await kedge.serve(handle, port=port, hub=hub, state=state).__aenter__()
        assert state.read_bytes() == saved
    sealed = Hub()
    sealed.seal()
    async with nothing_left():
        with pytest.raises(kedge.StateError):
            await kedge.serve(handle, hub=sealed, state=state).__aenter__()
    assert state.read_bytes() == saved
    async with kedge.serve(handle, port=port, hub=hub, state=state):
        assert not state.exists()


async def test_what_goes_wrong_with_one_link_keeps_nothing_from_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failing:
        def __init__(self, owner: Any) -> None:
            self.deliver, self.gone = owner.deliver, owner.gone

        def written(self, wire: Any) -> None:
            raise ValueError("as it should")

    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server, contextlib.AsyncExitStack() as stack:
        records = [
            await stack.enter_async_context(following(server.urls[0], client_of(name)))
            for name in ("anna", "ben", "carl")
        ]
        for record in records:
            await record.ready()
        told: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", told.append)
        for wire in server._open:
            wire.owner = Failing(wire.owner)
            wire.tells_written = True
            break
        publish(hub, 1, 1)
        for record in records:
            await record.came(1)
        assert [str(one.exc_value) for one in told] == ["as it should"]
        for wire in server._open:
            wire.tells_written = False


async def test_a_handler_that_raises_costs_its_own_link_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def raising(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify | kedge.Resume):
                answer(link, event)
            elif isinstance(event, Message):
                raise ValueError("as it should")

    hub = Hub()
    async with (
        kedge.serve(raising, hub=hub) as server,
        following(server.urls[0]) as record,
        following(server.urls[0]) as other,
    ):
        await record.ready()
        await other.ready()
        await record.stream.notify("typing", {"feed_id": 1})
        closed = await record.closed()
        assert closed.code == CloseCode.UNKNOWN_ERROR
        await record.resumed()
        publish(hub, 1, 1)
        await record.came(1)
        await other.came(1)
        assert other.of(Closed) == []
    (logged,) = [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert logged.name == "kedge"
    assert "as it should" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_handler_that_returns_says_goodbye() -> None:
    async def brief(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                answer(link, event)
                break

    hub = Hub()
    async with kedge.serve(brief, hub=hub) as server:
        async with following(server.urls[0]) as record:
            closed = await record.closed()
            assert (closed.code, closed.action) == (1000, Stop())
        await until(lambda: not hub.sessions())


@pytest.mark.parametrize("raises", [False, True])
async def test_a_handler_that_ends_after_its_answer_has_given_it(raises: bool) -> None:
    async def brief(link: Link) -> None:
        assert link.accept(await anext(link), user="anna")
        if raises:
            raise ValueError("as it should")

    async with kedge.serve(brief, hub=Hub()) as server, following(server.urls[0]) as record:
        closed = await record.closed()
        assert closed.code == (CloseCode.UNKNOWN_ERROR if raises else 1000)
        assert len(record.of(Ready)) == 1


async def test_wrong_credentials_wait_for_better_ones() -> None:
    async with (
        kedge.serve(handle, hub=Hub()) as server,
        following(server.urls[0], client_of("wrong")) as record,
    ):
        closed = await record.closed()
        assert (closed.code, closed.action) == (CloseCode.AUTH_FAILED, WantCredentials())
        record.stream.set_credentials("anna")
        await record.ready()
        assert len(record.of(Connect)) == 2


async def test_an_answer_that_comes_too_late_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    answers: list[bool] = []

    async def slow(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                asked.set()
                await answered.wait()
                answers.append(link.accept(event, user="anna"))

    async with kedge.serve(slow, hub=Hub()) as server:
        async with following(server.urls[0]) as record:
            await soon(asked.wait())
            record.stream._drop()
            await until(lambda: server.connections == 0)
        answered.set()
        await until(lambda: answers)
    assert answers == [False]
    assert "Traceback" not in caplog.text


async def test_an_answer_given_twice_is_an_error() -> None:
    raised: list[Exception] = []

    async def twice(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                assert link.accept(event, user="anna")
                with contextlib.suppress(kedge.StaleTicketError):
                    link.accept(event, user="anna")
                    raise AssertionError("no error")
                raised.append(ValueError())

    async with kedge.serve(twice, hub=Hub()) as server, following(server.urls[0]) as record:
        await record.ready()
        await until(lambda: raised)


async def test_publishing_from_a_thread_reaches_everybody() -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()
        heard: list[int] = []

        def work(first: int) -> None:
            heard.extend(hub.publish(TOPIC, "tick", {"count": first + n}) for n in range(50))

        threads = [threading.Thread(target=work, args=(first,)) for first in (1, 51)]
        threads[0].start()
        await asyncio.to_thread(threads[0].join)
        threads[1].start()
        await asyncio.to_thread(threads[1].join)
        await record.came(100)
        record.check(100)
        assert heard == [1] * 100
        await asyncio.to_thread(hub.send, hub.sessions()[0], Publication("tick", {"count": 101}))
        await record.came(101)
        with pytest.raises(kedge.ArgumentError):
            await asyncio.to_thread(hub.publish, "", "tick")


async def test_a_thread_may_ask_a_hub_whatever_it_likes() -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()
        (session,) = hub.sessions()

        def ask() -> None:
            link = hub.link_of(session)
            assert link is not None
            assert hub.links() == [link]
            assert hub.counts["links"] == 1
            hub.limit_topic(TOPIC, (1, 1 << 20, 60.0))
            assert hub.close(session, reason="by a thread")

        await asyncio.to_thread(ask)
        assert (await record.closed()).reason == "by a thread"
        await record.resumed()


@pytest.mark.parametrize("how", ["hub", "core"])
async def test_somebody_is_thrown_out(how: str, caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    ended: list[Link] = []

    async def noting(link: Link) -> None:
        async for event in link:
            events.append(event)
            if isinstance(event, Identify | kedge.Resume):
                answer(link, event)
        ended.append(link)

    hub = Hub()
    async with kedge.serve(noting, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()
        (session,) = hub.sessions()
        if how == "hub":
            assert hub.close(session, 1000, "out")
        else:
            core = hub.link_of(session)
            assert core is not None
            core.close(1000, "out")
        closed = await record.closed()
        assert (closed.code, closed.reason) == (1000, "out")
        await until(lambda: ended and server.connections == 0)
        assert [type(event) for event in events[-1:]] == [Closed if how == "hub" else Attached]
        for link in ended:
            link.close()
            link.stop()
            assert ("closed 1000" if how == "hub" else "gone") in repr(link)
    assert caplog.records == []


async def test_a_handler_has_its_session_at_hand() -> None:
    async def greeting(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify | kedge.Resume):
                with pytest.raises(kedge.ClosedError):
                    link.send("greeting")
                answer(link, event)
            elif isinstance(event, Attached):
                link.unfollow(TOPIC)
                link.follow("own")
                link.send("greeting", {"user": link.session.user, "target": link.target})

    hub = Hub()
    async with kedge.serve(greeting, hub=hub) as server, following(server.urls[0]) as record:
        await until(lambda: record.of(Dispatch))
        hub.publish(TOPIC, "unheard")
        hub.publish("own", "heard")
        await until(lambda: len(record.of(Dispatch)) == 2)
        greeting_event, heard = record.of(Dispatch)
        assert greeting_event.data == {
            "user": "anna",
            "target": "/gateway?v=1&encoding=json",
        }
        assert heard.name == "heard"


async def test_a_resume_takes_the_session_over() -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()
        second = client_of()
        second.load(record.stream.client.save())
        async with following(server.urls[0], second) as other:
            await other.resumed()
            closed = await record.closed()
            assert closed.code == CloseCode.SESSION_EXPIRED
            assert len(hub.sessions()) >= 1


async def test_heartbeats_are_answered_while_the_handler_is_busy() -> None:
    hub = Hub(heartbeat_interval=0.1)
    busy = asyncio.Event()

    async def absent(link: Link) -> None:
        async for event in link:
            if isinstance(event, Identify):
                answer(link, event)
                await busy.wait()

    async with kedge.serve(absent, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()
        received = hub.links()[0].counts["received"]
        await until(lambda: hub.links()[0].counts["received"] > received + 3)
        assert record.of(Closed) == []
        busy.set()


async def test_a_silent_client_is_dropped_and_its_session_kept() -> None:
    hub = Hub(heartbeat_interval=0.05)
    async with kedge.serve(handle, hub=hub) as server:
        async with kedge.connect(server.urls[0].replace("/gateway", "/gateway?v=1")) as websocket:
            await websocket.send('{"type":"identify","d":{"token":"anna"}}')
            async for _ in websocket:
                pass
        assert websocket.closed.code == CloseCode.SESSION_TIMEOUT
        assert len(hub.sessions()) == 1


async def test_what_is_not_asked_for_rightly_is_answered() -> None:
    async def status(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    async with kedge.serve(handle, hub=Hub(), max_connections=1) as server:
        upgrade = (
            b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b" 404 " in await status(upgrade % b"/elsewhere")
        assert b" 404 " in await status(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 426 " in await status(b"GET /gateway HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 400 " in await status(upgrade % b"/gateway?encoding=etf")
        assert b" 101 " in await status(upgrade % b"/gateway")
        await until(lambda: server.connections == 0)
        async with following(server.urls[0]) as record:
            await record.ready()
            assert b" 503 " in await status(upgrade % b"/gateway")
        async with following(f"ws://127.0.0.1:{server.port}", client_of(path="/no")) as record:
            closed = await record.closed()
            assert (closed.http_status, closed.action) == (404, Stop())


async def test_garbage_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    async with kedge.serve(handle, hub=Hub()) as server:
        for garbage in (
            b"",
            b"\0" * 100,
            os.urandom(70_000),
            b"GET / HTTP/1.1\r\n" + b"x" * 20_000,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(garbage)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await soon(reader.read())
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await until(lambda: server.connections == 0)
        async with following(server.urls[0]) as record:
            await record.ready()
    assert [entry for entry in caplog.records if entry.levelno >= logging.ERROR] == []


async def test_a_server_that_stops_lets_clients_come_back_elsewhere() -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as first, Cable().laid() as cable:
        cable.target = first.port
        async with following(cable.url) as record:
            await record.ready()
            async with kedge.serve(handle, hub=hub) as second:
                cable.target = second.port
                await first.close()
                assert (await record.closed()).code == CloseCode.SERVER_RESTART
                await record.resumed()
                publish(hub, 1, 1)
                await record.came(1)
                assert first.connections == 0


async def test_a_handler_that_does_not_end_is_cancelled() -> None:
    ended: list[str] = []

    async def stubborn(link: Link) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async with (
        nothing_left(),
        kedge.serve(stubborn, hub=Hub(), close_timeout=0.05) as server,
        following(server.urls[0], client_of()),
    ):
        await until(lambda: server.connections == 1 and server._tasks)
        await server.close()
    assert ended == ["cancelled"]


async def test_a_hub_is_served_by_one_loop() -> None:
    hub = Hub()

    def elsewhere() -> None:
        async def attempt() -> None:
            async with kedge.serve(handle, hub=hub):
                raise AssertionError("served by two loops")

        with pytest.raises(kedge.StateError, match="another event loop"):
            asyncio.run(attempt())

    async with kedge.serve(handle, hub=hub):
        await asyncio.to_thread(elsewhere)
    async with kedge.serve(handle, hub=hub) as server, following(server.urls[0]) as record:
        await record.ready()


@pytest.mark.asyncio(loop_factories=["asyncio"])  # uvloop tells of no timers
async def test_one_timer_serves_a_whole_hub() -> None:
    hub = Hub()
    async with kedge.serve(handle, hub=hub) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            websocket = await stack.enter_async_context(
                kedge.connect(server.urls[0], ping_interval=0)
            )
            await websocket.send('{"type":"identify","d":{"token":"anna"}}')
        await until(lambda: len(hub.sessions()) == 5)
        loop: Any = asyncio.get_running_loop()
        timers = [timer for timer in loop._scheduled if not timer.cancelled()]
        alarms = [getattr(timer._callback, "__self__", None) for timer in timers]
        rung = [alarm._callback for alarm in alarms if isinstance(alarm, Alarm)]
        assert [callback for callback in rung if callback == hub._driver._turn] != []
        assert [callback for callback in rung if callback.__self__ in server._open] == []


# Python 3.10 complains of a TLS transport whose handshake failed, though its socket is closed.
@pytest.mark.filterwarnings(
    *(["ignore::pytest.PytestUnraisableExceptionWarning"] if sys.version_info < (3, 11) else [])
)
async def test_tls_carries_it_too(tmp_path: Path) -> None:
    serving, trusting = contexts(tmp_path)
    hub = Hub(topic_history=(100_000, 1 << 30, 600.0))
    async with nothing_left():
        async with kedge.serve(handle, hub=hub, ssl=serving) as server:
            assert server.urls == [f"wss://127.0.0.1:{server.port}/gateway"]
            async with following(server.urls[0], ssl=trusting) as record:
                await record.ready()
                publish(hub, 1, 300, size=10_000)
                await record.came(300)
                record.check(300)
            async with following(server.urls[0]) as distrusting:
                closed = await distrusting.closed()
                assert closed.code is None
                assert isinstance(closed.action, Retry)
            await until(lambda: server.connections == 0)
        # asyncio's own, of handshakes that the client gave up.
        await until(lambda: "_accept_connection2" not in str(asyncio.all_tasks()))


async def test_cancellation_leaves_nothing() -> None:
    hub = Hub()
    async with nothing_left():
        async with kedge.serve(handle, hub=hub) as server:
            seen: list[Ready] = []

            async def follow() -> None:
                async with kedge.connect(server.urls[0], client_of()) as stream:
                    async for event in stream:
                        if isinstance(event, Ready):
                            seen.append(event)

            task = asyncio.create_task(follow())
            await until(lambda: seen)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: server.connections == 0)
        assert [session.attached for session in hub.sessions()] == [False]


async def test_a_time_limit_leaves_nothing() -> None:
    """Nobody answers: neither the server that hangs nor the port that is closed."""
    silent = socket.create_server(("127.0.0.1", 0))
    closed = socket.create_server(("127.0.0.1", 0))
    address = closed.getsockname()
    closed.close()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(silent)
        await stack.enter_async_context(nothing_left())
        for port in (silent.getsockname()[1], address[1]):

            async def follow(port: int = port) -> None:
                async with kedge.connect(f"ws://127.0.0.1:{port}", client_of()) as stream:
                    async for event in stream:
                        assert isinstance(event, Connect | Closed)

            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(follow(), 0.1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_client_backs_off_while_there_is_nobody() -> None:
    async with Cable().laid() as cable:
        cable.pull()
        async with following(cable.url) as record:
            await until(lambda: len(record.of(Connect)) >= 4)
            assert [event.attempt for event in record.of(Connect)][:4] == [1, 2, 3, 4]
            async with kedge.serve(handle, hub=Hub()) as server:
                cable.target = server.port
                cable.plug()
                await record.ready()


async def test_why_there_is_no_connection_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with caplog.at_level(logging.INFO, "kedge"):
        async with following(f"ws://127.0.0.1:{port}", client_of("s3cr3t")) as record:
            await record.closed(2)
    told = [entry.getMessage() for entry in caplog.records]
    assert len(told) >= 2
    assert told[0].startswith(f"no connection to 127.0.0.1:{port}: ")
    assert "Connect" in told[0]
    assert "s3cr3t" not in caplog.text


async def test_two_tasks_cannot_read_one_stream() -> None:
    async with kedge.serve(handle, hub=Hub()) as server, following(server.urls[0]) as record:
        await record.ready()
        with pytest.raises(kedge.StateError, match="another task"):
            await anext(record.stream)


async def test_messages_wait_for_a_session_and_end_with_the_client() -> None:
    hub = Hub()
    async with (
        kedge.serve(handle, hub=hub) as server,
        kedge.connect(server.urls[0], client_of()) as stream,
    ):
        await soon(stream.notify("presence_update", {"status": "dnd"}))
        names = []
        while "presence_update" not in names:
            event = await soon(anext(stream))
            names.append(event.name if isinstance(event, Dispatch) else "")
        with pytest.raises(kedge.Error):
            await stream.notify("typing", {"feed_id": 1, "dm_id": 2})
        await stream.aclose()
        with pytest.raises(kedge.ClosedError):
            await stream.notify("typing", {"feed_id": 1})


async def test_a_record_is_strict() -> None:
    """The tests' own measure: it does not overlook what it is there for."""
    async with kedge.connect("ws://127.0.0.1:1", client_of()) as stream:
        record = Record(stream)
        record.events = [Ready("s"), Dispatch("tick", 2, payload=b'{"count": 1}')]
        record.check(1)
        record.events.append(Dispatch("tick", 4, payload=b'{"count": 2}'))
        with pytest.raises(AssertionError):
            record.check(2)
