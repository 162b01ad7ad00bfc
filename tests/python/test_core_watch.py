"""kedge.Watch: told what both sides say, it tells who broke the contract."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from kedge import (
    ArgumentError,
    Observation,
    Status,
    Watch,
    blobhub,
    flowlayer,
    gateway,
    messaging,
)

HELLO = gateway.encode("hello", {"heartbeat_interval": 30000}).decode()
IDENTIFY = gateway.encode("identify", {"token": "t", "protocol_version": 1}).decode()
READY = gateway.encode("ready", {"session_id": "abcdef"}, seq=1).decode()


def test_a_gateway_conversation_that_is_whole() -> None:
    watch = Watch("gateway")
    assert watch.protocol == "gateway"
    seen = [
        watch.message("server", HELLO, now=0),
        watch.message("client", IDENTIFY, now=0.1),
        watch.message("server", READY, now=0.2),
        watch.message("server", gateway.encode("message", {"n": 1}, seq=2).decode(), now=0.3),
        watch.close("client", 1000, now=0.4),
        watch.close("server", 1000, "bye", now=0.4),
    ]
    assert [each.name for each in seen] == ["hello", "identify", "ready", "message", None, None]
    assert [each.client_state for each in seen[:3]] == ["IDENTIFYING", "IDENTIFYING", "LIVE"]
    assert not any(each.broken for each in seen)
    assert watch.broken is None


def test_the_first_that_breaks_it_is_told_once() -> None:
    watch = Watch("gateway")
    watch.message("server", HELLO, now=0)
    seen = watch.message("client", gateway.encode("typing", {}).decode(), now=1)
    assert seen == Observation(
        "typing",
        "IDENTIFYING",
        "CLOSED",
        broken=True,
        culprit="client",
        cause=Status.UNEXPECTED,
        code=4003,
        rule="a message that the state does not allow",
    )
    assert watch.broken is seen
    again = watch.message("server", "nonsense", now=2)
    assert not again.broken
    assert watch.broken is seen
    assert pickle.loads(pickle.dumps(seen)) == seen


def test_text_that_is_none_has_no_name() -> None:
    watch = Watch("gateway")
    seen = watch.message("server", b"\x00\x01", now=0)
    assert (seen.name, seen.broken, seen.culprit) == (None, True, "server")


@pytest.mark.parametrize(
    ("protocol", "sender", "message"),
    [
        ("flowlayer", "client", flowlayer.encode("ack", payload={}, id="1")),
        ("messaging", "client", messaging.encode("response", time=1, id="1")),
        ("blobhub", "client", blobhub.encode("request", "subscription/add", {}, id=1)),
    ],
)
def test_the_others_have_rules_too(protocol: Any, sender: Any, message: bytes) -> None:
    watch = Watch(protocol)
    seen = watch.message(sender, message.decode(), now=0)
    assert (seen.broken, seen.culprit) == (True, sender)
    assert seen.rule


def test_a_broken_connection_breaks_nothing() -> None:
    watch = Watch("messaging")
    watch.message("client", "ping", now=0)
    seen = watch.close("client", now=1)
    assert not seen.broken
    assert watch.message("client", "ping", now=2).name is None


def test_it_asks_the_clock_where_no_time_is_given() -> None:
    watch = Watch("gateway")
    assert not watch.message("server", HELLO).broken
    assert not watch.close("server", 1001, b"going away").broken
    exact = Watch("gateway")
    assert not exact.message("server", HELLO, now_ns=5).broken
    assert not exact.close("server", 1001, now_ns=6).broken
    with pytest.raises(ArgumentError, match="now and now_ns"):
        exact.close("server", 1001, now=1, now_ns=6)


def test_the_sides_are_set_to_what_is_told() -> None:
    def late(**settings: Any) -> bool:
        watch = Watch("gateway", **settings)
        watch.message("server", HELLO, now=0)
        return watch.message("client", IDENTIFY, now=20).broken

    assert not late()
    assert not late(client=None, server={})
    assert late(server={"identify_timeout": 10})
    assert not late(server={"identify_timeout": 25.5}, client={"hello_timeout": 40})
    words = Watch("gateway", server={"words": {"mls_type": ["".join("other")]}})
    assert not words.message("server", HELLO, now=0).broken
    named = Watch("blobhub", client={"path": "/" + "p" * 50}, server={"name": "n" * 50})
    for _ in range(20):
        named.close("client", now=0)
        named.message("client", "[]", now=0)
    assert Watch("blobhub", client={"token": "t"}, server={"batch_max": 5}).protocol == "blobhub"
    assert Watch("flowlayer", client={"path": "/x"}, server={"commands_max": 5}).broken is None
    assert Watch("messaging", client={"acks": "each"}, server={"silence": 5}).broken is None


def test_settings_that_are_none_are_told() -> None:
    with pytest.raises(TypeError, match=r"server\(\) got an unexpected .*'batch_max'"):
        Watch("gateway", server={"batch_max": 1})
    with pytest.raises(TypeError, match="client must be a dict, not list"):
        Watch("gateway", client=[])
    with pytest.raises(ArgumentError, match="batch_max is zero"):
        Watch("blobhub", server={"batch_max": 0})
    with pytest.raises(ArgumentError, match="hello_timeout"):
        Watch("gateway", client={"hello_timeout": -1})


def test_the_arguments_are_checked() -> None:
    with pytest.raises(ArgumentError, match="protocol is"):
        Watch("smtp")
    with pytest.raises(TypeError, match="protocol must be str"):
        Watch(1)
    with pytest.raises(TypeError, match="missing"):
        Watch()
    watch = Watch("gateway")
    wrong: Any = watch
    with pytest.raises(ArgumentError, match="sender is"):
        wrong.message("someone", "x", now=0)
    with pytest.raises(TypeError, match="sender must be str"):
        wrong.close(1, now=0)
    with pytest.raises(TypeError, match="str or bytes"):
        wrong.message("client", 1, now=0)
    with pytest.raises(TypeError, match="reason must be"):
        wrong.close("client", 1000, 1, now=0)
    with pytest.raises(ArgumentError, match="code"):
        wrong.close("client", 70000, now=0)
    with pytest.raises(ArgumentError, match="now"):
        wrong.message("client", "x", now=-1)
    with pytest.raises(ArgumentError, match="now"):
        wrong.close("client", now=-1)
