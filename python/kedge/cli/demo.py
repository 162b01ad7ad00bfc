"""`kedge demo`: what the package promises, shown."""

from __future__ import annotations

import argparse

from kedge.cli._common import teach

PROTOCOLS = ("gateway", "flowlayer", "messaging", "blobhub")
DESCRIPTION = """\
Plays a server and its clients over real sockets, on loopback: cables are cut, servers restarted,
and in the end it is counted what was lost or doubled. There is a play for each protocol; a line
for each says in the end how it went.
"""
STATUS = "0 all went as it should, 1 something did not"


def add_demo(command: argparse.ArgumentParser) -> None:
    teach(command, DESCRIPTION, "kedge demo\nkedge demo gateway", STATUS)
    command.add_argument(
        "protocol",
        metavar="PROTOCOL",
        nargs="?",
        choices=PROTOCOLS,
        help=f"only {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}",
    )
    command.set_defaults(run=run_demo)


def run_demo(options: argparse.Namespace) -> int:
    from kedge.demo import run

    return run([options.protocol] if options.protocol else PROTOCOLS)
