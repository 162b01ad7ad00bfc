"""The C examples against each other: plain, compressed, cut off, and restarted."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FOLDER = Path(
    os.environ.get("KEDGE_C_EXAMPLES", Path(__file__).resolve().parents[2] / "build/c/examples")
)
PATIENCE = 20.0


class Program:
    """One of the examples, running; its lines as they come."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [str(FOLDER / command[0]), *command[1:]], stdout=subprocess.PIPE
        )
        self.lines: list[str] = []
        self._rest = b""

    def _read(self, until: float) -> bool:
        """Waits for more output; false if none came in time, or if there is no more."""
        assert self.process.stdout is not None
        out = self.process.stdout.fileno()
        if not select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        data = os.read(out, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines += [line.decode() for line in lines]
        return bool(data)

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Waits until so many lines match."""
        until = time.monotonic() + PATIENCE
        while self.count(pattern) < count:
            assert self._read(until), f"not {count} times {pattern!r} in {self.lines}"

    def count(self, pattern: str) -> int:
        return sum(re.fullmatch(pattern, line) is not None for line in self.lines)

    def finish(self) -> int:
        """Waits for its end; the exit code."""
        until = time.monotonic() + PATIENCE
        while self._read(until):
            pass
        return self.process.wait(max(0.1, until - time.monotonic()))


@contextmanager
def running(*command: str) -> Iterator[Program]:
    program = Program(*command)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()
        assert program.process.stdout is not None
        program.process.stdout.close()


def port_of(server: Program) -> str:
    server.wait_for(r"listening on ws://127\.0\.0\.1:\d+/\w+/?")
    assert server.lines[0].startswith("listening on")
    return server.lines[0].split(":")[2].split("/")[0]


def numbers_of(client: Program, index: int) -> list[int]:
    """The numbers of a client's dispatches, `ready` included."""
    shown = [line.split() for line in client.lines]
    events = ("ready", "tick", "presence_update")
    return [int(line[2]) for line in shown if line[0] == str(index) and line[1] in events]


def check_all(client: Program, count: int) -> None:
    """Each client has had every number once, in order, of one session."""
    for index in range(count):
        numbers = numbers_of(client, index)
        assert numbers == list(range(1, len(numbers) + 1)), f"client {index}: {numbers}"
    assert client.count(r".*HOLE.*") == 0


compression = pytest.mark.parametrize("compress", [[], ["--compress"]], ids=["plain", "zstd"])


@compression
def test_events_reach_every_client(compress: list[str]) -> None:
    with running("gateway_server", "--tick", "50") as server:
        port = port_of(server)
        options = [*compress, "--clients", "20", "--until", "15"]
        with running("gateway_client", *options, "127.0.0.1", port) as client:
            assert client.finish() == 0
            check_all(client, 20)
            assert client.count(r"\d+ ready 1") == 20
            assert client.count(r"\d+ presence_update \d+") > 20
        server.wait_for(r"closed: .*", 20)
        assert server.count(r"began a session") == 20


@compression
def test_a_cut_cable_loses_nothing(compress: list[str]) -> None:
    with running("gateway_server", "--tick", "50") as server:
        port = port_of(server)
        with running("gateway_client", *compress, "--clients", "5", "localhost", port) as client:
            client.wait_for(r"\d+ tick \d+", 5)
            for cut in (1, 2):
                client.process.send_signal(signal.SIGUSR1)
                client.wait_for(r"\d+ resumed \d+", 5 * cut)
                client.wait_for(r"\d+ tick \d+", client.count(r"\d+ tick \d+") + 5)
            client.process.terminate()
            assert client.finish() == 0
            check_all(client, 5)
            assert client.count(r"\d+ ready 1") == 5
        server.wait_for(r"resumed a session", 10)


@compression
def test_a_restarted_server_goes_on(compress: list[str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running("gateway_server", "--tick", "50", "--state", str(state)) as server:
        port = port_of(server)
        with running("gateway_client", *compress, "--clients", "3", "127.0.0.1", port) as client:
            client.wait_for(r"\d+ tick \d+", 3)
            server.process.terminate()
            assert server.finish() == 0
            client.wait_for(r"\d+ closed 4008", 3)
            assert state.stat().st_size > 0
            with running("gateway_server", "--tick", "50", "--state", str(state), port) as again:
                again.wait_for("state: ok")
                assert not state.exists()
                client.wait_for(r"\d+ resumed \d+", 3)
                client.wait_for(r"\d+ tick \d+", client.count(r"\d+ tick \d+") + 6)
                client.process.terminate()
                assert client.finish() == 0
                check_all(client, 3)
                assert client.count(r"\d+ ready 1") == 3


def test_a_server_without_its_state_begins_anew() -> None:
    with running("gateway_server") as server:
        port = port_of(server)
        with running("gateway_client", "127.0.0.1", port) as client:
            client.wait_for(r"0 ready 1")
            server.process.terminate()
            assert server.finish() == 0
            with running("gateway_server", port):
                client.wait_for(r"0 ready 1", 2)
                assert client.count(r"0 closed 4009") == 1
                client.process.terminate()
                assert client.finish() == 0


def test_plain_http_is_answered() -> None:
    with running("gateway_server") as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port_of(server)}/health", timeout=5)
        with refused.value as answer:
            assert answer.code == 404
            assert answer.read() == b"gateway\n"


def test_the_client_keeps_trying() -> None:
    with running("gateway_server") as server:
        port = port_of(server)
    with running("gateway_client", "--until", "1", "127.0.0.1", port) as client:
        client.wait_for(r"0 closed 0", 2)
        with running("gateway_server", port):
            assert client.finish() == 0
            check_all(client, 1)


# ---- the messenger ----


def check_devices(client: Program, count: int) -> None:
    """Each device has had every id behind its first position once, in order."""
    for index in range(count):
        shown = [line.split() for line in client.lines]
        mine = [(line[1], int(line[2])) for line in shown if line[0] == str(index)]
        first = next(number for name, number in mine if name == "ready")
        ids = [number for name, number in mine if name == "new"]
        assert ids == list(range(first + 1, first + 1 + len(ids))), f"device {index}: {ids}"
    assert client.count(r".*HOLE.*") == 0


def test_messages_reach_every_device() -> None:
    with running("messaging_server", "--tick", "50") as server:
        port = port_of(server)
        anna = ("messaging_client", "--devices", "3", "--until", "15", "127.0.0.1", port)
        bert = ("messaging_client", "--user", "bert", "--until", "15", "127.0.0.1", port)
        with running(*anna) as devices, running(*bert) as other:
            assert devices.finish() == 0
            assert other.finish() == 0
            check_devices(devices, 3)
            check_devices(other, 1)
            assert devices.count(r"\d answered 1") == 3
            assert devices.count(r"\d typing 0") >= 3
        server.wait_for(r"closed: .*", 4)
        assert server.count(r"a device came") == 4
        assert server.count(r"acknowledged \d+") >= 4


def test_a_device_that_was_cut_off_catches_up() -> None:
    with running("messaging_server", "--tick", "50") as server:
        port = port_of(server)
        with running("messaging_client", "--devices", "4", "localhost", port) as client:
            client.wait_for(r"\d new \d+", 8)
            for cut in (1, 2):
                client.process.send_signal(signal.SIGUSR1)
                client.wait_for(r"\d resumed \d+", 4 * cut)
                client.wait_for(r"\d new \d+", client.count(r"\d new \d+") + 8)
            client.process.terminate()
            assert client.finish() == 0
            check_devices(client, 4)
            assert client.count(r"\d ready \d+") == 4


def test_a_messenger_that_lost_its_history_says_so() -> None:
    with running("messaging_server", "--tick", "50") as server:
        port = port_of(server)
        with running("messaging_client", "127.0.0.1", port) as client:
            client.wait_for(r"0 new \d+")
            server.process.terminate()
            assert server.finish() == 0
            client.wait_for(r"0 closed 1001")
            with running("messaging_server", "--tick", "50", port):
                client.wait_for(r"0 sync \d+")
                client.wait_for(r"0 new \d+", client.count(r"0 new \d+") + 3)
                client.process.terminate()
                assert client.finish() == 0
                assert client.count(r"0 ready \d+") == 1


# ---- FlowLayer ----


def check_logs(client: Program, count: int) -> None:
    """Each client has had every entry behind its first once, in order, of each server."""
    for index in range(count):
        shown = [line.split() for line in client.lines]
        mine = [(line[1], int(line[2])) for line in shown if line[0] == str(index)]
        last = None
        for name, number in mine:
            if name == "epoch":
                last = None
            elif name == "log":
                assert last is None or number == last + 1, f"client {index}: {mine}"
                last = number
        assert last is not None
    assert client.count(r".*(HOLE|gap).*") == 0


def test_logs_reach_every_client() -> None:
    with running("flowlayer_server", "--tick", "50") as server:
        port = port_of(server)
        options = ("--clients", "5", "--until", "15")
        with running("flowlayer_client", *options, "127.0.0.1", port) as client:
            assert client.finish() == 0
            check_logs(client, 5)
            assert client.count(r"\d done 1") == 5
            assert client.count(r"\d service_status 0") >= 5
            assert client.count(r"web is (stopped|running)") == 5
            assert client.lines[0] == "web is stopped" or "0 hello 0" in client.lines[:5]
        server.wait_for(r"closed: .*", 5)
        assert server.count(r"a client came") == 5


def test_a_client_that_was_cut_off_misses_no_entry() -> None:
    with running("flowlayer_server", "--tick", "50") as server:
        port = port_of(server)
        with running("flowlayer_client", "--clients", "3", "localhost", port) as client:
            client.wait_for(r"\d log \d+", 6)
            for cut in (1, 2):
                client.process.send_signal(signal.SIGUSR1)
                client.wait_for(r"\d ready \d+", 3 * (cut + 1))
                client.wait_for(r"\d log \d+", client.count(r"\d log \d+") + 30)
            client.process.terminate()
            assert client.finish() == 0
            check_logs(client, 3)


def test_another_server_is_another_epoch() -> None:
    with running("flowlayer_server", "--tick", "50") as server:
        port = port_of(server)
        with running("flowlayer_client", "127.0.0.1", port) as client:
            client.wait_for(r"0 log \d+", 3)
            server.process.terminate()
            assert server.finish() == 0
            client.wait_for(r"0 closed 1001")
            with running("flowlayer_server", "--tick", "50", port):
                client.wait_for(r"0 epoch \d+")
                client.wait_for(r"0 log \d+", client.count(r"0 log \d+") + 3)
                client.process.terminate()
                assert client.finish() == 0
                check_logs(client, 1)


def test_a_refused_token_is_not_tried_again() -> None:
    with running("flowlayer_server") as server:
        port = port_of(server)
        with running("flowlayer_client", "--token", "wrong", "127.0.0.1", port) as client:
            client.wait_for(r"0 closed 403")
            client.process.terminate()
            assert client.finish() == 0
            assert client.count(r"0 closed \d+") in (1, 2)


def test_health_is_told_to_who_has_the_token() -> None:
    with running("flowlayer_server") as server:
        url = f"http://127.0.0.1:{port_of(server)}/health"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer secret"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200
            assert answer.read() == b'{"ok": true}'
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=5)
        with refused.value as answer:
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_blobhub_subscribers_are_told() -> None:
    with running("blobhub_server", "--tick", "50") as server:
        port = port_of(server)
        three = ("blobhub_client", "--clients", "3", "--until", "15", "127.0.0.1", port)
        with running(*three) as clients:
            assert clients.finish() == 0
            assert clients.count(r"\d ready 0") == 3
            assert clients.count(r"\d subscription/add 1") == 3
            assert clients.count(r"\d blob/touch 1") == 3
            for index in range(3):
                told = [line.split()[2] for line in clients.lines if f"{index} touched" in line]
                assert told == [str(number + 1) for number in range(len(told))]
        server.wait_for(r"closed: .*", 3)
        assert server.count(r'"client \d" came') == 3


def test_a_blobhub_client_that_was_cut_off_subscribes_again() -> None:
    with running("blobhub_server", "--tick", "50") as server:
        port = port_of(server)
        with running("blobhub_client", "--clients", "4", "localhost", port) as client:
            client.wait_for(r"\d touched \d+", 8)
            for cut in (1, 2):
                client.process.send_signal(signal.SIGUSR1)
                client.wait_for(r"\d reconnected 0", 4 * cut)
                client.wait_for(r"\d touched \d+", client.count(r"\d touched \d+") + 8)
            client.process.terminate()
            assert client.finish() == 0
            assert client.count(r"\d ready 0") == 4
            assert client.count(r"\d subscription/add 1") == 12


def test_a_blobhub_client_outlives_its_server() -> None:
    with running("blobhub_server") as server:
        port = port_of(server)
        with running("blobhub_client", "127.0.0.1", port) as client:
            client.wait_for(r"0 touched 1")
            server.process.terminate()
            assert server.finish() == 0
            client.wait_for(r"0 closed 1001")
            with running("blobhub_server", "--tick", "50", port):
                client.wait_for(r"0 reconnected 0")
                client.wait_for(r"0 touched \d+", client.count(r"0 touched \d+") + 3)
                client.process.terminate()
                assert client.finish() == 0
