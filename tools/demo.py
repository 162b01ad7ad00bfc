"""Shows that both sides need not be of one language: the examples' servers in Python, their clients
in C, cables that are pulled out, and nothing lost.

    tools/demo.py [FOLDER]   by the programs there, else by those that it builds in build/demo
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/demo"
PATIENCE = 9.0
EVENTS = 8  # that each client gets, before the cut and after it


class Clock:
    """Counts from the curtain's rise."""

    begin = time.monotonic()


class BrokenPromiseError(Exception):
    """What was promised did not come about."""


@dataclass(frozen=True)
class Play:
    """A server and its clients, examples/NAME_server.py and examples/NAME_client.c. The clients
    print lines `INDEX WORD NUMBER`."""

    name: str
    title: str
    who: str  # of whom there are two; the client's option is --WHOs
    event: str  # the word of what keeps coming
    back: str  # of a client that is there again
    noun: str
    ending: str
    numbered: bool = True


PLAYS = (
    Play(
        *("messaging", "the messenger", "device", "new", "resumed", "messages"),
        "messages over cut cables; none lost, none doubled",
    ),
    Play(
        *("flowlayer", "FlowLayer", "client", "log", "ready", "log entries"),
        "log entries over cut cables; none lost, none doubled",
    ),
    Play(
        *("blobhub", "BlobHub Realtime", "client", "touched", "reconnected", "events"),
        "subscriptions outlived cut cables; who missed something was told",
        numbered=False,
    ),
)
CLIENTS = range(2)


def say(who: str, text: str) -> None:
    print(f"{time.monotonic() - Clock.begin:5.2f}  {who:>8}  {text}", flush=True)


class Program:
    """One of the examples, running; its lines as they come."""

    def __init__(self, *command: str | Path) -> None:
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
        self.lines: list[list[str]] = []
        self._rest = b""

    def read(self, until: float) -> bool:
        """Waits for more lines; false if none came in time, or none will."""
        assert self.process.stdout is not None
        out = self.process.stdout.fileno()
        if not select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        data = os.read(out, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines += [line.decode().split() for line in lines]
        return bool(data)

    def numbers(self, index: int, word: str) -> list[int]:
        mine = [line for line in self.lines if line[:2] == [str(index), word]]
        return [int(line[2]) for line in mine]

    def counts(self, word: str) -> list[int]:
        return [len(self.numbers(index, word)) for index in CLIENTS]

    def wait_for(self, word: str, counts: list[int]) -> None:
        """Until each client has so many lines with that word."""
        until = time.monotonic() + PATIENCE
        while any(has < wanted for has, wanted in zip(self.counts(word), counts, strict=True)):
            if not self.read(until):
                raise BrokenPromiseError(f"no more lines with {word!r} came")


@contextmanager
def running(*command: str | Path) -> Iterator[Program]:
    program = Program(*command)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()
        assert program.process.stdout is not None
        program.process.stdout.close()


def port_of(server: Program) -> str:
    until = time.monotonic() + PATIENCE
    while not server.lines:
        if not server.read(until):
            raise BrokenPromiseError("the server does not listen")
    say("server", " ".join(server.lines[0]))
    return server.lines[0][-1].split(":")[2].split("/")[0]


def check(play: Play, client: Program) -> None:
    """Each client has had every number once, in order."""
    for index in CLIENTS:
        numbers = client.numbers(index, play.event)
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise BrokenPromiseError(f"{play.who} {index} got the numbers {numbers}")
        how = "got all {} {}, each once, in order" if play.numbered else "got {} {}"
        say(f"{play.who} {index}", how.format(len(numbers), play.noun))


def cut(play: Play, client: Program) -> None:
    """Pulls all cables, and waits until everybody is there again and has had more."""
    before, back = client.counts(play.event), client.counts(play.back)
    client.process.send_signal(signal.SIGUSR1)
    say("cables", "all are pulled out; the server goes on")
    client.wait_for(play.back, [count + 1 for count in back])
    client.wait_for(play.event, [count + 1 for count in before])
    for index in CLIENTS:
        more = client.counts(play.event)[index] - before[index]
        say(f"{play.who} {index}", f"is back; {play.noun} so far: {more}")
    client.wait_for(play.event, [max(client.counts(play.event)) + EVENTS] * len(CLIENTS))


def perform(play: Play, folder: Path) -> None:
    print(f"kedge demo: {play.title}, a server in Python and clients in C\n", flush=True)
    Clock.begin = time.monotonic()
    served = ROOT / f"examples/{play.name}_server.py"
    with running(sys.executable, served, "--tick", "50") as server:
        port = port_of(server)
        options = (f"--{play.who}s", str(len(CLIENTS)), "127.0.0.1", port)
        with running(folder / f"{play.name}_client", *options) as client:
            client.wait_for("ready", [1] * len(CLIENTS))
            say(f"{play.who}s", "both are there")
            client.wait_for(play.event, [EVENTS] * len(CLIENTS))
            say(f"{play.who}s", f"each has {EVENTS} {play.noun}")
            cut(play, client)
            client.process.terminate()
            while client.read(time.monotonic() + PATIENCE):
                pass
            if client.process.wait(PATIENCE) != 0:
                raise BrokenPromiseError("a client says that it lost something")
            check(play, client)
    print(flush=True)


def build() -> Path:
    """The examples, built if need be; what the compiler says is shown if it fails."""
    jobs = str(os.cpu_count() or 1)
    options = ("-DCMAKE_BUILD_TYPE=Debug", "-DKEDGE_TESTS=OFF", "-DKEDGE_EXAMPLES=ON")
    print("kedge: building the C examples", file=sys.stderr)
    for command in (
        ["cmake", "-S", ".", "-B", str(BUILD), *options],
        ["cmake", "--build", str(BUILD), "-j", jobs, "-t", "kedge-examples"],
    ):
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(run.stdout + run.stderr)
    return BUILD / "examples"


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else build()
    verdicts = [f"{play.name:<10} {verdict(play, folder)}" for play in PLAYS]
    print("\n".join(verdicts))
    return 1 if any(" FAILED " in line for line in verdicts) else 0


def verdict(play: Play, folder: Path) -> str:
    try:
        perform(play, folder)
    except BrokenPromiseError as error:
        return f"FAILED  {error}"
    return f"ok      {play.ending}"


if __name__ == "__main__":
    sys.exit(main())
