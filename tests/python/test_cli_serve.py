"""`kedge serve messaging` and `kedge serve blobhub` with two of `kedge connect`: one is paused, one
is cut, the server is killed and started again, and nothing numbered is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import kedge
import pytest
from aio_world import Cable, following, soon, until
from kedge import cli, messaging
from kedge.aio import Server
from kedge.cli import serve
from kedge.reference import Users
from kedge.reference.messaging import Messenger, new_hub
from test_cli import Process, command, failing, listening

USERS = ("--user", "anna=a", "--user", "ben=b")
PLACE = {"scope": "org", "scope_id": "1", "target": "blob", "target_id": "7"}


def serving(messenger: Messenger) -> Server:
    return kedge.serve(messenger.handle, hub=messenger.hub)


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])


def new(run: Process, text: str) -> None:
    run.say(json.dumps({"request": "new", "payload": {"chatId": 1, "message": text}}))


async def got(run: Process, text: str) -> None:
    await run.event(lambda event: event.get("payload", {}).get("message") == text)


def numbered(run: Process) -> list[int]:
    return [
        event["seq"]
        for event in run.seen
        if event["event"] == "dispatch" and event["name"] == "new"
    ]


async def test_a_messengers_events_outlive_its_server(tmp_path: Path) -> None:
    arguments = ("serve", "messaging", "--port", "0", *USERS, "--state", tmp_path / "events")
    async with AsyncExitStack() as stack:
        cables = [await stack.enter_async_context(Cable().laid()) for _ in range(2)]
        runs: list[Process] = []
        said = 0
        for round, ending in enumerate((signal.SIGKILL, signal.SIGTERM)):
            async with command(*arguments) as server:
                for cable, port in zip(cables, [port_of(await listening(server))] * 2, strict=True):
                    cable.target = port
                if round == 0:
                    for cable, token in zip(cables, "ab", strict=True):
                        client = command("connect", "messaging", cable.url, "--token", token)
                        runs.append(await stack.enter_async_context(client))
                        await runs[-1].named("ready")
                anna, ben = runs
                new(anna, f"{round} live")
                await asyncio.gather(got(anna, f"{round} live"), got(ben, f"{round} live"))
                ben.process.send_signal(signal.SIGSTOP)
                new(anna, f"{round} paused")
                await got(anna, f"{round} paused")
                ben.process.send_signal(signal.SIGCONT)
                await got(ben, f"{round} paused")
                cables[1].pull()
                new(anna, f"{round} cut")
                await got(anna, f"{round} cut")
                cables[1].plug()
                await got(ben, f"{round} cut")
                said += 3
                status = await server.end(ending)
                assert status == (-signal.SIGKILL if ending is signal.SIGKILL else 0)
        for run in runs:
            assert numbered(run) == list(range(1, said + 1))
            assert not [event for event in run.seen if event["event"] in ("gap", "sync")]
            assert await run.end() == 0


async def test_a_message_that_is_sent_twice_is_said_once(tmp_path: Path) -> None:
    users = Users({"anna": "a", "ben": "b"})
    says = {"chatId": "x", "message": "hello", "clientMessageId": "m-1"}
    for restarted in (False, True):
        async with (
            Messenger(new_hub(), users, str(tmp_path / "events")) as messenger,
            serving(messenger) as server,
            kedge.connect(server.urls[0], messaging.Client(token="a")) as anna,
            kedge.connect(server.urls[0], messaging.Client(token="b")) as ben,
        ):
            for _ in range(2):
                assert (await soon(anna.request("new", says)))["messageId"] == 1
            if restarted:
                assert (await soon(ben.request("new", says)))["messageId"] == 2
            there = (await soon(ben.request("messages", {"chatId": "x"})))["messages"]
            assert [message["sender"] for message in there] == ["anna", "ben"][: 1 + restarted]


async def test_what_a_messenger_answers() -> None:
    hub = new_hub()
    async with AsyncExitStack() as stack:
        messenger = await stack.enter_async_context(
            Messenger(hub, Users({"anna": "a", "ben": "b"}))
        )
        server = await stack.enter_async_context(serving(messenger))
        url = server.urls[0]
        anna, ben = [
            await stack.enter_async_context(kedge.connect(url, messaging.Client(token=token)))
            for token in ("a", "b")
        ]

        async def refused(name: str, payload: dict[str, Any], code: str) -> None:
            with pytest.raises(kedge.RequestError) as told:
                await soon(ben.request(name, payload))
            assert told.value.code == code

        one = {"chatId": "x", "messageId": 1}
        assert await soon(anna.request("new", {"chatId": "x", "message": "one"})) == one
        await soon(anna.request("new", {"chatId": "x", "message": "two"}))
        assert await soon(ben.request("read", {"chatId": "x"})) == {"chatId": "x", "messageId": 2}
        assert await soon(ben.request("dlvrd", one)) == one
        await refused("edit", {**one, "message": "mine"}, "forbidden")
        await refused("edit", {"chatId": "x", "messageId": "y", "message": "m"}, "no_such_message")
        await refused("delete", {"chatId": "y", "messageId": 1}, "no_such_chat")
        await refused("elsewhere", {}, "unknown_type")
        edited = {"chatId": "x", "originalMessageId": "1", "message": "uno", "attachments": []}
        assert await soon(anna.request("edit", edited)) == one

        async def texts(**asked: Any) -> list[str]:
            answer = await soon(ben.request("messages", {"chatId": "x", **asked}))
            return [message["message"] for message in answer["messages"]]

        assert await texts() == ["uno", "two"]
        assert await texts(count=1) == ["two"]
        assert await texts(startId=1, count=1) == ["uno"]
        assert await texts(endId=1) == ["uno"]
        await soon(anna.request("delete", {"chatId": "x", "messageId": 2}))
        about = {"chatId": "x", "count": 1, "lastMessageId": 1}
        assert await soon(ben.request("chat", {"chatId": "x"})) == {"chat": about}
        assert await soon(ben.request("chats", {})) == {"chats": [about]}


async def test_who_comes_types_and_leaves_is_told() -> None:
    hub = new_hub()
    async with (
        Messenger(hub, Users({"anna": "a", "ben": "b"})) as messenger,
        serving(messenger) as server,
        following(server.urls[0], messaging.Client(token="a")) as anna,
    ):
        await until(lambda: anna.of(messaging.Ready))

        def told() -> list[str]:
            events = anna.of(messaging.Dispatch)
            return [event.name for event in events if event.data["user"] == "ben"]

        for round in (1, 2):
            async with (
                following(server.urls[0], messaging.Client(token="b")) as ben,
                following(server.urls[0], messaging.Client(token="b")) as second,
            ):
                await until(lambda: ben.of(messaging.Ready) and second.of(messaging.Ready))
                await ben.stream.notify("other", [])
                await ben.stream.notify("typing", {"chatId": 1})
                await until(lambda: told()[-1:] == ["typing"])
            await until(lambda: told() == ["online", "typing", "offline"] * round)  # noqa: B023
        async with following(server.urls[0], messaging.Client(token="c")) as stranger:
            await until(lambda: [one.http_status for one in stranger.of(messaging.Closed)] == [403])


async def test_a_blobhub_broadcasts_what_it_is_told() -> None:
    async with command("serve", "blobhub", "--port", "0", *USERS) as server:
        url = await listening(server)
        async with (
            Cable().laid() as cable,
            command("connect", "blobhub", cable.url, "--token", "a") as anna,
            command("connect", "blobhub", url, "--token", "b") as ben,
        ):
            cable.target = port_of(url)
            for run in (anna, ben):
                await run.named("ready")
                run.say(json.dumps({"subscribe": {**PLACE, "types": ["touched"]}}))
                await run.named("outcome")
            told = {**PLACE, "type": "touched", "event": {"n": 1}}
            for line in ("no JSON", "[]", '{"type": 1}', json.dumps(told)):
                server.say(line)
            for run in (anna, ben):
                event = await run.named("subscription")
                assert event["coordinates"] == PLACE
                assert (event["type"], event["payload"]) == ("touched", {"n": 1})
            cable.pull()
            cable.plug()
            await anna.named("reconnected")
            assert (await anna.named("outcome"))["about"]["types"] == ["touched"]
            ben.process.send_signal(signal.SIGSTOP)
            for n in range(2, 30):
                server.say(json.dumps({**told, "event": {"n": n}}))
            ben.process.send_signal(signal.SIGCONT)
            for run in (anna, ben):
                await run.event(lambda event: event.get("payload") == {"n": 29})
                heard = [e["payload"]["n"] for e in run.seen if e["event"] == "subscription"]
                assert heard == list(range(1, 30))
            ben.say('{"method": "echo", "params": {"x": [1]}}')
            assert (await ben.named("outcome"))["payload"] == {"x": [1]}
            ben.say('{"method": "blob/get"}')
            assert (await ben.named("outcome"))["code"] == 405
            assert await anna.end() == await ben.end() == 0
        status, said = await failing("connect", "blobhub", url, "--token", "wrong")
        assert (status, "HTTP status 403" in said) == (1, True)
        assert await server.end() == 0
        assert (await server.rest())[1].count("not broadcast") == 3


def test_users_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    for what in ("messaging", "blobhub"):
        assert cli.main(["serve", what]) == 2
        assert "who may come in" in capsys.readouterr().err


async def test_who_left_before_he_was_let_in_has_no_stream() -> None:
    class Gone:
        """A link that closed while its question was thought about."""

        def accept(self, *arguments: Any, **options: Any) -> bool:
            return False

    hub = new_hub()
    async with Messenger(hub, Users({"anna": "a"})) as messenger:
        gone: Any = Gone()
        question = messaging.Credentials(messaging.CredentialsKind.BEARER, "a")
        await messenger._let_in(gone, question, "anna")
    assert hub.sessions() == []


async def test_a_server_ends_with_what_it_does_besides() -> None:
    assert await serve.stay(kedge.serve(Messenger.handle, hub=new_hub()), asyncio.sleep(0)) == 0
