"""What a connection tells, a line each: words for people, JSON for machines."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import kedge
from kedge._words import BOLD, CYAN, DIM, RED, Pen, printable
from kedge.cli._common import say

Tell: TypeAlias = Callable[[dict[str, Any], Any], None]
"""Says one thing: what it is ("event") with its fields, and its payload as it came, or None."""


def add_form(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="a JSON object a line, for machines")


def teller(options: argparse.Namespace, member: str) -> Tell:
    """By --json; there a payload is called `member`."""
    if options.json:
        return lambda head, payload: say(json_line(head, member, payload))
    pen = Pen(sys.stdout)
    return lambda head, payload: say(words(head, payload, pen, screen_width()))


def screen_width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1 << 30


def head_of(event: kedge.Event) -> dict[str, Any]:
    """An event without its payload: what it is, and its fields."""
    head: dict[str, Any] = {"event": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__)}
    head["event"] = head["event"].lower()
    fields: tuple[str, ...] = FIELDS.get(type(event)) or vars(type(event))["__match_args__"]
    return head | {name: getattr(event, name) for name in fields}


FIELDS: dict[type[kedge.Event], tuple[str, ...]] = {
    kedge.Closed: ("code", "reason", "cause", "http_status", "action", "unsent"),
    kedge.Outcome: ("name", "outcome", "code", "message", "about"),
}


# ---- for machines --------------------------------------------------------------------------------


def json_line(head: dict[str, Any], member: str, payload: Any = None) -> str:
    line = json.dumps({name: plain(value) for name, value in head.items()})
    if payload is None:
        return line
    # Outside of texts, where they cannot be, line breaks are mere space.
    data = bytes(payload).decode().replace("\n", " ").replace("\r", " ")
    return f'{line[:-1]}, "{member}": {data}}}'


def plain(value: Any) -> Any:
    """A field's value as JSON can have it."""
    if isinstance(value, kedge.Retry):
        return {"retry": {"after": round(value.after, 3), "resume": value.resume}}
    if isinstance(value, kedge.Coordinates):
        return {name: getattr(value, name) for name in kedge.Coordinates.__match_args__}
    if isinstance(value, kedge.Stop):
        return "stop"
    return "want_credentials" if isinstance(value, kedge.WantCredentials) else value


# ---- for people ----------------------------------------------------------------------------------

SAID = frozenset(
    {"dispatch", "subscription", "request", "outcome", "stray", "error_report", "text", "binary"}
)
"""What the server said; the rest is about the connection."""

TITLE = 24
LEAST = 16
SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')


def words(head: dict[str, Any], payload: Any, pen: Pen, width: int) -> str:
    """Time, arrow, name, number, and of the rest as much as the width has room for."""
    rest = dict(head)
    kind = rest.pop("event")
    name = rest.pop("name", None) or rest.pop("type", "")
    title = printable(name if kind == "dispatch" else f"{kind} {name}".rstrip(), TITLE)
    if "seq" in rest:
        title += f" #{rest.pop('seq')}"
    text = rest.pop("text", None) or rest.pop("base64", None) or compact(payload, 4 * width)
    arrow, colour = ("<-", CYAN) if kind in SAID else ("--", RED if kind == "closed" else DIM)
    columns = [f"{datetime.now():%H:%M:%S.%f}"[:-3], arrow, f"{title:<{TITLE}}"]
    told = [*(phrase(each, value) for each, value in rest.items() if value), text]
    room = width - len("  ".join([*columns, ""]))
    tail = printable("  ".join(filter(None, told)), max(LEAST, room))
    painted = map(pen, columns, (DIM, colour, BOLD))
    return "  ".join([*painted, tail]).rstrip()


def compact(payload: Any, most: int) -> str:
    """JSON, so much of it, without what space is between its parts."""
    text = "" if payload is None else bytes(payload[:most]).decode(errors="replace")
    return SPACE.sub(lambda found: found[1] or "", text)


def phrase(name: str, value: Any) -> str:
    match value:
        case kedge.Retry(after=after, resume=resume):
            return f"again in {after:.3g} s{', to go on where it was' if resume else ''}"
        case kedge.Stop():
            return "for good"
        case kedge.WantCredentials():
            return "wants other credentials"
        case kedge.Coordinates(scope, scope_id, target, target_id):
            return f"{scope}:{scope_id}/{target}:{target_id}"
    text = json.dumps(value, ensure_ascii=False)
    return f"{name}={text[1:-1] if isinstance(value, str) else text}"
