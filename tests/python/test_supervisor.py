"""The supervisor, with real processes: what it tells of them, and that none is left."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aio_world import nothing_left, soon, until
from kedge.reference import supervisor as module
from kedge.reference.supervisor import RefusedError, Supervisor

PRINT_AND_STAY = "print('up', flush=True); import time; time.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def shell(code: str) -> list[str]:
    return ["sh", "-c", code]


class Book:
    """What a supervisor published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def publish(self, name: str, payload: dict[str, Any]) -> None:
        self.events.append((name, payload))

    def statuses(self, service: str) -> list[str]:
        return [
            said["status"]
            for name, said in self.events
            if name == "service_status" and said["service"] == service
        ]

    def entries(self, service: str) -> list[dict[str, Any]]:
        return [said for name, said in self.events if name == "log" and said["service"] == service]

    def lines(self, service: str, *phases: str) -> list[str]:
        entries = self.entries(service)
        return [one["message"] for one in entries if not phases or one["phase"] in phases]

    async def printed(self, service: str, line: str) -> None:
        await until(lambda: line in self.lines(service))

    async def became(self, service: str, status: str) -> None:
        await until(lambda: self.statuses(service)[-1:] == [status])


@asynccontextmanager
async def supervising(
    services: dict[str, Sequence[str]], **options: Any
) -> AsyncIterator[tuple[Supervisor, Book]]:
    """In the end no process of any group is left, and nothing of asyncio's."""
    book = Book()
    groups: set[int] = set()
    supervisor = Supervisor(services, lambda *said: (note(), book.publish(*said)), **options)

    def note() -> None:
        processes = [supervisor.process_of(name) for name in services]
        groups.update(process for process in processes if process is not None)

    async with nothing_left():
        async with supervisor:
            yield supervisor, book
        assert [group for group in groups if module.is_alive(group)] == []
        assert {supervisor.process_of(name) for name in services} == {None}


async def refused(begin: Any, *names: str) -> str:
    with pytest.raises(RefusedError) as told:
        begin(*names)
    return str(told.value.code)


# ---- a service's life ----------------------------------------------------------------------------


async def test_a_service_is_started_told_of_and_stopped() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr, flush=True); " + PRINT_AND_STAY
    async with supervising({"web": python(code)}) as (supervisor, book):
        assert book.statuses("web") == ["starting", "running"]
        process = supervisor.process_of("web")
        assert process is not None
        assert os.getpgid(process) == os.getsid(process) == process
        await book.printed("web", "up")
        assert sorted(
            (one["stream"], one["message"], one["phase"]) for one in book.entries("web")
        ) == [("stderr", "err", "run"), ("stdout", "out", "run"), ("stdout", "up", "run")]
        for _, payload in book.events:
            assert payload["timestamp"][10] == "T"
            assert payload["timestamp"][-1] == "Z"
        assert await soon(supervisor.stop("web")) == {}
        assert book.statuses("web") == ["starting", "running", "stopping", "stopped"]
        assert book.lines("web", "exit") == ["was ended by SIGTERM"]
        assert repr(supervisor) == "Supervisor({'web': 'stopped'})"


@pytest.mark.parametrize(
    ("code", "how", "status"),
    [
        ("exit 0", "exited with status 0", "stopped"),
        ("exit 3", "exited with status 3", "failed"),
        ("kill -9 $$", "was ended by SIGKILL", "failed"),
    ],
)
async def test_how_one_ends_by_itself_is_told(code: str, how: str, status: str) -> None:
    async with supervising({"it": shell(f"echo last; {code}")}) as (supervisor, book):
        await book.became("it", status)
        assert book.lines("it") == ["last", how]
        assert book.statuses("it") == ["starting", "running", status]
        assert await soon(supervisor.restart("it")) == {}
        await until(lambda: book.statuses("it").count(status) == 2)
        assert supervisor.counts["it"]["starts"] == 2


def test_ends_in_words() -> None:
    assert module.ended_how(-signal.SIGSEGV) == "was ended by SIGSEGV"
    assert module.ended_how(-200) == "was ended by signal 200"


async def test_what_cannot_be_started_failed(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    services = {"none": ["./not/there"], "plain": [str(plain)]}
    async with supervising(services) as (supervisor, book):
        assert set(supervisor.statuses.values()) == {"failed"}
        assert book.lines("none") == ["cannot be started: ./not/there: No such file or directory"]
        assert book.lines("plain") == [f"cannot be started: {plain}: Permission denied"]
        assert book.statuses("none") == ["starting", "failed"]
        failures = await soon(supervisor.start("none"))
        assert failures == {"none": "cannot be started: ./not/there: No such file or directory"}
        assert (await soon(supervisor.start_all())).keys() == services.keys()


# ---- the end -------------------------------------------------------------------------------------

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


async def test_who_does_not_end_is_killed() -> None:
    async with supervising({"it": shell(STUBBORN)}, grace=0.2) as (supervisor, book):
        await book.printed("it", "up")
        assert await soon(supervisor.stop("it")) == {}
        assert book.statuses("it")[2:] == ["stopping", "stopped"]
        assert book.lines("it", "exit") == [
            "did not end within 0.2 s, and is killed",
            "was ended by SIGKILL",
        ]


def cancel_all_others() -> None:
    """As asyncio.run does at an interrupt before Python 3.11."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_who_is_cancelled_with_all_others_ends_as_it_should() -> None:
    async with supervising({"it": python(PRINT_AND_STAY)}) as (_, book):
        await book.printed("it", "up")
        cancel_all_others()
        await book.became("it", "stopped")
        assert book.lines("it", "exit") == ["was ended by SIGTERM"]


async def test_who_is_cancelled_again_is_killed() -> None:
    async with supervising({"it": shell(STUBBORN)}, grace=60) as (supervisor, book):
        await book.printed("it", "up")
        for _ in range(2):
            cancel_all_others()
            await asyncio.sleep(0.05)
        await until(lambda: supervisor.process_of("it") is None)


async def test_the_whole_group_is_stopped() -> None:
    code = "sleep 60 & (sleep 60; :) & echo up; wait"
    async with supervising({"it": shell(code)}) as (supervisor, book):
        await book.printed("it", "up")
        process = supervisor.process_of("it")
        assert process is not None
        assert len(module.states_of(process) or "123") >= 3
        begin = time.monotonic()
        await soon(supervisor.stop("it"))
        assert time.monotonic() - begin < 5
        assert not module.is_alive(process)


async def test_children_that_ignore_it_are_killed_after_their_leader_has_ended() -> None:
    code = f"sh -c {shlex.quote(STUBBORN)} & wait"
    async with supervising({"it": shell(code)}, grace=0.2) as (supervisor, book):
        await book.printed("it", "up")
        assert await soon(supervisor.stop("it")) == {}
        assert book.lines("it", "exit") == [
            "did not end within 0.2 s, and is killed",
            "was ended by SIGTERM",
        ]


async def test_what_a_leader_leaves_behind_ends_with_it() -> None:
    async with supervising({"it": shell("sleep 60 & exit 4")}) as (_, book):
        await book.became("it", "failed")
        assert book.statuses("it") == ["starting", "running", "stopping", "failed"]
        assert book.lines("it", "exit") == ["exited with status 4"]


async def test_who_moved_elsewhere_and_keeps_the_pipes_does_not_hold_up_the_end(
    tmp_path: Path,
) -> None:
    away = tmp_path / "away"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"open({str(away)!r}, 'w').write(str(child.pid))\n" + PRINT_AND_STAY
    )
    async with supervising({"it": python(code)}) as (supervisor, book):
        await book.printed("it", "up")
        try:
            begin = time.monotonic()
            await soon(supervisor.stop("it"))
            assert module.SILENT_WITHIN <= time.monotonic() - begin < 5
            assert book.statuses("it")[-1] == "stopped"
        finally:
            os.kill(int(away.read_text()), signal.SIGKILL)


async def test_what_is_printed_at_the_end_is_told_before_it() -> None:
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    print('bye\\n' * 5000 + 'without an end', end='', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(0.05)\n"  # a signal just before a long sleep waits for its end
    )
    async with supervising({"it": python(code)}) as (supervisor, book):
        await book.printed("it", "up")
        await soon(supervisor.stop("it"))
        lines = book.lines("it")
        assert lines == ["up", *["bye"] * 5000, "without an end", "exited with status 0"]
        assert {one["phase"] for one in book.entries("it")[1:-1]} == {"stop"}
        assert book.events[-1][1]["status"] == "stopped"


async def test_a_process_that_cannot_be_killed_is_told_of(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "KILLED_WITHIN", 0.1)
    async with supervising({"it": python(PRINT_AND_STAY)}, grace=0.1) as (supervisor, book):
        await book.printed("it", "up")
        group = supervisor._services["it"]._group
        assert group is not None
        monkeypatch.setattr(module, "SILENT_WITHIN", 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(module.Group, "signal", lambda *_: None)
            assert await soon(supervisor.stop("it")) == {"it": "goes on though it was killed"}
        assert supervisor.statuses == {"it": "failed"}
        assert book.lines("it", "exit")[-1] == "goes on though it was killed"
        await until(lambda: group.status is not None)  # asyncio has killed it


async def test_the_end_does_not_wait_for_who_is_cancelled() -> None:
    """A second Ctrl-C: all is killed at once."""
    book = Book()
    started = asyncio.Event()

    async def run() -> None:
        async with Supervisor({"it": shell(STUBBORN)}, book.publish, grace=60) as supervisor:
            await book.printed("it", "up")
            started.set()
            await asyncio.Event().wait()
            assert supervisor

    async with nothing_left():
        task = asyncio.create_task(run())
        await soon(started.wait())
        task.cancel()
        await book.became("it", "stopping")
        task.cancel()
        await soon(asyncio.wait([task]))
        assert task.cancelled()
        assert book.statuses("it")[-1] == "stopped"


async def test_whose_start_is_cancelled_leaves_nothing_running() -> None:
    book = Book()

    async def run() -> None:
        async with Supervisor({"a": shell(STUBBORN), "b": ["sleep", "60"]}, book.publish):
            raise AssertionError("this is not come to")

    async with nothing_left():
        task = asyncio.create_task(run())
        await until(lambda: book.statuses("b"))
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await soon(asyncio.wait([task]))
        assert task.cancelled()
        assert book.statuses("a")[-1] != "running"
        assert book.statuses("b")[-1] != "running"


# ---- commands ------------------------------------------------------------------------------------


async def test_what_cannot_be_done_is_refused() -> None:
    services = {"a": python(PRINT_AND_STAY), "b": shell("exit 0")}
    async with supervising(services) as (supervisor, book):
        await book.became("b", "stopped")
        assert await refused(supervisor.start, "c") == "unknown_service"
        assert await refused(supervisor.start, "a") == "already_running"
        assert await refused(supervisor.stop, "b") == "not_running"
        stopping = supervisor.stop("a")
        for command in (supervisor.start, supervisor.stop, supervisor.restart):
            assert await refused(command, "a") == "service_busy"
        assert await refused(supervisor.start_all) == "service_busy"
        assert await refused(supervisor.stop_all) == "service_busy"
        await soon(stopping)
    assert await refused(supervisor.start, "a") == "service_busy"
    for command, complaint in (([], "a program"), (["a", "b\0"], "NUL")):
        with pytest.raises(ValueError, match=complaint):
            Supervisor({"a": command}, book.publish)


async def test_all_of_them_at_once() -> None:
    services = {"a": python(PRINT_AND_STAY), "b": python(PRINT_AND_STAY), "c": ["./not/there"]}
    async with supervising(services) as (supervisor, _):
        await soon(supervisor.stop("a"))
        assert (await soon(supervisor.start_all())).keys() == {"c"}
        assert supervisor.statuses == {"a": "running", "b": "running", "c": "failed"}
        assert await soon(supervisor.stop_all()) == {}
        assert supervisor.statuses == {"a": "stopped", "b": "stopped", "c": "failed"}
        assert await soon(supervisor.stop_all()) == {}


async def test_a_restart_is_another_process() -> None:
    async with supervising({"it": python(PRINT_AND_STAY)}) as (supervisor, book):
        before = supervisor.process_of("it")
        assert await soon(supervisor.restart("it")) == {}
        assert supervisor.process_of("it") not in (None, before)
        assert book.statuses("it")[-4:] == ["stopping", "stopped", "starting", "running"]


async def test_a_restart_that_the_end_comes_into_starts_nothing() -> None:
    async with supervising({"it": shell(STUBBORN)}, grace=0.2) as (supervisor, book):
        await book.printed("it", "up")
        restarting = supervisor.restart("it")
    assert await soon(restarting) == {"it": "the supervisor ends"}
    assert book.statuses("it")[-1] == "stopped"


async def test_what_was_begun_goes_on_though_nobody_waits() -> None:
    async with supervising({"it": python(PRINT_AND_STAY)}) as (supervisor, book):
        waiting = supervisor.stop("it")
        await asyncio.sleep(0)
        waiting.cancel()
        await book.became("it", "stopped")
        assert supervisor.statuses == {"it": "stopped"}


async def test_a_publisher_that_fails_fails_nothing_else(caplog: Any) -> None:
    def publish(name: str, payload: dict[str, Any]) -> None:
        raise RuntimeError("no")

    async with nothing_left(), Supervisor({"it": shell("echo 1; echo 2")}, publish) as supervisor:
        await until(lambda: supervisor.statuses["it"] == "stopped")
    assert "was not published" in caplog.text


# ---- lines ---------------------------------------------------------------------------------------


def lines_of(*chunks: bytes, limit: int = 8) -> list[tuple[str, int]]:
    lines = module.Lines(limit)
    found = [line for chunk in chunks for line in lines.of(chunk)]
    return [*found, *lines.rest()]


def test_lines_are_the_same_however_the_bytes_come() -> None:
    text = "ein\r\n\nGrüße\n12345678\n123456789\n1234567ü\n1234567".encode() + b"\xff\n\xff\xfe\nx"
    whole = lines_of(text)
    assert whole == [
        ("ein", 0),
        ("", 0),
        ("Grüße", 0),
        ("12345678", 0),
        ("12345678", 1),
        ("1234567", 2),  # no half of a character
        ("1234567\ufffd", 0),
        ("\ufffd\ufffd", 0),
        ("x", 0),
    ]
    for at in range(len(text)):
        assert lines_of(text[:at], text[at:]) == whole
    assert lines_of(*(bytes([one]) for one in text)) == whole


async def test_a_long_line_is_cut_and_says_so() -> None:
    code = "print('x' * 1000000); print('y' * 100); print(b'\\xe9'.decode('latin-1')); import sys; "
    code += "sys.stdout.flush(); sys.stdout.buffer.write(b'\\xe9\\n')"
    async with supervising({"it": python(code)}, line_limit=100) as (supervisor, book):
        await book.became("it", "stopped")
        first, second, third, fourth = book.lines("it", "run")
        assert first == "x" * 100 + " … (999900 bytes more)"
        assert (second, third, fourth) == ("y" * 100, "é", "\ufffd")
        assert supervisor.counts["it"] == {"starts": 1, "lines": 4, "cut": 1}


X = "x"  # lines long enough that a loop's largest chunk, which is all told, has not too many


async def test_who_prints_without_end_waits_and_others_have_their_turn() -> None:
    seen = most = 0

    def publish(name: str, payload: dict[str, Any]) -> None:
        nonlocal seen
        seen += name == "log"

    async def look() -> None:
        nonlocal most
        while seen < 10_000:
            before = seen
            await asyncio.sleep(0)
            most = max(most, seen - before)

    async with (
        nothing_left(),
        Supervisor({"it": ["yes", X * 40]}, publish, lines_a_second=1e9) as supervisor,
    ):
        await soon(look())
        assert 0 < most <= 2 * module.LINES_AT_ONCE
        await soon(supervisor.stop("it"))
        assert supervisor.counts["it"]["lines"] >= 10_000


@pytest.mark.parametrize("program", [f"yes {X * 40}", "while :; do echo y; done", f"yes {X * 999}"])
async def test_nobody_prints_more_than_his_share_in_the_long_run(program: str) -> None:
    begin = time.monotonic()
    services = {"it": shell(program)}
    async with supervising(services, lines_a_second=100.0) as (supervisor, book):
        most = 25 if X * 999 in program else 100
        await until(lambda: len(book.entries("it")) >= most)
        await asyncio.sleep(0.5)
        told = len(book.entries("it"))
        # Those of the first second may come at once, and so may those of one turn.
        share = most * (module.BURST + time.monotonic() - begin) + module.LINES_AT_ONCE
        assert told <= share
        left = time.monotonic()
        await soon(supervisor.stop("it"))
        assert time.monotonic() - left < 15
        assert len(book.entries("it")) > told  # what was in the pipes still comes, and at once


async def test_what_comes_while_nothing_is_to_be_read_is_told_in_its_turn() -> None:
    class Pipe(asyncio.ReadTransport):
        def pause_reading(self) -> None:
            pass

        def resume_reading(self) -> None:
            pass

        def is_closing(self) -> bool:
            return False

    told: list[str] = []
    ended = asyncio.Event()
    output = module.Output(
        "stdout",
        Pipe(),
        module.Limits(100, 1e9),
        lambda _, lines: told.extend(text for text, _ in lines),
        ended.set,
    )
    output.take(b"a\n" * 250 + b"b")
    output.take(b"c\n" * 250)
    output.take(b"d\n")
    output.lost()
    await soon(ended.wait())
    assert told == ["a"] * 250 + ["bc"] + ["c"] * 249 + ["d"]


async def test_a_line_without_an_end_takes_no_memory() -> None:
    code = "while :; do head -c 65536 /dev/zero; done"
    async with supervising({"it": shell(code)}, line_limit=10) as (supervisor, book):
        await asyncio.sleep(0.3)
        await soon(supervisor.stop("it"))
        (line,) = book.lines("it", "run", "stop")
        assert line.startswith("\0" * 10 + " … (")
        assert int(line.split("(")[1].split()[0]) > 65536


# ---- groups --------------------------------------------------------------------------------------


def test_who_is_alive(monkeypatch: Any, tmp_path: Path) -> None:
    assert module.is_alive(os.getpgrp())

    def forbidden(group: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", forbidden)
    assert module.is_alive(1)
    monkeypatch.setattr(os, "killpg", lambda group, number: None)
    told: list[str] | None
    for told, alive in ((None, True), ([], False), (["Z", "X"], False), (["Z", "S"], True)):
        monkeypatch.setattr(module, "states_of", lambda group, told=told: told)
        assert module.is_alive(7) is alive
    monkeypatch.undo()
    for process, stat in {
        "1": "1 (a) b) S 0 7 7",
        "2": "2 (c) Z 1 7 7",
        "3": "3 (d) R 1 8",
    }.items():
        (tmp_path / process).mkdir()
        (tmp_path / process / "stat").write_text(stat)
    (tmp_path / "4" / "stat").mkdir(parents=True)
    assert module.states_of(7, str(tmp_path)) is None
    (tmp_path / "self").symlink_to("1")
    assert sorted(module.states_of(7, str(tmp_path)) or "") == ["S", "Z"]
