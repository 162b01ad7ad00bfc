"""Every program on the how-to pages does what its page says."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import urllib.request
from pathlib import Path

import kedge
import pytest
import websockets
from kedge import Closed, Dispatch, Ready, WantCredentials
from pages import ROOT, Page, Program, untaken, workshop

PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))

# Those with programs, each with a test below.
TESTED = (
    "aiohttp",
    "command-line",
    "fastapi",
    "from-a-deque",
    "limits",
    "plain-websocket",
    "restart",
    "security",
    "supervise",
    "testing",
    "transcripts",
    "websockets",
)


def test_each_page_with_programs_has_a_test() -> None:
    assert tuple(path.stem for path in PAGES if Page(path).left) == TESTED


async def events_until(stream: kedge.aio.Stream, last: type[kedge.Event]) -> list[kedge.Event]:
    """The events of a stream up to the first of that type."""
    events = []
    while not (events and isinstance(events[-1], last)):
        events.append(await asyncio.wait_for(anext(stream), 30))
    return events


async def said(program: Program, pattern: str) -> None:
    await asyncio.to_thread(program.wait_for, pattern)


async def test_fastapi(tmp_path: Path) -> None:
    with workshop("how-to/fastapi.md", tmp_path) as shop:
        shop.write("app.py")
        assert untaken(shop) == []
        port = shop.port("8765")
        app = shop.run("-m", "uvicorn", "app:app", "--port", port)
        await said(app, "Uvicorn running on")
        client = kedge.gateway.Client(token="t0ken-of-ben")
        async with kedge.connect(f"ws://127.0.0.1:{port}", client) as stream:
            await events_until(stream, Ready)
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/feeds/1/messages",
                data=b'{"text":"hello"}',
                headers={"Content-Type": "application/json"},
            )
            answer = await asyncio.to_thread(urllib.request.urlopen, request)
            with answer:
                assert json.load(answer) == {"told": 1}
            (told,) = await events_until(stream, Dispatch)
            assert told == Dispatch("message_create", 2, payload=b'{"text":"hello"}')


async def test_transcripts(tmp_path: Path) -> None:
    with workshop("how-to/transcripts.md", tmp_path) as shop:
        for title in ("record.py", "decode.py"):
            shop.write(title)
        assert untaken(shop) == []
        decode = shop.run("decode.py")
        await said(decode, "^message 7 hello$")
        await said(decode, '^b.{"seq":8,"type":"message","d":{"text":"hello"}}.$')
        await said(decode, "^ENVELOPE_MEMBER_TYPE at byte 24$")
        record = shop.run("record.py")
        assert await asyncio.to_thread(record.process.wait, 30) == 0
        told = shop.run("-m", "kedge", "explain", "gateway", "talk.jsonl")
        for name in ("hello", "identify", "ready", "message", "close 1000"):
            await said(told, f"  {name}  ")
        await said(told, "^whole: ")
        assert "secret" not in (tmp_path / "talk.jsonl").read_text()


async def test_plain_websocket(tmp_path: Path) -> None:
    with workshop("how-to/plain-websocket.md", tmp_path) as shop:
        for title in ("tasks.py", "room.py", "bytes.py"):
            shop.write(title)
        assert untaken(shop) == []
        await said(shop.run("tasks.py"), "^HELLO$")
        await said(shop.run("bytes.py"), "^hello$")
        await said(shop.run("room.py"), "^listening$")
        url = f"ws://127.0.0.1:{shop.port('8765')}"
        for refused in (websockets.connect(url), websockets.connect(f"{url}/room", origin="null")):
            with pytest.raises(websockets.InvalidStatus, match="HTTP 403"):
                await refused
        async with (
            websockets.connect(f"{url}/room", origin="https://example.org") as anna,
            websockets.connect(f"{url}/room") as ben,
        ):
            await anna.send('{"text": "ahoy"}')
            assert await anna.recv() == await ben.recv() == '{"said": "ahoy"}'
            await ben.send("ahoy")
            with pytest.raises(websockets.ConnectionClosedError, match="1007"):
                await ben.recv()
            await anna.send('{"text": "again"}')
            assert await anna.recv() == '{"said": "again"}'


async def test_aiohttp(tmp_path: Path) -> None:
    with workshop("how-to/aiohttp.md", tmp_path) as shop:
        for title in ("server.py", "client.py"):
            shop.write(title)
        assert untaken(shop) == []
        shop.port("8765")
        await said(shop.run("server.py"), "Running on")
        client = shop.run("client.py")
        await said(client, "^{'told': True}$")
        await said(client, "^hello$")


async def test_websockets(tmp_path: Path) -> None:
    with workshop("how-to/websockets.md", tmp_path) as shop:
        for title in ("server.py", "routes.py", "client.py"):
            shop.write(title)
        assert untaken(shop) == []
        shop.port("8765")
        other = shop.port("8766")
        await said(shop.run("server.py"), "^listening$")
        await said(shop.run("client.py"), "^[0-9]+ hello$")
        await said(shop.run("routes.py"), "^listening$")
        answer = await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{other}/")
        with answer:
            assert answer.read() == b"This is a supervisor.\n"
        client = kedge.flowlayer.Client(token="secret")
        async with kedge.connect(f"ws://127.0.0.1:{other}", client) as stream:
            await events_until(stream, Ready)
            assert client.services == {"web": "running"}


async def test_from_a_deque(tmp_path: Path) -> None:
    with workshop("how-to/from-a-deque.md", tmp_path) as shop:
        for title in ("by_hand.py", "server.py"):
            shop.write(title)
        assert untaken(shop) == []
        url = f"ws://127.0.0.1:{shop.port('8765')}"

        by_hand = shop.run("by_hand.py")
        await said(by_hand, "^listening$")
        async with websockets.connect(url) as ws:
            await ws.send('{"last_seq": 0}')
            await ws.send("anything")
            assert json.loads(await ws.recv())["seq"] == 1
        async with websockets.connect(url) as ws:
            await ws.send('{"last_seq": 0}')
            assert json.loads(await ws.recv())["seq"] == 1
        by_hand.end()

        await said(shop.run("server.py"), "^listening$")
        client = kedge.gateway.Client(token="anna", any_type=True)
        async with kedge.connect(url, client) as stream:
            await events_until(stream, Ready)
            await stream.notify("anything")
            (told,) = await events_until(stream, Dispatch)
            assert told == Dispatch("said", 2, payload=b'"somebody said something"')


def test_limits(tmp_path: Path) -> None:
    with workshop("how-to/limits.md", tmp_path) as shop:
        program = shop.run(shop.write("limits.py"))
        program.wait_for("^0 sessions$")
        assert untaken(shop) == []


async def test_restart(tmp_path: Path) -> None:
    with workshop("how-to/restart.md", tmp_path) as shop:
        shop.run(shop.write("by_hand.py")).wait_for("^0 sessions came over$")
        shop.write("server.py")
        assert untaken(shop) == []
        url = f"ws://127.0.0.1:{shop.port('8765')}"
        client = kedge.gateway.Client(token="anna", restart_spread=0.1)
        server = shop.run("server.py")
        async with kedge.connect(url, client) as stream:
            await events_until(stream, Ready)
            assert await asyncio.to_thread(server.signal, signal.SIGTERM) == 0
            state = tmp_path / "gateway.state"
            assert state.stat().st_mode & 0o777 == 0o600
            shop.run("server.py")
            events = await events_until(stream, kedge.Resumed)
            assert not state.exists()
    (told,) = (event for event in events if isinstance(event, Dispatch))
    assert told == Dispatch("started", 2, payload=b'{"sessions":1}')


def test_command_line(tmp_path: Path) -> None:
    with workshop("how-to/command-line.md", tmp_path) as shop:
        serving, connecting, machine = [
            shop.take(name, "sh") for name in ("serve", "connect", "json")
        ]
        typed, line = shop.take("said", "json"), json.loads(shop.take("line", "json"))
        assert untaken(shop) == []
        server = shop.run("-m", *shlex.split(serving.replace("1s", "100ms")))
        server.wait_for("^listening on ws://")
        anna = shop.run("-m", *shlex.split(connecting))
        ben = shop.run("-m", *shlex.split(machine))
        anna.wait_for(r"^\d\d:\d\d:\d\d\.\d{3}  --  connect +attempt=1$")
        anna.wait_for(r"  --  ready #1 +session_id=[0-9a-f]+  \{")
        anna.wait_for(r'  <-  tick #[0-9]+ +\{"count":[0-9]+,"server_time":[0-9]+\}$')
        anna.say(typed.strip())
        anna.wait_for(r'  <-  presence_update #[0-9]+ +\{"status":"idle"\}$')
        told = json.loads(ben.wait_for('^.*"dispatch".*$')[0])
        assert told.keys() == line.keys()
        assert told["d"].keys() == line["d"].keys()
        for program in (anna, ben, server):
            assert program.signal(signal.SIGINT) == 0


def test_supervise(tmp_path: Path) -> None:
    with workshop("how-to/supervise.md", tmp_path) as shop:
        for title in ("own.py", "keeper.py"):
            shop.write(title)
        serving, watching, commands = [
            shop.take(title, language)
            for title, language in (("supervise", "sh"), ("watch", "sh"), ("commands", "json"))
        ]
        assert untaken(shop) == []

        server = shop.run("-m", *shlex.split(serving.replace("\\\n", "")))
        server.wait_for("^listening on ws://")
        server.wait_for("^web: running$")
        watcher = shop.run("-m", *shlex.split(watching))
        watcher.wait_for('log #[0-9]+ .*"service":"clock"')
        for line in commands.splitlines():
            watcher.say(line)
            watcher.wait_for(" answered +line=")
        assert server.signal(signal.SIGINT) == 0
        server.wait_for("^web: stopped$")
        watcher.end()

        shop.port("8765")
        own = shop.run("own.py")
        job = int(own.wait_for("^it runs as process ([0-9]+)$")[1])
        own.wait_for("^job half done$")
        keeper = shop.run("keeper.py")
        keeper.wait_for("^{'job': 'running'}$")
        os.kill(job, signal.SIGKILL)
        keeper.wait_for("^[0-9]+ job was ended by SIGKILL$")
        keeper.wait_for("^[0-9]+ job half done$")
        own.signal(signal.SIGINT)
        own.wait_for("^job stopped$")


@pytest.mark.parametrize(("token", "known"), [("t0ken-of-anna", True), ("anna", False)])
async def test_security(token: str, known: bool, tmp_path: Path) -> None:
    with workshop("how-to/security.md", tmp_path) as shop:
        program = shop.run(shop.write("who.py"))
        assert untaken(shop) == []
        await said(program, "^listening on")
        client = kedge.gateway.Client(token=token)
        async with kedge.connect(f"ws://127.0.0.1:{shop.port('8765')}", client) as stream:
            if not known:
                closed = (await events_until(stream, Closed))[-1]
                assert (closed.code, closed.action) == (4004, WantCredentials())
                return
            await events_until(stream, Ready)
            await stream.notify("presence_update", {"status": "idle", "user": "ben"})
            (told,) = await events_until(stream, Dispatch)
            assert told.data == {"status": "idle", "user": "anna"}


def test_testing(tmp_path: Path) -> None:
    """The tests on the page test the app of the FastAPI page."""
    app = Page(ROOT / "docs/how-to/fastapi.md").take("app.py")
    (tmp_path / "app.py").write_text(app)
    with workshop("how-to/testing.md", tmp_path) as shop:
        code = shop.page.take("test_app.py")
        (tmp_path / "test_app.py").write_text(code)
        assert untaken(shop) == []
        options = ("-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error")
        run = shop.run("-m", "pytest", *options, "test_app.py")
        run.wait_for("^6 passed")
