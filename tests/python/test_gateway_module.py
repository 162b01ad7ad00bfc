"""The package's face: what is where, what is light, what the names say."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kedge
import pytest
from kedge import _core, blobhub, errors, flowlayer, gateway, messaging, websocket
from kedge.gateway import CloseCode

PROTOCOLS = (gateway, flowlayer, messaging, blobhub)


def test_the_close_codes_are_those_of_the_core() -> None:
    assert [(code.name, code.value, code.resumable, code.meaning) for code in CloseCode] == list(
        _core.gateway_close_codes
    )


@pytest.mark.parametrize(
    "module", [kedge, gateway, flowlayer, messaging, blobhub, websocket, errors]
)
def test_what_is_exported_is_there(module: object) -> None:
    for name in module.__all__:
        assert getattr(module, name) is not None, name
    assert len(set(module.__all__)) == len(module.__all__)


def test_every_event_and_exception_can_be_had_from_the_package() -> None:
    for name, value in vars(_core).items():
        public = isinstance(value, type) and not name.startswith("_")
        if public and issubclass(value, _core.Error | _core.Event):
            assert getattr(kedge, name) is value, name


def test_the_import_is_light() -> None:
    code = (
        "import sys, kedge, kedge.gateway, kedge.websocket;"
        "assert 'asyncio' not in sys.modules, 'asyncio';"
        "kedge.connect; assert 'asyncio' in sys.modules;"
        "assert 'starlette' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_that_are_not_there_are_told() -> None:
    for module in (kedge, gateway, websocket):
        with pytest.raises(AttributeError, match="nothing_like_this"):
            _ = module.nothing_like_this
    assert "connect" in dir(kedge)


def test_names_that_are_not_there_are_told_to_type_checkers(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import kedge, kedge.gateway, kedge.websocket\n"
        "from kedge.gateway import Link\n"
        "from kedge import Idenify\n"
        "kedge.conect\n"
        "kedge.gateway.Hubb\n"
        "kedge.websocket.Socket\n"
        "Link.nothing\n"
        "kedge.connect, kedge.serve, kedge.aio.driven, kedge.websocket.WebSocket.send\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(kedge.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    told = re.findall(r"^program\.py:(\d+): error", done.stdout, re.MULTILINE)
    assert [int(line) for line in told] == [3, 4, 5, 6, 7], done.stdout + done.stderr


def test_a_hub_works_without_a_loop() -> None:
    hub = gateway.Hub()
    link = hub.link()
    link.requested("/gateway")
    link.outputs()
    link.opened()
    (question,) = link.receive('{"type":"identify","d":{"token":"t"}}')
    link.accept(question, user="anna", topics=["a"])
    (session,) = hub.sessions("anna")
    hub.follow(session, "b")
    assert hub.publish("b", "event", [1]) == 1
    assert hub.publish("b", gateway.Publication("event", [2])) == 1
    hub.unfollow(session, "b")
    assert hub.publish("b", "event", [3]) == 0
    hub.send(session, "own")
    hub.send(session.id, gateway.Publication("own"))
    assert hub.session(session.id) == session
    assert session.last == 5
    hub.end(session)
    assert [event.why for event in hub.events()] == ["ended"]


@pytest.mark.parametrize(
    "kind",
    [kind for module in PROTOCOLS for kind in (module.Client, module.Hub)],
)
def test_every_setting_is_told_with_its_default(kind: type) -> None:
    told = str(kind.__doc__).partition("The settings, all by name")[2]
    defaults = dict(re.findall(r"""\b([a-z_]+)=(\([^)]*\)|'[^']*'|[\w.]+)""", told))
    settings = inspect.signature(kind).parameters.values()
    assert len(settings) > 15
    for setting in settings:
        if setting.default is setting.empty or len(repr(setting.default)) > 60:
            assert f"\n{setting.name}:" in told
        else:
            default = eval(defaults[setting.name], {"__builtins__": {}})
            assert default == setting.default, setting.name


@pytest.mark.parametrize("module", PROTOCOLS)
def test_a_hub_tells_what_threads_may_do(module: Any) -> None:
    told = " ".join(module.Hub.__doc__.split())
    listed = told.partition("any other thread may call ")[2].partition(":")[0]
    for name in listed.replace(" and ", ", ").split(", "):
        if hasattr(module.Hub, name) and name != "wake":
            owners = [kind for kind in module.Hub.__mro__ if name in vars(kind)]
            assert owners[0].__module__.startswith("kedge.")
            assert owners[0].__module__ != "kedge._core"


def test_the_names_that_are_the_protocols_own_are_told() -> None:
    told = " ".join(str(gateway.__doc__).split())
    hub = gateway.Hub()
    reserved = ("hello", "ready", "resumed", "heartbeat_ack", "error")
    assert f"any name but {', '.join(reserved[:-1])} and {reserved[-1]};" in told
    for name in reserved:
        with pytest.raises(kedge.ArgumentError):
            hub.publish("topic", name)
    assert hub.publish("topic", "heartbeat") == 0


def test_a_url_and_a_client_must_agree_on_the_path() -> None:
    client = gateway.Client(token="t", path="/v2/gateway?shard=1")
    for url in ("ws://x", "ws://x/", "wss://x/v2/gateway?shard=1"):
        assert "x" in repr(kedge.connect(url, client))
    with pytest.raises(kedge.ArgumentError, match=r"'/v2/gateway\?shard=1'"):
        kedge.connect("ws://x/v1/gateway", client)


def test_no_secret_is_shown() -> None:
    secret = "s3cr3t"
    client = gateway.Client(token=secret)
    shown = [client, kedge.connect("ws://x", client), kedge.Identify(secret)]
    shown.append(kedge.Resume(secret, "id"))
    assert [one for one in map(repr, shown) if secret in one] == []
