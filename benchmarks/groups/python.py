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
from benchmarks.report import (
    BYTES,
    Bar,
    Row,
    Unit,
    at_least,
    at_most,
    make_row,
    nanoseconds,
    rate,
)

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


# ---- servers that echo -------------------------------------------------------------------------

ECHO = (
    f"A server that echoes texts of {live.MESSAGE_SIZE} B, a quarter not of ASCII alone, on"
    f" {live.CONNECTIONS} connections: its CPU for each. The load is a C program in another"
    " process, on another core. "
)
PROTOCOL = (
    "A kedge.websocket.Protocol of two lines, which checks UTF-8, limits and time-outs, and"
    " takes and sends texts as bytes, past the loop's transport where the socket takes them. "
)
DOES = {
    "bare": "bare: a BufferedProtocol that answers so many bytes with so many, no WebSocket.",
    "picows": "picows: a C transport of its own (aiofastnet) in place of the loop's; its user gets"
    " frames, not messages, and text that nobody has checked.",
    "websockets": "websockets: `serve` and `async for`; it parses frames in Python.",
    "aiohttp": "aiohttp: a route and `async for`; its reader is in C.",
    "wsproto": "wsproto: without I/O, on a BufferedProtocol, so without time-outs and pings.",
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
        "kedge_protocol",
        "",
        1,
        {
            "picows": at_most(1.1),
            "websockets": at_most(0.3),
            "aiohttp": at_most(0.5),
            "wsproto": None,
            "bare": None,
        },
        PROTOCOL + "One message in flight.",
    ),
    Echo(
        "kedge_protocol_str",
        "-str",
        1,
        {"picows": None},
        PROTOCOL + "One message in flight, decoded to str and encoded again.",
    ),
    Echo(
        "kedge_sans_io",
        "-sans-io",
        1,
        {"picows": None},
        "kedge's Connection on a BufferedProtocol of 25 lines of Python. One message in flight.",
    ),
    Echo(
        "kedge_serve",
        "-serve",
        1,
        {"websockets": at_most(0.45), "aiohttp": at_most(0.8)},
        "`kedge.serve` and `async for`. One message in flight.",
    ),
    Echo(
        "kedge_protocol",
        "-16",
        16,
        {"picows": at_most(0.25), "bare": None},
        PROTOCOL + "16 in flight on each; answers to what came at once go at once, picows writes"
        " each.",
    ),
    Echo(
        "kedge_protocol_each",
        "-16-each",
        16,
        {"picows": at_most(1.0)},
        PROTOCOL + "16 in flight on each, and a write for each answer.",
    ),
    Echo(
        "kedge_serve",
        "-16-serve",
        16,
        {"picows": None},
        "`kedge.serve` and `async for`. 16 in flight on each.",
    ),
)
LOOPS = ("asyncio", "uvloop")
OF_ONE_LOOP = ("websockets", "aiohttp")  # their bars were set by what asyncio's loop costs them


def bar_of(loop: str, peer: str, bar: Bar | None) -> Bar | None:
    return bar if loop == "asyncio" or peer not in OF_ONE_LOOP else None


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
                bar=bar_of(loop, peer, bar),
                note=f"{ECHO}{echo.about} {DOES[peer]}",
            )


# ---- servers that publish ----------------------------------------------------------------------

PUBLISH = (
    f"One event of 190 B to {live.LINKS} TCP connections, the server's CPU for each: kedge's hub"
    " encodes it once, numbers it for each session (here all count alike, and 32 share a frame),"
    " keeps it for a replay and sends it past the loop's transports; the peers write a text that is"
    " there already, unnumbered. "
)
PUBLISHES = {
    "bare": (at_most(1.15), "bare: ready-made bytes to each transport."),
    "picows": (at_most(1), "picows: transport.send in a loop."),
    "aiohttp": (at_most(1), "aiohttp: send_str in a loop."),
    "websockets": (at_most(1), "websockets: broadcast()."),
}


def publish_rows(effort: Effort, loop: str, known: dict[str, str]) -> Iterator[Row]:
    times = max(1, effort.milliseconds // 10)
    costs = live.published(["kedge", *PUBLISHES], loop, effort.pairs, times)
    for peer, (bar, about) in PUBLISHES.items():
        yield make_row(
            f"publish-{loop}-{peer}",
            Unit("us/link", lambda seconds: seconds * 1e6),
            list(zip(costs["kedge"], costs[peer], strict=True)),
            peer=peer,
            peer_version=known.get(peer, "BufferedProtocol"),
            bar=bar,
            note=PUBLISH + about,
        )


# ---- memory ------------------------------------------------------------------------------------

IDLE = (
    "What a server's memory grows by (proportional set size), by the connection, when so many more"
    " connect and do nothing; the kernel's part is not in it. "
)
IDLES = (
    ("servers", "kedge_protocol", "", "bare", at_most(1.5), "A kedge.websocket.Protocol."),
    ("servers", "kedge_serve", "-serve", "bare", None, "kedge.serve, with a handler's task."),
    ("publishers", "kedge", "-hub", "bare", None, "A hub's link, its session, a handler's task."),
    ("servers", "kedge_serve", "-serve", "websockets", None, "kedge.serve, with its task."),
    ("servers", "kedge_protocol", "", "picows", None, "A kedge.websocket.Protocol."),
    ("servers", "kedge_serve", "-serve", "aiohttp", None, "kedge.serve, with its task."),
)
SIZES = {"1k": 1000, "10k": 10_000}


def idle_rows(effort: Effort, known: dict[str, str]) -> Iterator[Row]:
    often = 2 if effort.pairs < 15 else 3
    for size, count in list(SIZES.items())[: 1 if effort.pairs < 15 else 2]:
        taken: dict[tuple[str, str], list[float]] = {}

        def measure(
            module: str,
            name: str,
            count: int = count,
            taken: dict[tuple[str, str], list[float]] = taken,
        ) -> list[float]:
            load = ["listen", *([live.IDENTIFY] if module == "publishers" else [])]
            if (module, name) not in taken:
                taken[module, name] = [
                    live.idle(module, name, "asyncio", count, *load) for _ in range(often)
                ]
            return taken[module, name]

        for module, name, suffix, peer, bar, about in IDLES:
            pairs = list(zip(measure(module, name), measure("servers", peer), strict=True))
            yield make_row(
                f"idle-{size}{suffix}-{peer}",
                BYTES,
                pairs,
                peer=peer,
                peer_version=known.get(peer, "BufferedProtocol"),
                bar=bar,
                note=IDLE + about,
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
        yield from publish_rows(effort, loop, known)
    yield from idle_rows(effort, known)
