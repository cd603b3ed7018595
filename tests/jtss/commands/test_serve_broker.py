"""`jtss serve kafka` as processes on a real broker, with members that are killed and a broker that goes away."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest

pytest.importorskip("confluent_kafka")

from data_prep.simulate.packets import encode_file
from helpers.made_explained import run_of_packets
from helpers.made_messages import places
from helpers.make_packets import alert
from helpers.mock_kafka import wait_until
from helpers.places import ROOT
from helpers.programs import HASTY, jtss
from helpers.real_kafka import MEMBER, PARTITIONS, WITH_US, real_kafka
from jtss import exits

pytestmark = pytest.mark.slow
GROUP = "jtss"
POISON = [b"poison", b"", None, b"Obj\x01nothing", b"\0\0\0\0\7record"]
REASONS = {"no_schema", "empty_value", "no_value", "bad_header", "unknown_schema"}


@pytest.fixture(scope="module")
def kafka():
    with real_kafka() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    run_of_packets(folder)
    return folder / "run"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Simulated packets, and among them what is none."""
    from jtss.serving.producing import packets

    folder = tmp_path_factory.mktemp("night")
    classes = "AGN,SN,VS,asteroid,bogus"
    assert jtss("data", "simulate", "--objects", 25, "--seed", 5, "--classes", classes, "--packets", folder) == 0
    values = [*packets([folder / "alerts"], pytest.fail)]
    assert len(values) >= 90
    return values[:50] + POISON + values[50:90]


class Served:
    """A server as a process of its own; what it says goes to a file."""

    def __init__(self, kafka, run, log, *words):
        command = [*WITH_US, sys.executable, "-m", "jtss", "serve", "kafka"]
        command += ["--bootstrap", kafka.bootstrap, "--group", GROUP]
        given = [word for pair in (kafka.settings | MEMBER).items() for word in ("--set-kafka", "=".join(pair))]
        self._log = log
        with log.open("w") as file:
            command += [*given, "-m", str(run), *map(str, words)]
            self.process = subprocess.Popen(command, cwd=ROOT, env=HASTY, stderr=file)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(600) == exits.status_of(signal.SIGTERM), self._log.read_text()

    def said(self, event):
        return f'"event": "{event}"' in self._log.read_text()

    def failed(self):
        has_ended = self.process.poll() is not None
        return RuntimeError(self._log.read_text()[-1000:]) if has_ended else None


@contextmanager
def servers(kafka, run, folder, *words):
    """A function that starts one more."""
    started = []

    def start():
        started.append(Served(kafka, run, folder / f"{len(started)}.log", *words))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.kill()


def check(answers, letters, values, rounds):
    """Lines of each message, once; the same packet has the same answer, but for rounding, whoever gave it."""
    end = {number: len(range(number, len(values), PARTITIONS)) * rounds for number in range(PARTITIONS)}
    assert places(answers + letters) == sorted((number, offset) for number in end for offset in range(end[number]))
    assert len(letters) == rounds * len(POISON)
    found = [json.loads(line) for line in answers]
    assert {*Counter(line["candid"] for line in found).values()} == {rounds}
    first = {line["candid"]: line["probabilities"] for line in found}
    for line in found:
        assert line["probabilities"] == pytest.approx(first[line["candid"]], rel=1e-5, abs=1e-7)
    assert {json.loads(line)["reason"] for line in letters} == REASONS


def lines_in(folder):
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_nothing_is_lost_or_doubled_in_files(kafka, run, night, tmp_path):
    """Members are killed, come and leave, and the broker dies in the middle."""
    topic, rng, rounds = "night", random.Random(7), 4
    kafka.create(topic)
    committed = lambda: sum(kafka.committed(GROUP, topic, PARTITIONS))  # noqa: E731
    words = ("--topic", topic, "--out", f"dir:{tmp_path / 'answers'}", "--rotate", "0.1")
    with servers(kafka, run, tmp_path, *words) as start:
        members = [start(), start()]
        failed = lambda: next(filter(None, (one.failed() for one in members)), None)  # noqa: E731
        for round_ in range(rounds):
            kafka.produce(topic, night)
            some = len(night) * round_ + rng.randrange(len(night) - 10)
            wait_until(lambda: committed() > some, f"more than {some} committed", failed)  # noqa: B023
            if round_ == 2:
                kafka.kill()
                kafka.begin()
            else:
                members.pop(rng.randrange(2)).kill()
                members.append(start())
        wait_until(lambda: committed() == rounds * len(night), "all committed", failed)
        members.append(start())
        wait_until(lambda: members[-1].said("assigned"), "one more comes", failed)
        for member in members:
            member.stop()
    assert committed() == rounds * len(night)
    check(lines_in(tmp_path / "answers"), lines_in(tmp_path / "answers" / "dead"), night, rounds)


def test_nothing_is_lost_in_a_topic(kafka, run, night, tmp_path):
    """Some may come again after a crash: the last of each counts."""
    topic, out = "evening", "answers"
    for name in (topic, out, f"{out}-dead"):
        kafka.create(name)
    words = ("--topic", "^even.*", "--out", f"topic:{out}", "--set-kafka", "enable.idempotence=false")
    with servers(kafka, run, tmp_path, *words) as start:
        first = start()
        kafka.produce(topic, night)
        wait_until(lambda: kafka.n_messages(out) > 10, "some answered", first.failed)
        first.kill()
        second = start()
        wait_until(lambda: second.said("assigned"), "another comes", second.failed)
        kafka.kill()
        kafka.begin()
        kafka.produce(topic, night)
        wait_until(
            lambda: sum(kafka.committed(GROUP, topic, PARTITIONS)) == 2 * len(night), "all committed", second.failed
        )
        second.stop()
    last = [{}, {}]
    for found, name in zip(last, (out, f"{out}-dead"), strict=True):
        for message in kafka.messages(name):
            line = json.loads(message.value())
            found[line["partition"], line["offset"]] = message.value().decode()
            assert message.key() == (line["objectId"].encode() if line["objectId"] else None)
    check(*map(list, (found.values() for found in last)), night, 2)


def test_a_broker_that_is_too_old_says_so(kafka, capsys, tmp_path):
    """Before Kafka 0.11 it cannot keep a producer from doubling messages, which must be wanted."""
    kafka.create("old")
    (tmp_path / "one.avro").write_bytes(encode_file([alert()]))
    words = [word for pair in kafka.settings.items() for word in ("--set-kafka", "=".join(pair))]
    words = ("serve", "produce", tmp_path, "--topic", "old", "--bootstrap", kafka.bootstrap, *words)
    assert jtss(*words) == exits.FAILED
    assert "error: topic old: Idempotent producer not supported" in capsys.readouterr().err
    assert jtss(*words, "--set-kafka", "enable.idempotence=false") == 0
    assert kafka.n_messages("old") == 1
