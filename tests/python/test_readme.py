"""The programs of the README run as they stand, and do what it says."""

from __future__ import annotations

import signal
from pathlib import Path

from pages import untaken, workshop

ALL_OF_C = "c"  # that program is built against an installed library: tests/install/check.sh


def test_the_client_survives_restarts_of_the_server(tmp_path: Path) -> None:
    with workshop("../README.md", tmp_path) as shop:
        for title in ("server.py", "client.py"):
            shop.write(title)
        assert len(shop.page.take("", ALL_OF_C).splitlines()) < 20
        assert untaken(shop) == []

        client = shop.run("client.py")
        client.wait_for(r"^the line broke; again in \d\.\d s$")
        server = shop.run("server.py")
        number = int(client.wait_for(r"^(\d+) \d+$")[1])
        server.signal(signal.SIGINT)
        client.wait_for(r"^the line broke")
        shop.run("server.py")
        following = client.wait_for(r"^(\d+) 1$")
        assert int(following[1]) >= number + 1
        numbers = [int(line.split()[0]) for line in client.lines if line[0].isdigit()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
