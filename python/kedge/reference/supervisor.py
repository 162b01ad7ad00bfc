"""A supervisor of real processes: it starts and stops them, and tells what they are and what they
print in the words of FlowLayer.

By itself, with whatever takes events (`hub.publish` of a FlowLayer hub does)::

    def publish(name, payload):
        print(name, payload)

    async with Supervisor({"web": ["python", "-m", "http.server"]}, publish) as supervisor:
        failed = await supervisor.restart("web")    # {} if all went well, else whose, and why

Within the block its services run; at its end none of their processes is left.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import glob
import math
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import chain, islice
from typing import Any, NamedTuple, TypeAlias, cast

from kedge._log import logger

__all__ = ["RefusedError", "Supervisor"]

Publish: TypeAlias = Callable[[str, dict[str, Any]], object]
Failures: TypeAlias = dict[str, str]
"""The services with which something did not come about, and why."""

GRACE = 10.0
LINE_LIMIT = 16384
LINES_A_SECOND = 5000.0
LINES_AT_ONCE = 100
"""After so many lines of a pipe it is somebody else's turn."""
BURST = 1.0
"""The lines of so many seconds may come at once."""
LINE_LENGTH = 256
"""A line that is longer counts as so many more."""
KILLED_WITHIN = 5.0
SILENT_WITHIN = 1.0
"""How long after its end somebody else may still hold a process's pipes."""
LOOK_EVERY = 0.02


class RefusedError(Exception):
    """What cannot be begun now: the code, and why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class Supervisor:
    """Supervises services, each a command that runs in a process group of its own."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        publish: Publish,
        *,
        grace: float = GRACE,
        line_limit: int = LINE_LIMIT,
        lines_a_second: float = LINES_A_SECOND,
    ) -> None:
        """`commands` are programs and their arguments, by the names of services. No shell reads
        them: who needs one names it, `["sh", "-c", "..."]`.

        `publish(name, payload)` is told each change of a service (`service_status`) and each line
        that it prints (`log`). The phase of a line is "run", or "stop" once the service is to end;
        lines of the phases "start" and "exit" are the supervisor's, about what went wrong at the
        start and how the service ended.

        A service is stopped by SIGTERM to its whole process group, and by SIGKILL to what of it is
        left after `grace` seconds. A line of more than `line_limit` bytes is cut, and says how
        much of it is missing; what is not UTF-8 is replaced. Nothing else is left out: who prints
        more than `lines_a_second`, in the long run, is not read from meanwhile, and has to wait.
        """
        if not all(commands.values()):
            raise ValueError("a command is a program and its arguments")
        if any("\0" in word for command in commands.values() for word in command):
            raise ValueError("a word of a command has no NUL in it")
        limits = Limits(line_limit, lines_a_second)
        self._services = {
            name: Service(name, tuple(commands[name]), publish, grace, limits)
            for name in sorted(commands, key=str.encode)
        }
        self._over = False
        self._hurried = False

    def __repr__(self) -> str:
        return f"Supervisor({self.statuses})"

    async def __aenter__(self) -> Supervisor:
        try:
            await self.start_all()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stops all services. Who is cancelled meanwhile kills them at once."""
        self._over = True
        ending = asyncio.ensure_future(self._end())
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                self._hurried = True
                self._end_services()

    def _end_services(self) -> None:
        for service in self._services.values():
            service.ask_to_end()
            if self._hurried:
                service.kill()

    async def _end(self) -> None:
        while True:
            self._end_services()
            at_work = [task for one in self._services.values() for task in one.at_work()]
            if not at_work:
                return
            await asyncio.wait(at_work, return_when=asyncio.FIRST_COMPLETED)

    # ---- what there is -------------------------------------------------------------------------

    @property
    def statuses(self) -> dict[str, str]:
        """What each service is: starting, running, stopping, stopped or failed. By name."""
        return {name: service.status for name, service in self._services.items()}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By service: how many `lines` it printed, how many of them were `cut`, how often it was
        started (`starts`)."""
        return {name: dict(service.counts) for name, service in self._services.items()}

    def process_of(self, name: str) -> int | None:
        """The id of the service's process, which is that of its group; None while it has none."""
        return self._services[name].process

    # ---- commands ------------------------------------------------------------------------------
    #
    # What cannot be begun raises a RefusedError at once. What was begun goes on, also when nobody
    # waits for it any more; who does gets the failures.

    def start(self, name: str) -> asyncio.Future[Failures]:
        """Starts a service; refused (already_running) if it runs."""
        service = self._free(name)
        if service.runs:
            raise RefusedError("already_running", f"{name} is {service.status}")
        return self._do({service: service.start()})

    def stop(self, name: str) -> asyncio.Future[Failures]:
        """Stops a service; refused (not_running) if it does not run."""
        service = self._free(name)
        if not service.runs:
            raise RefusedError("not_running", f"{name} is {service.status}")
        return self._do({service: service.stop()})

    def restart(self, name: str) -> asyncio.Future[Failures]:
        """Stops a service, if it runs, and starts it."""
        service = self._free(name)
        return self._do({service: self._restart(service)})

    async def _restart(self, service: Service) -> str | None:
        failure = await service.stop() if service.runs else None
        if failure is None and self._over:
            failure = "the supervisor ends"
        return failure or await service.start()

    def start_all(self) -> asyncio.Future[Failures]:
        """Starts all services that do not run."""
        free = [self._free(name) for name in self._services]
        return self._do({service: service.start() for service in free if not service.runs})

    def stop_all(self) -> asyncio.Future[Failures]:
        """Stops all services that run."""
        free = [self._free(name) for name in self._services]
        return self._do({service: service.stop() for service in free if service.runs})

    def _free(self, name: str) -> Service:
        """The service, with which nothing is done now."""
        service = self._services.get(name)
        if service is None:
            raise RefusedError("unknown_service", f"there is no service {name}")
        if self._over:
            raise RefusedError("service_busy", "the supervisor ends")
        if service.busy:
            raise RefusedError("service_busy", f"{name} is {service.status}")
        return service

    def _do(
        self, works: Mapping[Service, Coroutine[Any, Any, str | None]]
    ) -> asyncio.Future[Failures]:
        for service, work in works.items():
            service.work(work)
        tasks = {service.name: service.command for service in works}
        return asyncio.shield(asyncio.ensure_future(failures_of(tasks)))


async def failures_of(tasks: Mapping[str, asyncio.Task[str | None] | None]) -> Failures:
    outcomes = {name: await task for name, task in tasks.items() if task is not None}
    return {name: failure for name, failure in outcomes.items() if failure is not None}


class Service:
    """One of them."""

    def __init__(
        self, name: str, command: Sequence[str], publish: Publish, grace: float, limits: Limits
    ) -> None:
        self.name = name
        self.status = "stopped"
        self.counts = {"starts": 0, "lines": 0, "cut": 0}
        self.command: asyncio.Task[str | None] | None = None
        """What is done with it on somebody's command."""
        self._program = command
        self._publisher = publish
        self._grace = grace
        self._limits = limits
        self._group: Group | None = None
        self._life: asyncio.Task[str | None] | None = None

    @property
    def runs(self) -> bool:
        return self._group is not None

    @property
    def busy(self) -> bool:
        return self.command is not None or self.status == "stopping"

    @property
    def process(self) -> int | None:
        return None if self._group is None else self._group.id

    def at_work(self) -> list[asyncio.Task[str | None]]:
        return [task for task in (self.command, self._life) if task is not None]

    def work(self, what: Coroutine[Any, Any, str | None]) -> None:
        """Does what was commanded."""
        self.command = asyncio.ensure_future(what)
        self.command.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[str | None]) -> None:
        self.command = None

    async def start(self) -> str | None:
        """Tells why it could not be started."""
        self._become("starting")
        self.counts["starts"] += 1
        try:
            group = await Group.start(self._program, self._printed, self._limits)
        except OSError as error:
            failure = f"cannot be started: {self._program[0]}: {error.strerror}"
            self._say("start", failure)
            self._become("failed")
            return failure
        self._group = group
        self._become("running")
        self._life = asyncio.ensure_future(self._live(group))
        return None

    async def stop(self) -> str | None:
        """Tells why it could not be stopped."""
        self.ask_to_end()
        return None if self._life is None else await self._life

    def ask_to_end(self) -> None:
        if self._group is not None:
            self._group.ask_to_end()

    def kill(self) -> None:
        if self._group is not None:
            self._group.signal(signal.SIGKILL)

    async def _live(self, group: Group) -> str | None:
        """From its start to its end. Tells why it could not be ended."""
        try:
            return await self._live_to_the_end(group)
        except asyncio.CancelledError:
            group.abandon()
            self._group = self._life = None
            raise

    async def _live_to_the_end(self, group: Group) -> str | None:
        try:
            await group.ends()
        except asyncio.CancelledError:
            # The loop ends, and waits for us: before Python 3.11 all tasks are cancelled at once.
            group.ask_to_end()
        asked = group.asked_to_end
        failure = None
        if group.is_there():  # to be stopped, or what its leader left behind
            self._become("stopping")
            failure = await self._end(group)
        await group.silence(SILENT_WITHIN)
        self._say("exit", failure or ended_how(group.status))
        self._group = self._life = None
        self._become("stopped" if not failure and (asked or group.status == 0) else "failed")
        return failure

    async def _end(self, group: Group) -> str | None:
        group.signal(signal.SIGTERM)
        if await group.gone(self._grace):
            return None
        self._say("exit", f"did not end within {self._grace:g} s, and is killed")
        group.signal(signal.SIGKILL)
        return None if await group.gone(KILLED_WITHIN) else "goes on though it was killed"

    # ---- what is told --------------------------------------------------------------------------

    def _publish(self, name: str, payload: dict[str, Any]) -> None:
        try:
            self._publisher(name, payload)
        except Exception:
            logger.exception("what the service %s does was not published", self.name)

    def _become(self, status: str) -> None:
        self.status = status
        told = {"service": self.name, "status": status, "timestamp": timestamp()}
        self._publish("service_status", told)

    def _say(self, phase: str, text: str) -> None:
        self._log(phase, "stderr", text, timestamp())

    def _printed(self, stream: str, lines: Sequence[Line]) -> None:
        phase = "stop" if self.status == "stopping" else "run"
        time = timestamp()
        for text, cut in lines:
            self.counts["lines"] += 1
            self.counts["cut"] += cut > 0
            said = f"{text} … ({cut} bytes more)" if cut else text
            self._log(phase, stream, said, time)

    def _log(self, phase: str, stream: str, text: str, time: str) -> None:
        entry = {
            "service": self.name,
            "phase": phase,
            "stream": stream,
            "message": text,
            "timestamp": time,
        }
        self._publish("log", entry)


def timestamp() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ended_how(status: int | None) -> str:
    """In words, from what asyncio and subprocess call the returncode."""
    if status is None or status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


# ---- processes -----------------------------------------------------------------------------------

Line: TypeAlias = tuple[str, int]
"""A line, and how many bytes of it were cut off."""
Printed: TypeAlias = Callable[[str, Sequence[Line]], None]
STREAMS = {1: "stdout", 2: "stderr"}


class Limits(NamedTuple):
    """Of what a process prints."""

    line: int
    lines_a_second: float


class Group(asyncio.SubprocessProtocol):
    """A process, its leader, and whatever that starts, unless it moves to a group of its own."""

    @classmethod
    async def start(cls, program: Sequence[str], printed: Printed, limits: Limits) -> Group:
        _, group = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(printed, limits),
            *program,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        return group

    def __init__(self, printed: Printed, limits: Limits) -> None:
        loop = asyncio.get_running_loop()
        self._printed = printed
        self._limits = limits
        self._outputs: dict[int, Output] = {}
        self._exited: asyncio.Future[None] = loop.create_future()
        self._asked: asyncio.Future[None] = loop.create_future()
        self._silent: asyncio.Future[None] = loop.create_future()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.id = self._transport.get_pid()
        for number, name in STREAMS.items():
            pipe = cast(asyncio.ReadTransport, self._transport.get_pipe_transport(number))
            self._outputs[number] = Output(name, pipe, self._limits, self._printed, self._look)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._outputs[fd].take(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._outputs[fd].lost()

    def process_exited(self) -> None:
        self._exited.set_result(None)

    def _look(self) -> None:
        """Of one of the outputs there will be no more."""
        if all(output.over for output in self._outputs.values()):
            self._silent.set_result(None)

    # What a service wants to know, and has it do.

    @property
    def status(self) -> int | None:
        """The leader's, once it has ended."""
        return self._transport.get_returncode()

    @property
    def asked_to_end(self) -> bool:
        return self._asked.done()

    def ask_to_end(self) -> None:
        if not self._asked.done():
            self._asked.set_result(None)

    async def ends(self) -> None:
        """Waits until the leader has ended, or it was asked to end."""
        await asyncio.wait([self._exited, self._asked], return_when=asyncio.FIRST_COMPLETED)
        for output in self._outputs.values():
            output.hurry()

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id, number)

    def abandon(self) -> None:
        """Kills it, and hears no more of it."""
        self.signal(signal.SIGKILL)
        self._transport.close()

    def is_there(self) -> bool:
        """Whether any process of it lives."""
        return not self._exited.done() or is_alive(self.id)

    async def gone(self, timeout: float) -> bool:
        """Waits until none does; False if that takes longer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await asyncio.wait([self._exited], timeout=timeout)
        # Nobody tells when those end that are not our children.
        while (there := self.is_there()) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        return not there

    async def silence(self, timeout: float) -> None:
        """Waits until all that it printed is told. Who still has its pipes after that time, since
        it moved elsewhere, is not listened to any more."""
        await asyncio.wait([self._silent], timeout=timeout)
        self._transport.close()
        await self._silent


def is_alive(group: int) -> bool:
    """Whether a process of the group lives. Those that ended, and that nobody asks for how (in a
    container without an init), do not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    states = states_of(group)
    return states is None or any(state not in "ZX" for state in states)


def states_of(group: int, processes: str = "/proc") -> list[str] | None:
    """The states of a group's processes; None where the system does not tell them."""
    if not os.path.exists(f"{processes}/self/stat"):
        return None
    states = []
    for file in glob.iglob(f"{processes}/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(file, "rb") as stat:
                # After its name, which may hold anything: its state, its parent, its group.
                state, _, its_group = stat.read().rpartition(b")")[2].split()[:3]
            if int(its_group) == group:
                states.append(state.decode())
    return states


class Output:
    """A pipe, from which a process's lines come."""

    def __init__(
        self,
        name: str,
        pipe: asyncio.ReadTransport,
        limits: Limits,
        printed: Printed,
        ended: Callable[[], None],
    ) -> None:
        self.over = False
        self._name = name
        self._pipe = pipe
        self._printed = printed
        self._ended = ended
        self._lines = Lines(limits.line)
        self._pace = limits.lines_a_second
        self._paid = 0.0
        self._waiting: Iterator[Line] | None = None
        self._next: asyncio.TimerHandle | None = None
        self._paused = False
        self._lost = False

    def take(self, data: bytes) -> None:
        lines = self._lines.of(data)
        if self._waiting is None:
            self._waiting = lines
            self._tell()
        else:
            # Loops pass on what they had read before they were told to pause.
            self._waiting = chain(self._waiting, lines)

    def _tell(self) -> None:
        """Tells some of the lines that wait. Until it is time for what comes after them nothing is
        read, and the process that prints has to wait."""
        assert self._waiting is not None
        lines = list(islice(self._waiting, LINES_AT_ONCE))
        self._printed(self._name, lines)
        wait = self._wait_after(lines)
        if len(lines) == LINES_AT_ONCE or wait > 0:
            self._pause(True)
            self._next = asyncio.get_running_loop().call_later(wait, self._tell)
            return
        self._waiting = self._next = None
        self._pause(False)
        if self._lost:
            self._end()

    def _wait_after(self, lines: Sequence[Line]) -> float:
        now = asyncio.get_running_loop().time()
        cost = sum(1 + len(text) // LINE_LENGTH for text, _ in lines)
        self._paid = max(self._paid, now) + cost / self._pace
        return max(0.0, self._paid - now - BURST)

    def hurry(self) -> None:
        """There will not be much more, and none of it has to wait."""
        self._pace = math.inf
        self._paid = 0.0
        if self._next is not None:
            self._next.cancel()
            self._tell()

    def _pause(self, pause: bool) -> None:
        if pause is self._paused or self._pipe.is_closing():
            return
        self._paused = pause
        if pause:
            self._pipe.pause_reading()
        else:
            self._pipe.resume_reading()

    def lost(self) -> None:
        """Its other end is closed, or this one."""
        self._lost = True
        if self._waiting is None:
            self._end()

    def _end(self) -> None:
        self._printed(self._name, list(self._lines.rest()))
        self.over = True
        self._ended()


class Lines:
    """Makes lines of the bytes that come, and keeps no more than the limit of one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begun = bytearray()
        self._cut = 0

    def of(self, data: bytes) -> Iterator[Line]:
        begin = 0
        while (end := data.find(b"\n", begin)) >= 0:
            self._add(data, begin, end)
            yield self._line()
            begin = end + 1
        self._add(data, begin, len(data))

    def rest(self) -> Iterable[Line]:
        """The line that had no end."""
        return [self._line()] if self._begun else []

    def _add(self, data: bytes, begin: int, end: int) -> None:
        kept = min(end, begin + self._limit - len(self._begun))
        self._begun += data[begin:kept]
        self._cut += end - kept

    def _line(self) -> Line:
        begun, cut = bytes(self._begun), self._cut
        self._begun.clear()
        self._cut = 0
        if not cut:
            return begun.removesuffix(b"\r").decode(errors="replace"), 0
        # Not in the midst of a character.
        text, used = codecs.utf_8_decode(begun, "replace", False)
        return text, cut + len(begun) - used
