"""The `kedge` command, as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import json
import os
import re
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kedge
import pytest
from aio_world import Cable, client_of, following, soon, until
from kedge import cli
from kedge._words import Pen
from kedge.cli import _common, _events, connect
from kedge.gateway import Closed, Dispatch, Ready


def test_the_package_is_the_command() -> None:
    assert importlib.import_module("kedge.__main__").main is cli.main


class Process:
    """A running command; its lines of stdout are taken one by one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await soon(self.process.stdout.readline())).decode().rstrip("\n")

    async def event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Reads lines of JSON up to one that is wanted."""
        while True:
            line = await self.line()
            assert line, f"ended after {self.seen}"
            event: dict[str, Any] = json.loads(line)
            self.seen.append(event)
            if wanted(event):
                return event

    async def named(self, kind: str) -> dict[str, Any]:
        return await self.event(lambda event: event["event"] == kind)

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await soon(self.process.wait())

    async def rest(self) -> tuple[str, str]:
        out, err = await soon(self.process.communicate())
        return out.decode(), err.decode()


@asynccontextmanager
async def command(
    *arguments: str | Path, words: bool = False, **environment: str
) -> AsyncIterator[Process]:
    """`connect` tells JSON, unless its words are wanted."""
    if arguments[0] == "connect" and not words:
        arguments += ("--json",)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kedge", *map(str, arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error", **environment},
        limit=1 << 24,  # of a line, in which all logs may be
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def failing(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """The exit status and what is said, of a command that ends by itself."""
    async with command(*arguments, **environment) as run:
        _, err = await run.rest()
        assert run.process.returncode is not None
        return run.process.returncode, err


async def listening(run: Process) -> str:
    """The url of the first line."""
    before, _, url = (await run.line()).rpartition(" ")
    assert before == "listening on"
    return url


@pytest.mark.parametrize("compress", [(), ("--compress",)], ids=["plain", "compressed"])
async def test_a_server_and_two_clients_of_the_command(compress: tuple[str, ...]) -> None:
    users = ("--user", "anna=a", "--user", "ben=b")
    async with command("serve", "gateway", "--port", "0", *users) as server:
        url = await listening(server)
        assert url.startswith("ws://127.0.0.1:")
        assert url.endswith("/gateway")
        anna = ("connect", "gateway", url, *compress, "--token", "a")
        async with (
            command(*anna) as first,
            command("connect", "gateway", url, KEDGE_TOKEN="b") as second,
        ):
            ready = await first.named("ready")
            assert ready["seq"] == 1
            assert ready["d"]["user_id"] == "anna"
            await second.named("ready")
            first.say('{"type": "presence_update", "d": {"status": "dnd"}}')
            for run in (first, second):
                event = await run.named("dispatch")
                assert event == {
                    "event": "dispatch",
                    "name": "presence_update",
                    "seq": 2,
                    "d": {"status": "dnd"},
                }
            first.say("no message")
            first.say('{"type": "typing"}')
            first.say('{"type": "typing", "d": {"feed_id": 7}}')
            assert (await second.named("dispatch"))["d"] == {"feed_id": 7}
            second.say('{"type": "mls_relay", "d": {"mls_type": "commit", "data": "x"}}')
            assert (await first.named("dispatch"))["name"] == "mls_relay"
            assert await first.end(signal.SIGINT) == 0
            assert "not sent" in (await first.rest())[1]
            assert await second.end() == 0
        assert await server.end() == 0
        assert await server.rest() == ("", "")


async def test_sessions_outlive_the_server(tmp_path: Path) -> None:
    state, secret = tmp_path / "state", tmp_path / "token"
    secret.write_text("s3cr3t\n")
    serve = ("serve", "gateway", "--port", "0", "--token-file", secret, "--state", state)
    async with Cable().laid() as cable, following(cable.url, client_of("s3cr3t")) as record:
        for round in (1, 2, 3):
            async with command(*serve, "--every", "10ms") as server:
                cable.target = int((await listening(server)).split(":")[2].split("/")[0])
                seen = len(record.of(Dispatch))
                await until(lambda seen=seen: len(record.of(Dispatch)) > seen + 5)
                assert await server.end(signal.SIGINT) == 0
                said = (await server.rest())[1]
                assert f"kedge: saved 1 sessions in {state}\n" in said
                assert (f"kedge: restored 1 sessions from {state}\n" in said) == (round > 1)
            assert stat.S_IMODE(state.stat().st_mode) == 0o600
            assert b"s3cr3t" not in state.read_bytes()
            await until(
                lambda round=round: [c.code for c in record.of(Closed)].count(4008) == round
            )
        assert len(record.of(Ready)) == 1
        assert record.numbers == list(range(1, len(record.numbers) + 1))


async def test_a_cut_cable_and_a_paused_process() -> None:
    """kill -STOP past the heartbeat deadline, then a cut: resumed, nothing lost or doubled."""
    async with (
        command(
            *("serve", "gateway", "--port", "0", "--token", "t"),
            *("--every", "20ms", "--heartbeat", "100ms"),
        ) as server,
        Cable().laid() as cable,
    ):
        cable.target = int((await listening(server)).split(":")[2].split("/")[0])
        async with command("connect", "gateway", cable.url, "--token", "t") as client:
            await client.event(lambda event: event.get("seq") == 5)
            client.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.4)
            client.process.send_signal(signal.SIGCONT)
            await client.named("resumed")
            cable.pull()
            cable.plug()
            await client.named("resumed")
            assert await client.end() == 0
            numbers = [event["seq"] for event in client.seen if event["event"] in NUMBERED]
            assert numbers == list(range(1, len(numbers) + 1))
            closed = [event for event in client.seen if event["event"] == "closed"]
            assert all(event["action"]["retry"]["resume"] for event in closed)
        assert await server.end() == 0


NUMBERED = ("ready", "dispatch")


async def test_a_client_that_is_refused_says_so() -> None:
    async with command("serve", "gateway", "--port", "0", "--token", "t") as server:
        url = await listening(server)
        status, err = await failing("connect", "gateway", url, "--token", "wrong")
        assert status == 1
        assert "4004" in err
        status, err = await failing("connect", "gateway", f"{url}/elsewhere", "--token", "t")
        assert status == 1
        assert "HTTP status 404" in err


async def test_a_client_says_why_there_is_no_connection() -> None:
    async with command("connect", "gateway", "ws://127.0.0.1:1", "--token", "s3cr3t") as client:
        assert client.process.stderr is not None
        said = (await soon(client.process.stderr.readline())).decode()
        assert said.startswith("kedge: no connection to 127.0.0.1:1: ")
        assert "s3cr3t" not in said
        assert await client.end(signal.SIGINT) == 0


async def test_echo_and_raw() -> None:
    async with command("serve", "echo", "--port", "0") as server:
        url = await listening(server)
        async with command("connect", "raw", url) as client:
            assert (await client.named("opened")) == {"event": "opened"}
            client.say("grüße")
            assert (await client.named("text"))["text"] == "grüße"
            client.process.stdin.close()
            assert await server.end() == 0
            closed = await client.named("closed")
            assert closed["code"] == 1001
            assert await soon(client.process.wait()) == 0
    status, err = await failing("connect", "raw", url)
    assert status == 1
    assert err.startswith("kedge: ")


async def test_binary_messages_are_shown() -> None:
    async def send(websocket: kedge.websocket.WebSocket) -> None:
        await websocket.send(b"\x00\xff")

    async with kedge.serve(send) as server, command("connect", "raw", server.urls[0]) as client:
        assert (await client.named("binary"))["base64"] == "AP8="
        assert (await client.named("closed"))["code"] == 1000
        assert await soon(client.process.wait()) == 0


async def test_who_reads_no_more_ends_it() -> None:
    async with command("serve", "gateway", "--port", "0", "--token", "t", "--every", "1ms") as run:
        url = await listening(run)
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m kedge connect gateway {url} --token t | head -n 3",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await soon(process.communicate())
        assert len(out.splitlines()) == 3
        assert err == b""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("serve",),
        ("serve", "gateway"),
        ("serve", "gateway", "--user", "anna"),
        ("serve", "gateway", "--token", "t", "--token-file", "f"),
        ("serve", "gateway", "--token", "t", "--every", "soon"),
        ("connect", "gateway", "ws://127.0.0.1:1"),
        ("connect", "flowlayer", "ws://127.0.0.1:1"),
        ("connect", "gateway", "ws://127.0.0.1:1", "--token", "t", "--backoff", "2s"),
        ("connect", "gateway", "ws://127.0.0.1:1", "--token", "t", "--backoff", "2s..1s"),
        ("connect", "raw", "http://127.0.0.1:1"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.delenv("KEDGE_TOKEN", raising=False)
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert "kedge" in capsys.readouterr().err


def test_the_help_names_what_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["serve", "--help"], ["connect", "--help"], ["demo", "--help"]):
        with pytest.raises(SystemExit):
            cli.main(arguments)
    said = capsys.readouterr().out
    for name in ("gateway", "flowlayer", "messaging", "blobhub", "raw", "echo"):
        assert name in said


def test_a_payload_stays_as_it_came_on_one_line() -> None:
    payload = b'{"big": 123456789012345678901234567890,\r\n "float": 1e999}'
    event = Dispatch("x", 3, payload=payload)
    assert _events.json_line(_events.head_of(event), "d", event.payload) == (
        '{"event": "dispatch", "name": "x", "seq": 3,'
        ' "d": {"big": 123456789012345678901234567890,   "float": 1e999}}'
    )


def shown(event: Any, width: int = 120) -> str:
    """The line that people see, without its time."""
    head, payload = _events.head_of(event), getattr(event, "payload", None)
    line = _events.words(head, payload, Pen(io.StringIO()), width)
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  ", line)
    assert len(line) <= width
    return re.sub("   +", "  ", line[14:])


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (kedge.Connect(1, True), "--  connect  attempt=1  resume=true"),
        (Ready("abc", 1), "--  ready #1  session_id=abc"),
        (Dispatch("said", 2, payload=b'{ "a b" : [ 1,\n 2 ] }'), '<-  said #2  {"a b":[1,2]}'),
        (Dispatch("said", 0), "<-  said"),
        (
            Closed(4008, "so", kedge.Retry(1.2345, True)),
            "--  closed 4008  so  again in 1.2 s, resuming  cause=OK",
        ),
        (Closed(action=kedge.Stop()), "--  closed  for good  cause=OK"),
        (Closed(action=kedge.Retry(3)), "--  closed  again in 3 s  cause=OK"),
        (
            Closed(http_status=403, action=kedge.WantCredentials()),
            "--  closed  wants other credentials  cause=OK  http_status=403",
        ),
        (
            kedge.Subscription(kedge.Coordinates("org", "1", "blob", "7"), "touched", b"1"),
            "<-  subscription touched  org:1/blob:7  1",
        ),
        (
            kedge.Subscription(kedge.Coordinates(target="blob", target_id="7"), "touched"),
            "<-  subscription touched  blob:7",
        ),
        (kedge.Request("client/name", id="1"), "<-  request client/name"),
        (
            kedge.Outcome(3, "refused", "chat", "none", "a\nb", about={"x": 1}),
            '<-  chat refused  a\ufffdb  code=none  about={"x": 1}',
        ),
        (
            Dispatch("x" * 50 + "\033", 3, payload=b'"\xff' + b"x" * 1000),
            f'<-  {"x" * 36} ... #3  "\ufffd{"x" * 51} ...',
        ),
    ],
)
def test_an_event_is_a_line_that_a_person_can_read(event: Any, line: str) -> None:
    assert shown(event) == line


def test_there_is_always_room_for_something() -> None:
    line = _events.words({"event": "text", "text": "x" * 50}, None, Pen(io.StringIO()), 10)
    assert line.endswith("  " + "x" * 12 + " ...")


async def test_words_are_for_people() -> None:
    async with command("serve", "gateway", "--port", "0", "--token", "t", "--every", "9ms") as run:
        url = await listening(run)
        backoff = ("--backoff", "10ms..1s")
        async with command(
            "connect", "gateway", url, "--token", "t", *backoff, words=True
        ) as client:
            lines = [(await client.line())[14:] for _ in range(3)]
            assert [line.split()[:2] for line in lines] == [
                ["--", "connect"],
                ["--", "ready"],
                ["<-", "tick"],
            ]
            assert re.search(r'#2 +\{"count":', lines[2])
            assert "\033" not in "".join(lines)
            assert await client.end() == 0


def test_colours_and_width_are_a_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    said = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        options = argparse.Namespace(json=False)
        _events.teller(options, "d")({"event": "text", "text": "x" * 100}, None)
        said[type(stream)] = stream.getvalue()
    assert said[io.StringIO].endswith("x" * 100 + "\n")
    assert "\033[36m<-\033[0m" in said[Terminal]
    bare = re.sub(r"\033\[\d+m", "", said[Terminal])
    assert len(bare) == 71
    assert bare.endswith("x ...\n")


def test_spans_of_time() -> None:
    assert [_common.duration(text) for text in ("500ms", "1s", "1.5", "2m", "1h")] == [
        *(0.5, 1.0, 1.5, 120.0, 3600.0)
    ]


def test_two_spans_of_time() -> None:
    assert _common.spans("50ms..2m") == (0.05, 120.0)
    for text in ("1s", "1s..", "soon..1s"):
        with pytest.raises(argparse.ArgumentTypeError):
            _common.spans(text)


def test_every_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    taught = [("connect", name) for name in (*connect.KINDS, "raw")]
    taught += [("serve", name) for name in (*connect.KINDS, "echo")]
    for words in ((), ("explain",), ("demo",), *taught):
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        said = capsys.readouterr().out
        assert " ".join(("kedge", *words)) in said[said.index("Examples:") :]
        assert "Exit status: 0 " in said


def test_a_url_gives_its_path_to_the_client() -> None:
    assert connect.settings_of("ws://h:1", "gateway") == ("ws://h:1", {"compress": False})
    assert connect.settings_of("ws://h/x?v=1&encoding=json&compress=zstd&a=b", "gateway") == (
        *("ws://h", {"compress": True, "path": "/x?a=b"}),
    )
    assert connect.settings_of("wss://h/?v=1", "blobhub") == ("wss://h", {"path": "/v1/?v=1"})
