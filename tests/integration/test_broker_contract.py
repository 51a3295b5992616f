"""What every broker has to do, each against its counterpart on this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from receiver.brokers import jetstream
from receiver.brokers.base import Broker
from receiver.brokers.registry import BROKERS, build_broker
from receiver.config import load
from receiver.domain.broker_address import BrokerKind
from receiver.domain.outgoing import Message
from receiver.errors import DeliveryFailed
from tests.fakes.kafka_cluster import KafkaCluster
from tests.fakes.nats_server import NatsServer
from tests.fakes.ports import free_port

PACKAGES = {BrokerKind.NATS: ("nats", "nats-py"), BrokerKind.KAFKA: ("confluent_kafka", "confluent-kafka")}


@pytest.fixture(params=list(BROKERS))
def kind(request: pytest.FixtureRequest) -> BrokerKind:
    return BrokerKind(request.param)


@pytest.fixture
def counterpart(request: pytest.FixtureRequest, kind: BrokerKind) -> NatsServer | KafkaCluster:
    name = {BrokerKind.NATS: "nats_server", BrokerKind.KAFKA: "kafka_cluster"}[kind]
    found: NatsServer | KafkaCluster = request.getfixturevalue(name)
    return found


@pytest.fixture
def build() -> Iterator[Callable[[str], Broker]]:
    """A function from an address to a broker, which is closed after the test."""
    made: list[Broker] = []

    def build(url: str) -> Broker:
        broker = build_broker(load({"RECEIVER_BROKER_URL": url}))
        assert broker is not None
        made.append(broker)
        return broker

    yield build
    for broker in made:
        broker.close()


def message(event_id: int, key: str | None = "a", topic: str = "incident.opened", size: int = 0) -> Message:
    return Message(event_id, topic, key, b'{"event_id": %d, "fill": "%s"}' % (event_id, b"x" * size))


def arrived(counterpart: NatsServer | KafkaCluster) -> list[int]:
    """The ids of all messages that are there, those of one topic and key in their order."""
    if isinstance(counterpart, NatsServer):
        return [one.envelope["event_id"] for one in counterpart.stored()]
    return [one.envelope["event_id"] for one in counterpart.stored(sorted(counterpart.topics()))]


def test_what_is_acknowledged_is_there_under_its_topic_and_message_id(build, counterpart):
    report = build(counterpart.url).publish([message(1), message(2, None, "alert.raised")])
    assert sorted(report.acknowledged) == [1, 2]
    assert (report.too_large, report.failures) == (set(), {})
    if isinstance(counterpart, NatsServer):
        stored = counterpart.stored()
    else:
        stored = counterpart.stored(["receiver.incident.opened", "receiver.alert.raised"])
    found = {(one.subject, one.message_id, one.envelope["event_id"]) for one in stored}
    assert found == {("receiver.incident.opened", "1", 1), ("receiver.alert.raised", "2", 2)}


def test_messages_of_a_key_keep_their_order(build, counterpart):
    broker = build(counterpart.url)
    batch = [message(n, key) for n, key in enumerate("abacabab" * 20, start=1)]
    assert sorted(broker.publish(batch).acknowledged) == [one.event_id for one in batch]
    for key in "abc":
        mine = [one.event_id for one in batch if one.key == key]
        assert [event_id for event_id in arrived(counterpart) if event_id in mine] == mine


def test_a_message_that_is_too_large_holds_back_its_own_key_only(build, counterpart):
    batch = [message(1, size=1_200_000), message(2), message(3, "b")]
    report = build(counterpart.url).publish(batch)
    assert (report.too_large, report.acknowledged, report.failures) == ({1}, [3], {})
    assert arrived(counterpart) == [3]


def test_a_broker_that_is_not_there_is_a_failure_without_address_or_secret(build, kind):
    port = free_port()
    with pytest.raises(DeliveryFailed) as caught:
        build(f"{kind}://somebody:secret-of-the-broker@127.0.0.1:{port}").publish([message(1)])
    assert str(port) not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not caught.value.permanent


def test_a_broker_that_goes_away_and_comes_back_is_found_again(build, nats_server):
    broker = build(nats_server.url)
    assert broker.publish([message(1)]).acknowledged == [1]
    nats_server.kill()
    # The loss may be noticed before the message is sent or after.
    with suppress(DeliveryFailed):
        assert broker.publish([message(2)]).acknowledged == []
    nats_server.start()
    assert broker.publish([message(2)]).acknowledged == [2]
    assert arrived(nats_server) == [1, 2]


def test_a_server_that_has_stopped_to_answer_is_a_failure_in_time(build, nats_server, monkeypatch):
    monkeypatch.setattr(jetstream, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(jetstream, "CONNECT_SECONDS", 1)
    broker = build(nats_server.url)
    broker.publish([message(1)])
    nats_server.process.send(signal.SIGSTOP)
    try:
        report = broker.publish([message(2), message(3), message(4, "b")])
        assert report.acknowledged == []
        assert report.failures == {2: "no answer in time", 4: "no answer in time"}
        with pytest.raises(DeliveryFailed, match="no answer in time"):
            broker.publish([message(2)])
    finally:
        nats_server.process.send(signal.SIGCONT)
    assert broker.publish([message(2), message(3), message(4, "b")]).acknowledged


def test_a_topic_that_an_operators_stream_leaves_out_is_told_in_words(build, nats_server):
    nats_server.create_stream(name="taken", subjects=["receiver.incident.*"])
    nats_server.create_stream(name="receiver", subjects=["elsewhere"])
    broker = build(nats_server.url)
    report = broker.publish([message(1), message(2, "b", "alert.raised")])
    assert report.acknowledged == [1]
    assert report.failures == {2: "no stream takes the subject, or JetStream is off"}


def test_the_next_server_is_asked_when_the_first_does_not_answer(build, counterpart):
    scheme, _, rest = counterpart.url.partition("://")
    credential, at, servers = rest.rpartition("@")
    broker = build(f"{scheme}://{credential}{at}127.0.0.1:{free_port()},{servers}")
    assert broker.publish([message(1)]).acknowledged == [1]


def test_looking_at_a_broker_changes_nothing(build, counterpart):
    broker = build(counterpart.url)
    assert broker.check().startswith("answers; ")
    if isinstance(counterpart, KafkaCluster):
        assert counterpart.topics() == set()
    else:
        assert broker.check() == "answers; the first event will make the stream receiver"


def test_a_missing_package_is_named_with_the_extra_that_brings_it(build, kind, monkeypatch):
    module, package = PACKAGES[kind]
    for name in list(sys.modules):
        if name.split(".")[0] == module or name.startswith(
            ("receiver.brokers.jets", "receiver.brokers.kafka_")
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DeliveryFailed, match=rf"{package} is not installed: .*alert-receiver\[{kind}\]"):
        build(f"{kind}://127.0.0.1:9").publish([message(1)])


def test_refused_credentials_are_told_in_words(build, nats_server):
    with pytest.raises(DeliveryFailed, match="the user, password or token is refused"):
        build(nats_server.url.replace("p%40ss", "wrong")).check()


def test_the_stream_is_made_on_disk_with_a_long_memory_for_message_ids(build, nats_server):
    build(nats_server.url).publish([message(1)])
    made = nats_server.configuration()
    assert (made.subjects, made.storage, made.duplicate_window) == (["receiver.>"], "file", 600.0)


def test_a_stream_that_an_operator_has_made_stays_as_it_is(build, nats_server):
    nats_server.create_stream(name="mine", subjects=["receiver.>"], max_msgs=7)
    assert build(nats_server.url).publish([message(1)]).acknowledged == [1]
    assert nats_server.configuration("mine").max_msgs == 7


def test_a_stream_that_has_been_taken_away_is_made_again(build, nats_server):
    broker = build(nats_server.url)
    broker.publish([message(1)])
    nats_server.delete_stream()
    assert broker.publish([message(2)]).failures == {2: "no stream takes the subject, or JetStream is off"}
    assert broker.publish([message(2)]).acknowledged == [2]


def test_a_stream_that_takes_only_small_messages_says_too_large(build, nats_server):
    nats_server.create_stream(name="receiver", subjects=["receiver.>"], max_msg_size=1000)
    report = build(nats_server.url).publish([message(1, size=2000), message(2, "b")])
    assert (report.too_large, report.acknowledged) == ({1}, [2])


def test_a_second_copy_of_a_message_is_acknowledged_and_not_stored(build, nats_server):
    broker = build(nats_server.url)
    for _ in range(2):
        assert broker.publish([message(1), message(2)]).acknowledged == [1, 2]
    assert arrived(nats_server) == [1, 2]
