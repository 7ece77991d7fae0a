"""Telemetry over a real PUB socket."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from mlxr.runtime.bus import Bus
from mlxr.runtime.errors import StartError
from mlxr.runtime.pubsub import Subscriber
from mlxr.runtime.telemetry import SCHEMA_VERSION, TOPICS, ActorStarted, PagesChanged, Telemetry


def wait_until_wanted(telemetry: Telemetry, topic: str) -> None:
    for _ in range(500):
        if telemetry.wants(topic):
            return
        time.sleep(0.01)
    raise AssertionError(f"nobody subscribed to {topic}")


def test_a_subscriber_reads_the_topics_it_asked_for(tmp_path: Path) -> None:
    bus = Bus(tmp_path, lambda address: False)
    publisher = bus.publisher()
    publisher.bind(f"ipc://{tmp_path}/t.sock")
    telemetry = Telemetry(publisher)
    subscriber = Subscriber(f"ipc://{tmp_path}/t.sock", ["kv"])
    try:
        wait_until_wanted(telemetry, "kv")
        telemetry.emit("actors", ActorStarted("kv/x", 0, 1))
        telemetry.emit("kv", PagesChanged("x", 1, 2, 3))
        received = subscriber.receive(timeout=10)
        assert received is not None
        topic, body = received
        event = json.loads(body)
        assert topic == "kv"
        assert event["v"] == SCHEMA_VERSION
        assert (event["event"], event["used"], event["cached"], event["total"]) == ("PagesChanged", 1, 2, 3)
    finally:
        subscriber.close()
        publisher.close()
        bus.close()


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    with zmq.Context() as context, closing(context.socket(zmq.XPUB)) as stranger:
        stranger.bind(f"ipc://{tmp_path}/t.sock")
        with closing(Subscriber(f"ipc://{tmp_path}/t.sock", [])) as subscriber:
            assert stranger.recv() == b"\x01"
            for parts in ([b"alone"], [b"kv", b"{}", b"more"], [b"\xff", b"{}"]):
                stranger.send_multipart(parts)
            assert subscriber.receive(timeout=10) == ("\ufffd", b"{}")

            async def followed() -> list[bytes]:
                seen: list[bytes] = []

                def take(body: bytes) -> None:
                    seen.append(body)
                    raise EOFError

                for parts in ([b"alone"], [b"kv", b"[]"]):
                    stranger.send_multipart(parts)
                with pytest.raises(EOFError):
                    await subscriber.follow(take)
                return seen

            assert asyncio.run(followed()) == [b"[]"]


def test_a_publisher_says_where_it_is_and_what_to_change_where_it_cant_be(tmp_path: Path) -> None:
    with closing(Bus(tmp_path, lambda address: False)) as bus, closing(bus.publisher()) as first:
        second = bus.publisher()
        endpoint = first.bind("tcp://127.0.0.1:*")
        assert int(endpoint.rpartition(":")[2]) > 0
        for wrong in (endpoint, "http://here"):
            with pytest.raises(StartError, match=rf"{wrong}.*telemetry\.endpoint"):
                second.bind(wrong)
        second.close()


def test_without_a_subscriber_nothing_is_wanted_or_built(tmp_path: Path) -> None:
    bus = Bus(tmp_path, lambda address: False)
    publisher = bus.publisher()
    publisher.bind(f"ipc://{tmp_path}/t.sock")
    telemetry = Telemetry(publisher)
    assert not any(telemetry.wants(topic) for topic in TOPICS)
    publisher.close()
    bus.close()
    assert not (tmp_path / "t.sock").exists()


def test_the_documentation_names_every_topic_event_and_field() -> None:
    text = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
    for topic, events in TOPICS.items():
        assert f"`{topic}`" in text
        for event in events:
            assert f"`{event.__name__}`" in text
            assert all(f"`{field}`" in text for field in event.__struct_fields__), event.__name__
