"""`kedge serve flowlayer` runs real processes, `kedge connect flowlayer` watches and commands them:
while one client is paused and one is cut, and over a restart of the server, which leaves none."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aio_world import Cable, following, soon, until
from kedge import cli, flowlayer
from kedge.cli import serve
from kedge.reference.supervisor import is_alive
from test_cli import Process, command, listening

COUNT = """
import itertools, os, sys, time
print(os.getpid(), file=sys.stderr, flush=True)
for n in itertools.count(1):
    print(n, flush=True)
    time.sleep(0.005)
"""


def service(name: str, *program: str) -> tuple[str, str]:
    return "--service", f"{name}={shlex.join(program)}"


COUNTING = service("count", sys.executable, "-c", COUNT)


def serving(*arguments: str) -> Any:
    return command("serve", "flowlayer", "--port", "0", "--token", "t", *arguments)


def connecting(url: str) -> Any:
    return command("connect", "flowlayer", url, "--token", "t")


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])


def is_log(event: dict[str, Any]) -> bool:
    return event["event"] == "dispatch" and event["name"] == "log"


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events if is_log(event)]


def epochs(run: Process) -> list[list[dict[str, Any]]]:
    """What came from each of the server's processes."""
    found: list[list[dict[str, Any]]] = [[]]
    for event in run.seen:
        if event["event"] == "epoch":
            found.append([])
        found[-1].append(event)
    return found


async def ask(run: Process, name: str, **payload: Any) -> dict[str, Any]:
    run.say(json.dumps({"command": name, "payload": payload}))
    return await run.event(lambda event: event.get("name") == name and "outcome" in event)


async def further(run: Process, lines: int) -> None:
    """So many lines more."""
    last = max(numbers(epochs(run)[-1]), default=0)
    await run.event(lambda event: is_log(event) and event["seq"] >= last + lines)


async def counting(run: Process) -> int:
    """The process that counts."""
    while True:
        logs = await ask(run, "get_logs", service="count", limit=10_000)
        for entry in logs["payload"]["entries"]:
            if entry["stream"] == "stderr":
                return int(entry["message"])


async def test_no_numbered_line_is_lost_or_doubled_whatever_happens() -> None:
    async with AsyncExitStack() as stack:
        cables = [await stack.enter_async_context(Cable().laid()) for _ in range(2)]
        runs: list[Process] = []
        for ending in (signal.SIGTERM, signal.SIGHUP):
            async with serving(*COUNTING, *service("none", "./not/there")) as server:
                port = port_of(await listening(server))
                for cable in cables:
                    cable.target = port
                if ending is signal.SIGTERM:
                    for cable in cables:
                        runs.append(await stack.enter_async_context(connecting(cable.url)))
                for run in runs:
                    await run.named("ready" if ending is signal.SIGTERM else "epoch")
                anna, ben = runs
                group = await counting(anna)
                for run in runs:
                    await further(run, 20)
                ben.process.send_signal(signal.SIGSTOP)
                await further(anna, 50)
                ben.process.send_signal(signal.SIGCONT)
                await further(ben, 60)
                cables[0].pull()
                await further(ben, 20)
                cables[0].plug()
                for run in runs:
                    await further(run, 30)
                assert is_alive(group)
                assert await server.end(ending) == 0
                assert not is_alive(group)
        for run in runs:
            assert await run.end() == 0
            assert not [event for event in run.seen if event["event"] == "gap"]
            first, second = epochs(run)
            for epoch in (first, second):
                told = numbers(epoch)
                assert told == list(range(told[0], told[0] + len(told)))
                lines = [
                    int(event["payload"]["message"])
                    for event in epoch
                    if is_log(event) and event["payload"]["stream"] == "stdout"
                ]
                assert lines == list(range(lines[0], lines[0] + len(lines)))


async def test_services_obey_their_clients() -> None:
    stay = service("stay", "sh", "-c", "echo up; sleep 60")
    async with (
        serving("--json", *stay, *service("none", "./not/there")) as server,
        connecting(await listening(server)) as run,
    ):
        ready = await run.named("ready")
        assert ready["payload"]["services"] == [
            {"name": "none", "status": "failed"},
            {"name": "stay", "status": "running"},
        ]

        async def refused(name: str, code: str, **payload: Any) -> dict[str, Any]:
            told = await ask(run, name, **payload)
            assert (told["outcome"], told["code"]) == ("refused", code)
            return told

        await refused("start_service", "unknown_service", service="other")
        await refused("start_service", "already_running", service=" stay ")
        await refused("stop_service", "not_running", service="none")
        failed = await refused("start_service", "service_failed", service="none")
        assert failed["payload"]["failed_services"] == ["none"]
        assert failed["message"] == "none cannot be started: ./not/there: No such file or directory"
        failed = await refused("start_all", "service_failed")
        assert failed["payload"]["failed_services"] == ["none"]
        for name in ("restart_service", "stop_service", "start_service"):
            assert (await ask(run, name, service="stay"))["outcome"] == "answered"
        assert (await ask(run, "stop_all"))["outcome"] == "answered"
        state = await ask(run, "get_snapshot")
        assert state["payload"]["services"][1] == {"name": "stay", "status": "stopped"}
        logs = await ask(run, "get_logs", service="stay", limit=1)
        (last,) = logs["payload"]["entries"]
        assert (last["message"], last["phase"]) == ("was ended by SIGTERM", "exit")
        assert await run.end() == 0
        assert await server.end(signal.SIGINT) == 0
        out, err = await server.rest()
        assert err == ""
        events = [json.loads(line) for line in out.splitlines()]
        assert {event["event"] for event in events} == {"service_status", "log"}
        stays = [event for event in events if event["service"] == "stay"]
        assert [event["status"] for event in stays if "status" in event] == [
            *("starting", "running"),
            *("stopping", "stopped", "starting", "running") * 2,
            *("stopping", "stopped"),
        ]


async def test_a_watcher_sees_the_end_of_the_services_and_then_of_the_server() -> None:
    async with serving(*service("it", "sleep", "60")) as server:
        url = await listening(server)
        async with following(url, flowlayer.Client(token="t")) as watcher:
            await until(lambda: watcher.of(flowlayer.Ready))
            assert await server.end() == 0
            closed = await watcher.closed()
            assert closed.code == 1001
            told = [event.data for event in watcher.of(flowlayer.Dispatch)][1:]
            assert [said.get("status") or said["message"] for said in told][-3:] == [
                *("stopping", "was ended by SIGTERM", "stopped")
            ]
        assert (await server.rest())[0].splitlines() == [
            "it: starting",
            "it: running",
            "it: stopping",
            "it: was ended by SIGTERM",
            "it: stopped",
        ]


async def test_the_wrong_token_and_good_health() -> None:
    async with serving(*service("it", "sleep", "60")) as server:
        url = await listening(server)
        async with following(url, flowlayer.Client(token="wrong")) as stranger:
            assert (await stranger.closed()).http_status == 403
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
        writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n")
        assert b" 200 " in await soon(reader.readline())
        writer.close()
        assert await server.end() == 0


async def test_services_survive_that_nobody_reads_what_is_said_of_them(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    end = service("end", "sh", "-c", f"sleep 0.3; echo > {shlex.quote(str(mark))}; exec sleep 60")
    arguments = ("serve", "flowlayer", "--port", "0", "--token", "t", *end)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kedge", *arguments, *service("die", "sleep", "0.2")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    await soon(process.stdout.readline())
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    await until(mark.exists)
    process.terminate()
    assert await soon(process.wait()) == 0
    assert await soon(process.stderr.read()) == b""


async def test_under_nohup_a_closed_terminal_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with serving(*service("it", "sleep", "60")) as server:
            url = await listening(server)
            server.process.send_signal(signal.SIGHUP)
            async with following(url, flowlayer.Client(token="t")) as watcher:
                await until(lambda: watcher.of(flowlayer.Ready))
            assert await server.end() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("services", "complaint"),
    [
        ((), "what is to be run"),
        (("web",), "NAME=COMMAND"),
        (("web= ",), "NAME=COMMAND"),
        (("=true",), "NAME=COMMAND"),
        ((" web=true",), "NAME=COMMAND"),
        (("web='true",), "No closing quotation"),
        (("web=true", "web=false"), "two web"),
    ],
)
def test_services_that_make_no_sense(
    services: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word for one in services for word in ("--service", one)]
    assert cli.main(["serve", "flowlayer", "--token", "t", *given]) == 2
    assert complaint in capsys.readouterr().err


def test_a_command_is_cut_into_words() -> None:
    options = argparse.Namespace(service=["web=python -c 'print(1, 2)' a=b"])
    assert serve.services_of(options) == {"web": ["python", "-c", "print(1, 2)", "a=b"]}
