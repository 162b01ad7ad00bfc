"""FlowLayer through the extension: credentials, snapshot, commands, logs, what the client keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_peers import Peers
from kedge import _core
from kedge._core import (
    Closed,
    Credentials,
    Decline,
    Dispatch,
    Epoch,
    ErrorReport,
    Gap,
    Message,
    Outcome,
    Ready,
    Request,
    Retry,
    Snapshot,
    Upgrade,
    WantCredentials,
)
from kedge.flowlayer import OutcomeKind

STAMP = "2026-01-01T00:00:00Z"


def log(message: str, service: str = "web") -> dict[str, str]:
    return {
        "service": service,
        "phase": "run",
        "stream": "stdout",
        "message": message,
        "timestamp": STAMP,
    }


def peers(**options: Any) -> Peers:
    made = Peers("flowlayer", services=["db", "web"], **options)
    made.snapshot = {
        "services": [{"name": "db", "status": "ready"}, {"name": "web", "status": "running"}]
    }
    return made


def messages(events: list[Dispatch]) -> list[tuple[int, str]]:
    return [(event.seq, event.data["message"]) for event in events if event.name == "log"]


def test_a_client_begins_with_the_state_and_hears_what_changes() -> None:
    world = peers()
    ann = world.join()
    assert [type(event) for event in ann.asked] == [Credentials, _core.Attached, Snapshot]
    hello, ready = ann.told[1:]
    assert isinstance(hello, Dispatch)
    assert (hello.name, hello.data["protocol_version"]) == ("hello", 1)
    assert isinstance(ready, Ready)
    assert ready.data == world.snapshot
    assert ann.client.services == {"db": "ready", "web": "running"}
    assert ann.client.status_of("web") == "running"
    assert ann.client.status_of("mail") is None
    assert world.hub.publish("service_status", {"service": "web", "status": "failed"}) is None
    world.hub.publish("log", log("one"))
    world.hub.publish(world.hub.publication("log", log("two")))
    world.run()
    assert ann.client.status_of("web") == "failed"
    assert messages(ann.take(Dispatch)) == [(1, "one"), (2, "two")]
    assert [(event.name, event.seq) for event in ann.client.logs] == [("log", 1), ("log", 2)]
    assert ann.client.logs[1].data["message"] == "two"
    assert world.hub.shared.last == 2
    assert world.hub.shared == ann.server.session
    assert ann.client.position == 2
    with pytest.raises(TypeError):
        ann.client.status_of(5)


def test_a_command_is_accepted_and_ends_with_its_result() -> None:
    world = peers()
    ann = world.join()
    ann.told.clear()
    number = ann.client.request("restart_service", {"service": "web"})
    world.run()
    command = ann.question()
    assert (command.name, command.known, command.data) == (
        "restart_service",
        True,
        {"service": "web"},
    )
    ann.server.accept_request(command)
    world.run()
    assert ann.told == []
    ann.server.reply(command, {"pid": 17})
    world.run()
    outcome = ann.outcome()
    assert (outcome.number, outcome.outcome, outcome.data) == (
        number,
        OutcomeKind.ANSWERED,
        {"pid": 17},
    )


def test_a_command_is_refused_or_fails() -> None:
    world = peers()
    ann = world.join()
    for answer, code in (
        (lambda q: ann.server.reply_error(q, "service_busy", "later"), "service_busy"),
        (lambda q: ann.server.reply_failed(q), "internal_error"),
    ):
        ann.told.clear()
        ann.client.request("stop_service", {"service": "db"})
        world.run()
        answer(ann.question())
        world.run()
        outcome = ann.outcome()
        assert (outcome.outcome, outcome.code) == (OutcomeKind.REFUSED, code)
    ann.told.clear()
    ann.client.request("start_all")
    world.run()
    command = ann.question()
    ann.server.accept_request(command)
    ann.server.reply_error(command, "failed", "two did not start", ["db", "web"])
    world.run()
    assert ann.outcome().message == "two did not start"
    ann.client.request("start_service", {"service": "mail"})
    world.run()
    assert ann.outcome().code == "unknown_service"
    with pytest.raises(_core.StaleTicketError):
        ann.server.accept_request(command)


def test_logs_are_answered_out_of_the_history() -> None:
    world = peers(service_limits={"web": 2}, logs_limit=3)
    for n in range(6):
        world.hub.publish("log", log(str(n), "web" if n % 2 else "db"))
    ann = world.join()
    ann.told.clear()
    for payload, expected, limit in (
        (None, ["3", "4", "5"], 3),
        ({"limit": 1}, ["5"], 1),
        ({"service": "web"}, ["3", "5"], 2),
        ({"service": "db", "after_seq": 1}, ["2", "4"], 3),
        ({"before_seq": 3}, ["0", "1"], 3),
    ):
        ann.client.request("get_logs", payload)
        world.run()
        data = ann.outcome().data
        assert [entry["message"] for entry in data["entries"]] == expected
        assert data["effective_limit"] == limit


def test_the_application_may_answer_for_the_logs() -> None:
    world = peers(answer_logs=False)
    ann = world.join()
    ann.client.request("get_logs", {"limit": 5})
    world.run()
    assert ann.question().name == "get_logs"


def test_what_was_missed_of_the_log_is_fetched() -> None:
    world = peers()
    ann = world.join()
    world.hub.publish("log", log("one"))
    world.run()
    ann.told.clear()
    ann.cut()
    assert isinstance(ann.take(Closed)[0].action, Retry)
    for word in ("two", "three"):
        world.hub.publish("log", log(word))
    ann.come_back()
    world.hub.publish("log", log("four"))
    world.run()
    assert messages(ann.take(Dispatch)) == [(2, "two"), (3, "three"), (4, "four")]
    assert len(ann.client.logs) == 4


def test_what_is_gone_is_a_gap_and_another_server_an_epoch() -> None:
    world = peers(own_history=(2, 1 << 20, 600.0))
    ann = world.join()
    world.hub.publish("log", log("one"))
    world.run()
    ann.cut()
    for n in range(5):
        world.hub.publish("log", log(str(n)))
    ann.told.clear()
    ann.come_back()
    assert Gap(2, 4) in ann.told
    ann.cut()
    world.hub = world.module.Hub(clock=world.clock, services=["db", "web"])
    world.hub.publish("log", log("before"))
    ann.told.clear()
    ann.come_back()
    assert Epoch(6) in ann.told
    world.hub.publish("log", log("fresh"))
    world.run()
    assert messages(ann.take(Dispatch)) == [(2, "fresh")]
    assert [event.seq for event in ann.client.logs] == [2]


def test_a_slow_reader_loses_log_entries_and_they_are_counted() -> None:
    world = peers(own_history=(2, 1 << 20, 600.0))
    ann = world.join()
    ann.slow = True
    for n in range(5):
        world.hub.publish("log", log(str(n)))
    ann.slow = False
    ann.told.clear()
    world.run()
    assert ann.server.counts["lost"] == 3
    assert [seq for seq, _ in messages(ann.take(Dispatch))][-2:] == [4, 5]
    world.hub.set_lossy(False)
    ann.slow = True
    for n in range(5):
        world.hub.publish("log", log(str(n)))
    ann.slow = False
    world.run()
    assert ann.take(Closed)[0].code == 1013


def test_health_is_asked_about_like_an_upgrade() -> None:
    world = peers()
    link = world.hub.link()
    (question,) = link.requested("/health", [("Authorization", "Bearer x")], upgrade=False)
    link.accept(question, user="x")
    (answer,) = link.outputs()
    assert isinstance(answer, Decline)
    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})
    link = world.hub.link()
    assert link.requested("/ws") != []
    (answer,) = link.outputs()
    assert isinstance(answer, Decline)
    assert answer.status == 401
    link = world.hub.link()
    (question,) = link.requested("/ws", [("authorization", "bearer x")])
    link.refuse(question, 418, "no tea")
    (answer,) = link.outputs()
    assert isinstance(answer, Decline)
    assert answer.status == 418


def test_who_has_no_state_to_tell_closes() -> None:
    world = peers()
    link = world.hub.link()
    (question,) = link.requested("/ws", [("Authorization", "Bearer x")])
    link.accept(question, user="x")
    assert isinstance(link.outputs()[0], Upgrade)
    (asked,) = link.opened()
    assert isinstance(asked, Snapshot)
    with pytest.raises(_core.ArgumentError):
        link.reply(asked, {"services": [{"name": "b", "status": "wrong"}]})
    (closed,) = [event for event in link.refuse(asked) if isinstance(event, Closed)]
    assert closed.sent == 1011


def test_refusals_stop_the_client_until_other_credentials_come() -> None:
    world = peers()
    ann = world.join(token="wrong")
    (closed,) = ann.take(Closed)
    assert (closed.http_status, closed.action) == (403, WantCredentials())
    eager = world.join(token="wrong", stop_on_refusal=False)
    assert isinstance(eager.take(Closed)[0].action, Retry)


def test_what_nobody_knows_is_handed_on() -> None:
    world = peers()
    ann = world.join()
    ann.told.clear()
    ann.told += ann.client.receive('{"type":"event","name":"moon","payload":{"phase":1}}')
    ann.told += ann.client.receive('{"type":"result","id":"99","payload":{"ok":true}}')
    ann.told += ann.client.receive('{"type":"error","payload":{"code":"a","message":"b"}}')
    assert [type(event) for event in ann.told] == [Message, ErrorReport]
    assert ann.told[0] == Message("moon", False, b'{"phase":1}')


def test_a_server_tells_what_is_wrong_with_a_message() -> None:
    world = peers()
    ann = world.join()
    ann.told.clear()
    ann.asked += ann.server.receive("nonsense")
    world.run()
    (error,) = ann.take(ErrorReport)
    assert error.code == "invalid_json"


def test_commands_wait_for_the_snapshot() -> None:
    world = peers()
    ann = world.client()
    with pytest.raises(_core.StateError):
        ann.client.request("stop_all")
    ann.connect()
    assert ann.client.request("stop_all") == 1
    for _ in range(99):
        ann.client.request("stop_all")
    with pytest.raises(_core.LimitError):
        ann.client.request("stop_all")


def test_timeouts_of_commands() -> None:
    world = peers()
    ann = world.join(ack_timeout=1.0)
    ann.told.clear()
    ann.client.request("stop_all", timeout=4.0)
    accepted = ann.client.request("start_all", timeout=4.0)
    world.run()
    ann.server.accept_request(ann.question())
    world.run()
    world.pass_time(1)
    assert ann.outcome().outcome is OutcomeKind.TIMED_OUT
    world.pass_time(4)
    outcome = ann.outcome()
    assert (outcome.number, outcome.outcome) == (accepted, OutcomeKind.TIMED_OUT)


def test_a_command_that_nobody_answers_fails() -> None:
    world = peers(command_timeout=2.0)
    ann = world.join()
    ann.told.clear()
    ann.client.request("stop_all")
    world.run()
    question = ann.question()
    assert isinstance(question, Request)
    world.pass_time(2)
    assert isinstance(ann.told[-1], Outcome)
    with pytest.raises(_core.StaleTicketError):
        ann.server.reply(question)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda w: w.hub.publish("log"), _core.ArgumentError, None),
        (lambda w: w.hub.publish("log", [1]), _core.DecodeError, None),
        (lambda w: w.hub.publish("log", {"seq": 1}), _core.DecodeError, None),
        (lambda w: w.hub.send(w.hub.shared, "service_status", {}), _core.Error, None),
        (lambda w: w.hub.end(w.hub.shared), _core.StateError, "flowlayer has no such call"),
        (lambda w: w.hub.set_lossy(), TypeError, "lossy"),
        (
            lambda w: w.module.Hub(services=["a"], service_limits={"b": 1}),
            _core.ArgumentError,
            "service_limits",
        ),
        (
            lambda w: w.module.Hub(services=["a"], service_limits={"a": -1}),
            _core.ArgumentError,
            "service_limits",
        ),
        (lambda w: w.module.Hub(services=["a"], service_limits=5), TypeError, None),
        (lambda w: w.module.Hub(command_timeout=0), _core.ArgumentError, "command_timeout"),
        (lambda w: w.module.Hub(services="ab"), TypeError, "services"),
        (lambda w: w.module.Hub(logs_limit=1 << 64), _core.ArgumentError, "logs_limit"),
        (lambda w: w.module.Client(token="a", path="b"), _core.ArgumentError, "path"),
        (lambda w: w.module.Client(token="a", requests_max=0), _core.ArgumentError, "requests_max"),
        (lambda w: w.module.Client(), TypeError, "token"),
    ],
)
def test_mistakes_raise_and_name_what_is_wrong(call: Any, error: type, told: str | None) -> None:
    world = peers()
    with pytest.raises(error, match=told):
        call(world)
