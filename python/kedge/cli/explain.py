"""`kedge explain`: a transcript step by step, and who broke the contract."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from kedge import DecodeError, _core
from kedge._words import BOLD, CYAN, DIM, RED, YELLOW, Pen, printable
from kedge.cli._common import UsageError, say, teach
from kedge.cli._events import add_form
from kedge.transcript import Line, Step, TranscriptError, explain, read

DECODERS = {
    "gateway": _core.gateway_decode,
    "flowlayer": _core.flowlayer_decode,
    "messaging": _core.messaging_decode,
    "blobhub": _core.blobhub_decode,
}

DESCRIPTION = """\
Reads a transcript and tells of each line in which state both sides are after it, and what breaks
the contract first: who did it, against which rule, and with which code the other side closes.

A transcript has one JSON object a line:
  {"t": SECONDS, "from": "client" or "server", "text": MESSAGE}
  {"t": SECONDS, "from": ..., "bytes": BASE64}               a binary message, as it was sent
  {"t": SECONDS, "from": ..., "close": CODE, "reason": TEXT} a close frame
  {"t": SECONDS, "from": ..., "close": null}                 a connection that broke
In Python, link.trace = kedge.transcript.Transcript("FILE") writes one.
"""
EXAMPLES = """\
kedge explain gateway talk.jsonl
kedge explain gateway talk.jsonl --server '{"heartbeat_interval": 5}' --json | tail -n 1"""
STATUS = "0 nothing breaks the contract, 1 something does, 2 that is no transcript"


def add_explain(command: argparse.ArgumentParser) -> None:
    teach(command, DESCRIPTION, EXAMPLES, STATUS)
    command.add_argument(
        "protocol", metavar="PROTOCOL", choices=tuple(DECODERS), help=", ".join(DECODERS)
    )
    command.add_argument("file", metavar="FILE", help="the transcript; - is stdin")
    for side in ("client", "server"):
        command.add_argument(
            f"--{side}",
            metavar="SETTINGS",
            type=settings_of,
            help=f"what the {side} is set to, a JSON object: names as in Python, times in seconds",
        )
    add_form(command)
    command.set_defaults(run=run_explain)


def settings_of(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object")
    return settings


def run_explain(options: argparse.Namespace) -> int:
    words = Words(options.protocol, Pen(sys.stdout))
    tell = tell_json if options.json else words.tell
    broken = False
    count = 0
    try:
        for count, step in enumerate(steps_of(options), 1):
            tell(count, step)
            broken = broken or step.seen.broken
    except TranscriptError as error:
        print(f"kedge: {options.file}: {error}", file=sys.stderr)
        return 2
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        print(f"kedge: {error}", file=sys.stderr)
        return 2
    if options.json:
        say(json.dumps({"lines": count, "whole": not broken}))
    elif not broken:
        say(f"whole: {count} lines, and nothing in them breaks the contract")
    return 1 if broken else 0


def steps_of(options: argparse.Namespace) -> Iterator[Step]:
    lines = lines_of(options.file)
    try:
        yield from explain(options.protocol, lines, client=options.client, server=options.server)
    except TypeError as error:
        raise UsageError(f"--client or --server: {error}") from None


def lines_of(file: str) -> Iterator[Line]:
    if file != "-":
        return read(file)
    return read(open(sys.stdin.fileno(), encoding="utf-8", closefd=False))


# ---- for machines --------------------------------------------------------------------------------


def tell_json(number: int, step: Step) -> None:
    line, seen = step
    told: dict[str, Any] = {"line": number, "t": line.t, "from": line.sender}
    if line.message is None:
        told |= {"close": line.code, "reason": line.reason}
    else:
        told["name"] = seen.name
    told |= {"client": seen.client_state, "server": seen.server_state}
    if seen.broken:
        told["broken"] = {
            "culprit": seen.culprit,
            "cause": seen.cause,
            "code": seen.code,
            "rule": seen.rule,
        }
    say(json.dumps(told))


# ---- for people ----------------------------------------------------------------------------------


class Words:
    """Tells steps in columns."""

    def __init__(self, protocol: str, pen: Pen) -> None:
        self.decode = DECODERS[protocol]
        self.pen = pen

    def tell(self, number: int, step: Step) -> None:
        line, seen = step
        what = f"{line.ending or self.name_of(line, seen.name):<34}"
        colour = CYAN if line.sender == "client" else YELLOW
        mark = self.pen("!", RED, BOLD) if seen.broken else " "
        say(
            f"{mark}{line.t:>11.3f}  {self.pen(f'{line.sender:<6}', colour)}  {what}  "
            f"{self.pen(f'client {seen.client_state:<16} server {seen.server_state}', DIM)}"
        )
        if seen.broken:
            say(self.pen(f"broken in line {number} {step.breach}", RED, BOLD))

    def name_of(self, line: Line, name: str | None) -> str:
        if name:
            return printable(name)
        assert line.message is not None
        try:
            return self.decode(line.message).kind or "a message"
        except DecodeError:
            kind = "text" if isinstance(line.message, str) else "binary message"
            return f"({kind} of {len(line.message)})"
