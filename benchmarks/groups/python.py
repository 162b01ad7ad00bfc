"""The Python package beside peers from PyPI: what it decodes, echoes and publishes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

from benchmarks.program import ROOT, Effort, Spec, pin, run_logged
from benchmarks.python import live
from benchmarks.report import Bar, Row, Unit, at_least, at_most, make_row, nanoseconds, rate

SITE = ROOT / "build/peers/venv"
MICROSECONDS = Unit("us/message", lambda seconds: seconds * 1e6)


def versions() -> dict[str, str]:
    """Of the peers that are installed."""
    folders = [str(path) for path in SITE.glob("lib/python*/site-packages")]
    found: Iterator[Distribution] = iter(distributions(path=folders))
    return {each.name: each.version for each in found}


# ---- within one process ------------------------------------------------------------------------

RECEIVE = (
    "The gateway's messages of the corpus that clients send, masked, 32 in one call: a server's"
    " link gives an event for each, its payload a slice that is decoded when it is asked for."
    " websockets' ServerProtocol gives frames, of which json makes dicts; it has no session, and"
    " checks neither names nor limits nor rates."
)
LOOKED = " receive-data: the payload of each event is asked for, and so decoded by json."

DECODE = (
    "The corpus of the envelope rows, one protocol after another: type, name, id or number are"
    " found, the payload stays JSON; the answers are compared. "
)
STRUCT = "msgspec: a Struct(gc=False) a protocol, its payload Raw. "
LOOK = "decode-look: and three of the fields are asked for (ours four), which ours makes only then."
DICTS = "orjson and json make dicts of all."

INSIDE: dict[str, Sequence[Spec]] = {
    "decode": [
        Spec("decode-msgspec", nanoseconds("message"), at_most(0.8), DECODE + STRUCT),
        Spec("decode-orjson", nanoseconds("message"), at_most(0.25), DECODE + DICTS),
        Spec("decode-json", nanoseconds("message"), at_most(0.08), DECODE + DICTS),
        Spec("decode-look", nanoseconds("message"), None, DECODE + STRUCT + LOOK),
    ],
    "receive": [
        Spec("receive", rate("messages"), at_least(20), RECEIVE),
        Spec("receive-data", rate("messages"), None, RECEIVE + LOOKED),
    ],
}


def inside(name: str, specs: Sequence[Spec], effort: Effort) -> Iterator[Row]:
    """Runs benchmarks/python/NAME.py in the peers' environment; a row for each line it prints."""
    command = [str(live.PYTHON), "-m", f"benchmarks.python.{name}"]
    command += [str(effort.pairs), str(effort.milliseconds)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=live.environment(),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin,
    ) as process:
        assert process.stdout is not None
        for spec, line in zip(specs, process.stdout, strict=False):
            found = json.loads(line)
            if found["row"] != spec.row:
                raise SystemExit(f"bench: {found['row']} where {spec.row} was expected")
            note = spec.note
            if found["unchecked"]:
                note += f" Takes without a word: {found['unchecked']}."
            yield make_row(
                spec.row,
                spec.unit,
                found["pairs"],
                peer=found["peer"],
                peer_version=found["version"],
                bar=spec.bar,
                note=note,
            )
    if process.returncode != 0:
        raise SystemExit(f"bench: benchmarks.python.{name} failed ({process.returncode})")


# ---- servers -----------------------------------------------------------------------------------

ECHO = (
    f"A server that echoes texts of {live.MESSAGE_SIZE} B on {live.CONNECTIONS} connections: its"
    " CPU for each. The load is a C program in another process, on another core. "
)
DOES = {
    "bare": "bare: a BufferedProtocol that answers so many bytes with so many, no WebSocket.",
    "picows": "picows: a C transport of its own (aiofastnet) instead of the loop's; it does not"
    " check UTF-8, and its user takes frames, not messages.",
    "websockets": "websockets: `serve` and `async for`.",
    "aiohttp": "aiohttp: a route and `async for`; its reader is C.",
    "wsproto": "wsproto: without I/O, on a BufferedProtocol.",
}


@dataclass(frozen=True)
class Echo:
    """A server of ours, and the bars beside its peers."""

    server: str
    suffix: str
    in_flight: int
    bars: dict[str, Bar | None]
    about: str


ECHOES = (
    Echo(
        "kedge_sans_io",
        "",
        1,
        {
            "picows": at_most(1.1),
            "websockets": at_most(0.3),
            "aiohttp": at_most(0.5),
            "wsproto": None,
            "bare": None,
        },
        "kedge's Connection on a BufferedProtocol of 25 lines. One message in flight.",
    ),
    Echo(
        "kedge_serve",
        "-serve",
        1,
        {"websockets": at_most(0.45), "aiohttp": at_most(0.8)},
        "`kedge.serve` and `async for`. One message in flight.",
    ),
    Echo(
        "kedge_sans_io",
        "-16",
        16,
        {"picows": at_most(0.25), "bare": None},
        "16 in flight on each; the answers to what came at once are written at once, picows writes"
        " each.",
    ),
)
LOOPS = ("asyncio", "uvloop")
OF_ONE_LOOP = ("websockets", "aiohttp")  # their bars were set by what asyncio's loop costs them


def echo_rows(effort: Effort, loop: str, in_flight: int, known: dict[str, str]) -> Iterator[Row]:
    echoes = [echo for echo in ECHOES if echo.in_flight == in_flight]
    names = {echo.server for echo in echoes} | {peer for echo in echoes for peer in echo.bars}
    milliseconds = effort.milliseconds * 4
    costs = live.echoed(sorted(names), loop, in_flight, effort.pairs, milliseconds)
    for echo in echoes:
        for peer, bar in echo.bars.items():
            yield make_row(
                f"echo{echo.suffix}-{loop}-{peer}",
                MICROSECONDS,
                list(zip(costs[echo.server], costs[peer], strict=True)),
                peer=peer,
                peer_version=known.get(peer, "BufferedProtocol"),
                bar=bar if loop == "asyncio" or peer not in OF_ONE_LOOP else None,
                note=f"{ECHO}{echo.about} {DOES[peer]}",
            )


def rows(effort: Effort) -> Iterator[Row]:
    run_logged(["tools/extension.sh"])
    for name, specs in INSIDE.items():
        yield from inside(name, specs, effort)
    if not sys.platform.startswith("linux"):
        return
    known = versions()
    for loop in LOOPS:
        for in_flight in sorted({echo.in_flight for echo in ECHOES}):
            yield from echo_rows(effort, loop, in_flight, known)
