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

TITLES = {
    "dispatch": ("name",),
    "outcome": ("name", "outcome"),
    "subscription": ("event", "type"),
    "request": ("event", "name"),
    "closed": ("event", "code"),
}
BARE = ("reason", "message", "action", "coordinates", "text", "base64")
"""Fields that say by themselves what they are; they come first."""

TITLE = 20
LEAST = 16
SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')


def words(head: dict[str, Any], payload: Any, pen: Pen, width: int) -> str:
    """Time, arrow, name, number, and of the rest as much as the width has room for."""
    kind = head["event"]
    titles = TITLES.get(kind, ("event",))
    title = printable(" ".join(str(head[name]) for name in titles if head[name]), 2 * TITLE)
    if head.get("seq"):
        title += f" #{head['seq']}"
    arrow, colour = ("<-", CYAN) if kind in SAID else ("--", RED if kind == "closed" else DIM)
    columns = [f"{datetime.now():%H:%M:%S.%f}"[:-3], arrow, f"{title:<{TITLE}}"]
    rest = [name for name in head if head[name] and name not in (*titles, "event", "seq")]
    told = [phrase(name, head[name]) for name in sorted(rest, key=lambda name: name not in BARE)]
    tail = "  ".join(filter(None, [*told, compact(payload, 4 * width)]))
    room = width - len("  ".join([*columns, ""]))
    painted = map(pen, columns, (DIM, colour, BOLD))
    return "  ".join([*painted, printable(tail, max(LEAST, room))]).rstrip()


def compact(payload: Any, most: int) -> str:
    """JSON, so much of it, without what space is between its parts."""
    text = "" if payload is None else bytes(payload[:most]).decode(errors="replace")
    return SPACE.sub(lambda found: found[1] or "", text)


def phrase(name: str, value: Any) -> str:
    match value:
        case kedge.Retry(after=after, resume=resume):
            return f"again in {after:.2g} s{', resuming' if resume else ''}"
        case kedge.Stop():
            return "for good"
        case kedge.WantCredentials():
            return "wants other credentials"
        case kedge.Coordinates(scope, scope_id, target, target_id):
            return f"{scope}:{scope_id}/{target}:{target_id}".removeprefix(":/")
    text = str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if name in BARE else f"{name}={text}"
