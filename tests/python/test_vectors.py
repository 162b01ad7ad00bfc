"""The vectors of UTF-8, JSON and zstd beside a second opinion: Python's own, and zstandard.

The C suites hold kedge against the same files. Where the second opinion differs, a table or the
comment beside the test says which rule it is.
"""

from __future__ import annotations

import pytest
import zstandard
from core_world import live_client
from kedge._core import Closed
from test_differential_core import (
    COMMON_WINDOW,
    zstd_verdict,
)
from vectors import UTF8_FAULTS, Case, bytes_of, cases, holds_json, named, utf8_fault


@named("utf8")
def test_utf8(case: Case) -> None:
    text = bytes_of(case)
    fault = utf8_fault(text)
    if fault is None:
        assert (case["status"], case["offset"]) == ("OK", len(text))
    else:
        reason, offset = fault
        assert case["status"] in UTF8_FAULTS[reason]
        assert case["offset"] == offset


@named("json")
def test_json(case: Case) -> None:
    holds_json(case)


# ---- zstd ----

# What zstandard says where it is not what kedge says.
ZSTD_DIFFERS = {
    "no content size, a huge window": "ZSTD_BROKEN",  # it reads no header with a window so large
    "the largest window": "ZSTD_BROKEN",  # likewise
    "2^64 - 1 bytes": "ZSTD_NO_SIZE",  # the number stands for that
}


@named("zstd")
def test_zstd(case: Case) -> None:
    limit, window = case.get("limit", 1000), case.get("window", COMMON_WINDOW)
    verdict, content = zstd_verdict(bytes_of(case), limit, window)
    assert verdict == ZSTD_DIFFERS.get(case["name"], case["status"])
    if verdict == "OK":
        assert content == bytes_of(case["content"])
    elif "measured" in case:
        header = zstandard.get_frame_parameters(bytes_of(case))
        assert header.content_size == case["measured"]
    if "prefix" in case:
        # RFC 8878, 3.1.1.2: the first block is raw, not the last, and as long as the prefix.
        frame, size = bytes_of(case), case["prefix"]
        at = zstandard.frame_header_size(frame)
        block = int.from_bytes(frame[at : at + 3], "little")
        assert size == 0 or block == size << 3
        assert size == 0 or frame[at + 3 : at + 3 + size] == content[:size]


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c["name"]) for c in cases("zstd") if "window" not in c],
)
def test_zstd_reaches_a_client_or_ends_its_connection(case: Case) -> None:
    """The window that a client takes is no setting of it."""
    client = live_client(compress=True, message_limit=case.get("limit", 1000))
    found = client.receive(bytes_of(case))
    content = bytes_of(case["content"]) if case["status"] == "OK" else b""
    if b'"ahoy"' in content:
        other = live_client(message_limit=case.get("limit", 1000))
        plain = other.receive(content.decode())
        assert found == plain != []
        assert not isinstance(found[0], Closed)
    else:
        (closed,) = found
        assert isinstance(closed, Closed)
        # What is no event of the gateway is refused as such.
        assert (closed.cause == case["status"]) == (case["status"] != "OK")
        assert client.receive(content) == []
