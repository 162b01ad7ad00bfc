"""kedge explain: a transcript step by step, and who broke the contract."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kedge import cli
from kedge._words import is_colourful
from kedge.transcript import Line, write
from talks import BROKEN, WHOLE

Capture = pytest.CaptureFixture[str]


def written(tmp_path: Path, lines: list[Line]) -> str:
    file = tmp_path / "talk.jsonl"
    write(lines, file)
    return str(file)


@pytest.mark.parametrize("protocol", WHOLE)
def test_a_whole_talk(protocol: str, tmp_path: Path, capsys: Capture) -> None:
    lines = WHOLE[protocol]
    assert cli.main(["explain", protocol, written(tmp_path, lines)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == len(lines) + 1
    assert out[-1] == f"whole: {len(lines)} lines, and nothing in them breaks the contract"
    for line, told in zip(lines, out[:-1], strict=True):
        assert f"{line.t:.3f}  {line.sender}" in told
        assert "client " in told.split("  ", 5)[-1] or "client " in told
    assert "\033" not in "".join(out)


@pytest.mark.parametrize("protocol", BROKEN)
def test_a_broken_talk(protocol: str, tmp_path: Path, capsys: Capture) -> None:
    lines, place, culprit, rule = BROKEN[protocol]
    assert cli.main(["explain", protocol, written(tmp_path, lines)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert len(out) == len(lines) + 1
    assert out[place].startswith("!")
    assert out[place + 1] == f"broken in line {place + 1} by the {culprit}: {rule} (UNEXPECTED)"
    assert sum(line.startswith("!") for line in out) == 1


@pytest.mark.parametrize("protocol", WHOLE)
def test_for_machines(protocol: str, tmp_path: Path, capsys: Capture) -> None:
    lines = WHOLE[protocol]
    assert cli.main(["explain", protocol, "--json", written(tmp_path, lines)]) == 0
    *steps, end = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert end == {"lines": len(lines), "whole": True}
    assert [step["line"] for step in steps] == list(range(1, len(lines) + 1))
    assert all(step["client"] and step["server"] for step in steps)
    assert ["name" in step for step in steps] == [line.message is not None for line in lines]


@pytest.mark.parametrize("protocol", BROKEN)
def test_a_broken_talk_for_machines(protocol: str, tmp_path: Path, capsys: Capture) -> None:
    lines, place, culprit, rule = BROKEN[protocol]
    assert cli.main(["explain", protocol, "--json", written(tmp_path, lines)]) == 1
    *steps, end = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert end == {"lines": len(lines), "whole": False}
    assert steps[place]["broken"] == {
        "culprit": culprit,
        "cause": "UNEXPECTED",
        "code": None,
        "rule": rule,
    }
    assert ["broken" in step for step in steps].index(True) == place


def test_what_the_other_side_closes_with_and_odd_messages(tmp_path: Path, capsys: Capture) -> None:
    lines = [
        Line(0, "server", '{"type":"hello","d":{"heartbeat_interval":1000}}'),
        Line(0.1, "client", "{nonsense"),
        Line(0.2, "client", b"\x00\x01\x02"),
        Line(0.3, "server", '{"type":""}'),
        Line(0.4, "server", '{"type":"a\\u001b[31mb"}'),
        Line(0.5, "server", code=4002, reason="bad \033[31m"),
        Line(0.6, "client"),
    ]
    assert cli.main(["explain", "gateway", written(tmp_path, lines)]) == 1
    out = capsys.readouterr().out
    assert "(text of 9)" in out
    assert "the server closes with 4002" in out
    assert "(binary message of 3)" in out
    assert "a message" in out
    assert "a\ufffd[31mb" in out
    assert "close 4002 bad \ufffd[31m" in out
    assert "the connection broke" in out


def test_messages_without_a_name_are_told_by_their_kind(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["explain", "messaging", written(tmp_path, WHOLE["messaging"])]) == 0
    out = capsys.readouterr().out
    assert " ping " in out
    assert " pong " in out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{}\n", 'line 1: its "t" is no number of seconds'),
        (b'{"t":0,"from":"client","text":"ping"}\nnonsense\n', "line 2: it is not JSON"),
        (b"\xff\n", "line 1: it is not UTF-8"),
    ],
)
def test_what_is_no_transcript(content: bytes, why: str, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_bytes(content)
    assert cli.main(["explain", "messaging", str(file)]) == 2
    assert why in capsys.readouterr().err


def test_files_that_are_not_there(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["explain", "gateway", str(tmp_path / "none")]) == 2
    assert cli.main(["explain", "gateway", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("kedge: ") == 2


def test_the_arguments(capsys: Capture) -> None:
    for arguments in (["explain"], ["explain", "smtp", "x"], ["explain", "gateway"]):
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert end.value.code == 2
    with pytest.raises(SystemExit):
        cli.main(["explain", "--help"])
    said = capsys.readouterr().out
    assert "BASE64" in said
    assert "Exit status" in said


def test_the_sides_can_be_set(tmp_path: Path, capsys: Capture) -> None:
    file = written(tmp_path, WHOLE["gateway"])
    assert cli.main(["explain", "gateway", file, "--server", '{"identify_timeout": 0.05}']) == 1
    assert "broken in line 2 by the client" in capsys.readouterr().out
    assert cli.main(["explain", "gateway", file, "--client", '{"path": "/x"}']) == 0
    assert cli.main(["explain", "gateway", file, "--client", '{"nonsense": 1}']) == 2
    assert cli.main(["explain", "gateway", file, "--server", '{"identify_timeout": 0}']) == 2
    for text in ("[]", "nonsense"):
        with pytest.raises(SystemExit):
            cli.main(["explain", "gateway", file, "--client", text])
    assert "is no JSON object" in capsys.readouterr().err


def run(lines: list[Line], *arguments: str) -> tuple[int, str]:
    """The command as a process, the transcript on its stdin."""
    done = subprocess.run(
        [sys.executable, "-m", "kedge", "explain", *arguments, "-"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_stdin() -> None:
    status, out = run(WHOLE["gateway"], "gateway")
    assert (status, out.splitlines()[-1][:5]) == (0, "whole")
    status, out = run(BROKEN["flowlayer"][0], "flowlayer", "--json")
    assert (status, json.loads(out.splitlines()[-1])["whole"]) == (1, False)


def test_stdin_within_this_process(tmp_path: Path, capsys: Capture, monkeypatch: Any) -> None:
    with open(written(tmp_path, WHOLE["blobhub"])) as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert cli.main(["explain", "blobhub", "-"]) == 0
    assert "whole: 5 lines" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    file = written(tmp_path, BROKEN["gateway"][0])
    assert cli.main(["explain", "gateway", file]) == 1
    assert "\033[31;1m!" in screen.getvalue()
    assert is_colourful(screen)
    assert not is_colourful(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_colourful(screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_colourful(screen)


def test_who_stops_listening_ends_it_quietly(tmp_path: Path) -> None:
    file = written(tmp_path, WHOLE["gateway"] * 3000)
    command = f"{sys.executable} -m kedge explain gateway {file} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.count(os.linesep) == 1
    assert done.stderr == ""
