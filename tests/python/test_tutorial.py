"""The tutorial, done step by step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import Workshop, untaken, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop("tutorial.md", tmp_path) as shop:
        for title in ("server.py", "client.py", "cable.py"):
            shop.write(title)
        changed = shop.take("server.py, changed")
        server = (tmp_path / "server.py").read_text()
        (line,) = (line for line in server.splitlines(True) if "kedge.serve(" in line)
        (tmp_path / "lasting.py").write_text(server.replace(line, changed))
        assert untaken(shop) == []
        yield shop


def test_two_talk_and_one_survives_a_pulled_cable(shop: Workshop) -> None:
    shop.run("server.py").wait_for("^listening on ws://")
    cable = shop.run("cable.py")
    cable.wait_for("^a cable")
    anna = shop.run("client.py", "anna", f"ws://127.0.0.1:{shop.port('8765')}")
    anna.wait_for(r"^\* welcome")
    ben = shop.run("client.py", "ben", f"ws://127.0.0.1:{shop.port('8766')}")
    ben.wait_for(r"^\* welcome")

    anna.say("hello ben")
    ben.wait_for("^2 anna: hello ben$")
    ben.say("hello anna")
    for program in (anna, ben):
        program.wait_for("^3 ben: hello anna$")

    cable.say("")
    ben.wait_for(r"^\* the line broke; again in \d\.\d s$")
    anna.say("are you there?")
    ben.wait_for("^4 anna: are you there\\?$")
    ben.wait_for(r"^\* back again, 1 missed$")
    assert [line for line in ben.lines if line[0] != "*"] == [
        "2 anna: hello ben",
        "3 ben: hello anna",
        "4 anna: are you there?",
    ]


def test_the_changed_server_restarts_and_nothing_is_lost(shop: Workshop) -> None:
    server = shop.run("lasting.py")
    server.wait_for("^listening on ws://")
    anna = shop.run("client.py", "anna", f"ws://127.0.0.1:{shop.port('8765')}")
    anna.wait_for(r"^\* welcome")
    anna.say("before")
    anna.wait_for("^2 anna: before$")
    server.signal(signal.SIGINT)
    anna.wait_for(r"^\* the line broke")
    shop.run("lasting.py").wait_for("^listening on ws://")
    anna.wait_for(r"^\* back again, 0 missed$")
    anna.say("welcome back")
    anna.wait_for("^3 anna: welcome back$")
