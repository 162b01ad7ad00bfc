"""Frames of 16 B, 172 B and 1 KiB in a buffer of 64 KiB, beside wslay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from benchmarks.program import Effort, Spec, measured
from benchmarks.report import Row, at_most, nanoseconds

BARS = {16: at_most(0.15), 172: at_most(0.03), 1024: at_most(0.01)}

FRAME = (
    "kedge_frame_parse + kedge_mask in place, beside wslay_event_recv, the way to receive with"
    " wslay, which does more: it copies the bytes out of its callback's buffer, checks UTF-8 and"
    " joins messages. reader-* is like for like; frame-low-* is beside wslay's lower layer."
)
LOW = (
    "kedge_frame_parse + kedge_mask in place, beside wslay_frame_recv, which copies each byte once"
    " and checks neither UTF-8 nor whether a frame fits the one before. Without a bar: at 1 KiB"
    " 0.01 of it would be faster than memcpy."
)
READER = (
    "kedge_reader beside wslay_event_recv, like for like: whole messages, the order of frames and"
    " UTF-8 checked, the bytes copied once. wslay takes a close frame of one byte, and what it says"
    " of a close reason depends on how the bytes were cut."
)


def installed_version() -> str | None:
    """wslay's header tells an older version than it is; Debian knows better."""
    query = ["dpkg-query", "-W", "-f", "${Version}", "libwslay-dev"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def rows(effort: Effort) -> Iterator[Row]:
    unit = nanoseconds("frame")
    specs = []
    for size, bar in BARS.items():
        specs += [
            Spec(f"frame-{size}", unit, bar, FRAME),
            Spec(f"frame-low-{size}", unit, None, LOW),
            Spec(f"reader-{size}", nanoseconds("message"), None, READER),
        ]
    return measured("frame", specs, effort, peer_version=installed_version())
