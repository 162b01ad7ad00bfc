"""The log: useful, without secrets, and never endless."""

from __future__ import annotations

import logging

import kedge
import pytest
from aio_world import Cable, client_of, following, handle, publish, until
from kedge._log import RateLimit, logger
from kedge.gateway import Closed, Hub


def line(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("kedge", logging.INFO, "file", 1, text, arguments, None)


def test_lines_of_one_kind_are_counted_and_left_out() -> None:
    now = 0.0
    limit = RateLimit(2, 10.0, lambda: now)
    assert [limit.filter(line("lost %s", n)) for n in range(5)] == [True, True, False, False, False]
    assert limit.filter(line("other"))
    now = 10.0
    record = line("lost %s", 5)
    assert limit.filter(record)
    assert record.getMessage() == "lost 5 (3 more like this were left out)"
    record = line("lost %s", 6)
    assert limit.filter(record)
    assert record.getMessage() == "lost 6"
    assert not limit.filter(line("lost %s", 7))


def test_the_packages_logger_is_limited() -> None:
    assert any(isinstance(one, RateLimit) for one in logger.filters)


async def test_what_happens_to_a_client_is_told_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = Hub()
    with caplog.at_level(logging.DEBUG, "kedge"):
        async with kedge.serve(handle, hub=hub) as server, Cable().laid() as cable:
            cable.target = server.port
            async with following(cable.url, client_of("s3cr3t-t0ken")) as record:
                await record.ready()
                cable.pull()
                await record.closed()
                cable.plug()
                await record.resumed()
                publish(hub, 1, 1)
                await record.came(1)
                hub.close(hub.sessions()[0], 4004, "out\nwith you")
                await until(lambda: 4004 in [closed.code for closed in record.of(Closed)])
            async with following(f"{cable.url}", client_of("wrong")) as record:
                await record.closed()
            async with following(cable.url, client_of(path="/gateway?encoding=x")) as record:
                await record.closed()
    told = "\n".join(entry.getMessage() for entry in caplog.records)
    assert "lost (LOST); again in 0." in told
    assert "closed by 4004 'out\\nwith you' (PEER_CLOSED); waits for credentials" in told
    assert "HTTP 400 instead of a WebSocket (UPGRADE_REFUSED); stopped" in told
    assert "s3cr3t" not in told
    assert "127.0.0.1" in told
