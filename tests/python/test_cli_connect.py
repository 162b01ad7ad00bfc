"""`kedge connect`, as a process of its own, against servers of each protocol."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import kedge
import pytest
from aio_world import Cable, soon, until
from kedge.aio import Link
from kedge.cli import connect
from plays import PLAYS, BlobHub
from test_cli import command, failing, listening

PLACE = {"scope": "org", "scope_id": "1", "target": "blob", "target_id": "2"}


def client(name: str, url: str, *options: str | Path) -> Any:
    return command("connect", name, url, "--token", "anna", *options)


async def test_a_messengers_client_asks_tells_and_comes_back() -> None:
    play = PLAYS["messaging"]
    hub = play.hub()
    async with (
        Cable().laid() as cable,
        kedge.serve(play.handle, hub=hub) as server,
        client("messaging", cable.url) as run,
    ):
        cable.target = server.port
        await run.named("ready")
        for line in (
            '{"request": "chats", "payload": {}}',
            '{"request": "chat", "payload": {"chatId": 7}}',
            '{"request": "new", "payload": {"chatId": 7}}',
            '{"event": "typing", "payload": {"chatId": 7}}',
            '{"neither": 1}',
            "[]",
        ):
            run.say(line)
        asked = await run.event(lambda event: event.get("line") == 1)
        assert asked == {
            "event": "outcome",
            "line": 1,
            "name": "chats",
            "outcome": "answered",
            "payload": {"asked": "chats"},
        }

        def came() -> dict[Any, dict[str, Any]]:
            return {event.get("line", event.get("name")): event for event in run.seen}

        await run.event(lambda _: came().keys() >= {2, "typing"})
        refused = came()[2]
        assert (refused["outcome"], refused["code"]) == ("refused", "no_such_chat")
        play.publish(hub, 1, 20)
        await run.event(lambda event: event.get("payload") == {"count": 20})
        run.process.send_signal(signal.SIGSTOP)
        play.publish(hub, 21, 40)
        await asyncio.sleep(0.1)
        run.process.send_signal(signal.SIGCONT)
        await run.event(lambda event: event.get("payload") == {"count": 40})
        cable.pull()
        await asyncio.sleep(0.05)
        play.publish(hub, 41, 60)
        cable.plug()
        await run.event(lambda event: event.get("payload") == {"count": 60})
        told = [event for event in run.seen if event["event"] == "dispatch"]
        counts = [event["payload"]["count"] for event in told if event["name"] == "new"]
        assert counts == list(range(1, 61))
        assert await run.end(signal.SIGINT) == 0
        said = (await run.rest())[1]
        assert 'line 5 was not sent: a message is {"request"' in said
        assert "line 6 was not sent" in said


async def test_the_next_process_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    play, saved = PLAYS["messaging"], tmp_path / "saved"
    hub = play.hub()
    async with kedge.serve(play.handle, hub=hub) as server:
        url = server.urls[0]
        async with client("messaging", url, "--save", saved) as run:
            await run.named("ready")
            play.publish(hub, 1, 3)
            await run.event(lambda event: event.get("payload") == {"count": 3})
            assert await run.end() == 0
        play.publish(hub, 4, 6)
        async with client("messaging", url, "--save", saved) as run:
            await run.event(lambda event: event.get("payload") == {"count": 6})
            news = [event for event in run.seen if event["event"] == "dispatch"]
            assert [event["payload"]["count"] for event in news] == [4, 5, 6]
            assert await run.end() == 0
    assert b"anna" not in saved.read_bytes()
    saved.write_bytes(b"nonsense")
    status, said = await failing("connect", "messaging", url, "--token", "t", "--save", saved)
    assert status == 2
    assert str(saved) in said


async def test_a_supervisors_client_gives_commands_and_shows_logs() -> None:
    play = PLAYS["flowlayer"]
    hub = play.hub()
    async with kedge.serve(play.handle, hub=hub) as server:
        async with client("flowlayer", server.urls[0]) as run:
            await run.named("ready")
            run.say('{"command": "restart_service", "payload": {"service": "billing"}}')
            assert (await run.named("outcome"))["payload"] == {"asked": "restart_service"}
            run.say('{"command": "stop_all"}')
            assert (await run.named("outcome"))["code"] == "service_busy"
            play.publish(hub, 1, 2)
            log = await run.event(lambda event: event.get("seq") == 2)
            assert log["payload"]["message"] == "2"
            assert await run.end() == 0
        status, said = await failing("connect", "flowlayer", server.urls[0], "--token", "wrong")
        assert status == 1
        assert "HTTP status 403" in said


class Curious(BlobHub):
    """Asks its clients."""

    async def handle(self, link: Link) -> None:
        self.link = link
        self.ignored: asyncio.Queue[None] = asyncio.Queue()
        await super().handle(link)

    def answer(self, link: Link, request: kedge.Request) -> None:
        if request.name == "ignored":
            self.ignored.put_nowait(None)
        else:
            super().answer(link, request)


async def test_a_blobhub_client_subscribes_asks_and_is_asked() -> None:
    play = Curious()
    hub = play.hub()
    async with (
        kedge.serve(play.handle, hub=hub) as server,
        client("blobhub", server.urls[0]) as run,
    ):
        await run.named("ready")
        run.say(json.dumps({"subscribe": {**PLACE, "types": ["changed", "removed"]}}))
        added = await run.named("outcome")
        assert (added["name"], added["outcome"]) == ("subscription/add", "answered")
        play.publish(hub, 1, 1)
        event = await run.named("subscription")
        assert event["coordinates"] == PLACE
        assert (event["type"], event["payload"]) == ("changed", {"count": 1})
        run.say('{"method": "blob/get", "params": [1]}')
        assert (await run.named("outcome"))["payload"] == {"asked": "blob/get"}
        with pytest.raises(kedge.RequestError) as told:
            await play.link.request("client/name")
        assert told.value.code == 405
        assert (await run.named("request"))["name"] == "client/name"
        run.say('{"subscribe": {"types": "changed"}}')
        run.say('{"notify": "hello", "params": {}}')
        run.say(json.dumps({"unsubscribe": {**PLACE, "types": ["changed"]}}))
        assert (await run.named("outcome"))["name"] == "subscription/remove"
        run.say('{"method": "ignored"}')  # who waits for an answer at the end keeps nobody
        assert (await soon(play.ignored.get())) is None
        assert await run.end() == 0
        assert "line 3 was not sent: a subscription has the texts" in (await run.rest())[1]


async def test_what_is_said_too_late_ends_the_talk(capsys: pytest.CaptureFixture[str]) -> None:
    talk = connect.Talk(kedge.messaging.Client(token="t"), "ws://127.0.0.1:1", print)
    async with talk.stream:
        pass
    with pytest.raises(kedge.ClosedError):
        await talk.send('{"event": "typing"}')
    await talk.send('{"request": "chats"}')
    await until(lambda: not talk.asking)
    assert capsys.readouterr() == ("", "")


async def test_what_can_be_said_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    talk = connect.Talk(kedge.blobhub.Client(token="t"), "ws://127.0.0.1:1", print)
    await talk.send('{"neither": 1}')
    said = capsys.readouterr().err
    assert '{"method": "...", "params": ...} or ' in said
    assert '{"subscribe": {...}} or {"unsubscribe": {...}}' in said


def test_an_end_without_a_reason_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    connect.explain_end(None)
    assert capsys.readouterr().err == ""


async def test_empty_lines_are_skipped_and_the_last_needs_no_end() -> None:
    async with (
        command("serve", "echo", "--port", "0") as server,
        command("connect", "raw", await listening(server)) as run,
    ):
        assert run.process.stdin is not None
        run.process.stdin.write(b"\n  \nlast")
        run.process.stdin.close()
        assert (await run.named("text"))["text"] == "last"
        assert await run.end() == 0
