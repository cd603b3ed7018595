"""`jtss serve`: as a process on a mock broker, and what it says of options that are wrong."""

import io
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.request import urlopen

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import Producer

import jtss as python
from data_prep import ingest
from data_prep.simulate.packets import PARSED_SCHEMA, encode_file
from helpers.made_explained import TEMPERATURE, run_of_packets, warm_of_packets
from helpers.made_registry import found, made_registry
from helpers.make_packets import CANDIDATE, alert, detection, images, limit, save
from helpers.mock_kafka import mock_kafka, wait_until
from helpers.places import ROOT
from helpers.postgres import PASSWORD, postgres
from helpers.programs import HASTY, jtss
from jtss import exits

TOPIC, GROUP, PARTITIONS = "ztf_20261130_programid1", "jtss", 2
NOWHERE = ("--bootstrap", "127.0.0.1:1", "--topic", TOPIC, "--group", GROUP)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    run_of_packets(folder)
    return folder / "run"


@pytest.fixture
def kafka():
    with mock_kafka() as cluster:
        cluster.create(TOPIC, PARTITIONS)
        yield cluster


def packets(n):
    """Of as many objects, with a past."""
    past = [detection(20, 3), limit(8)]
    return [alert(f"ZTF18{chr(97 + i)}", 100 + i, images(i), history=past[: i % 3]) for i in range(n)]


class Served:
    """A server as a process of its own; what it said is in `log`."""

    def __init__(self, kafka, run, *words):
        command = [sys.executable, "-m", "jtss", "serve", "kafka", "--bootstrap", kafka.bootstrap, "--group", GROUP]
        self.process = subprocess.Popen(
            [*command, "-m", str(run), *map(str, words)],
            cwd=ROOT, env=HASTY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def stop(self, number):
        """Exit status, and what it said, line by line."""
        self.process.send_signal(number)
        said, errors = self.process.communicate(timeout=600)
        assert said == ""
        return self.process.returncode, [json.loads(line) for line in errors.splitlines()]


@contextmanager
def served(*arguments):
    server = Served(*arguments)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def committed(kafka):
    return sum(kafka.committed(GROUP, TOPIC, PARTITIONS))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_answers_as_python_does_and_ends_when_told(kafka, run, tmp_path, number, monkeypatch):
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)
    records = packets(5)
    values = [*(encode_file([record]) for record in records), b"poison", b"", None]
    kafka.produce(TOPIC, values)
    out = tmp_path / "answers"
    with served(kafka, run, "--topic", "^ztf_.*_programid1", "--out", f"dir:{out}", "--rotate", "0.1") as server:
        wait_until(lambda: committed(kafka) == len(values) or server.process.poll() is not None, "all committed")
        status, log = server.stop(number)
    assert status == exits.status_of(number)
    assert [line["event"] for line in log if line["event"] in ("started", "stopped")] == ["started", "stopped"]
    assert (log[-1]["answers"], log[-1]["dead_letters"]) == (5, 3)
    lines = [json.loads(line) for path in out.glob("*.jsonl") for line in path.read_text().splitlines()]
    letters = [json.loads(line) for path in (out / "dead").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert sorted(letter["reason"] for letter in letters) == ["empty_value", "no_schema", "no_value"]
    model = python.load_model(run)
    table = model.classify(save(tmp_path / "packets", records))
    assert sorted(line["candid"] for line in lines) == sorted(table["candid"])
    for line in lines:
        (row,) = table[table["candid"] == line["candid"]]
        assert (line["objectId"], line["class"]) == (row["object_id"], row["class"])
        ours = [line["probabilities"][name] for name in model.classes]
        np.testing.assert_allclose(ours, [row[f"P_{name}"] for name in model.classes], rtol=1e-5, atol=1e-7)


def test_it_answers_to_a_topic_and_tells_monitors(kafka, tmp_path):
    (tmp_path / "model").mkdir()
    model = warm_of_packets(tmp_path / "model")
    folder = save(tmp_path / "packets", packets(3))
    words = ("--bootstrap", kafka.bootstrap, "--topic", TOPIC)
    more = ("--out", "topic:answers", "--metrics", "0", "--calibrated")
    with served(kafka, model, "--topic", TOPIC, *more) as server:
        started = json.loads(server.process.stderr.readline())
        assert started["event"] == "started"
        assert jtss("serve", "produce", folder, *words) == 0
        wait_until(lambda: committed(kafka) == 3 or server.process.poll() is not None, "all committed")

        def page(name):
            with urlopen(f"http://127.0.0.1:{started['metrics_port']}/{name}", timeout=60) as answer:
                return answer.read().decode()

        assert page("readyz") == page("healthz") == "ok\n"
        counts = re.findall(r'jtss_answers_total\{class="\w+"\} (\d+)', page("metrics"))
        assert sum(map(int, counts)) == 3
        assert server.stop(signal.SIGTERM)[0] == exits.status_of(signal.SIGTERM)
    answers = kafka.messages("answers")
    assert sorted(message.key().decode() for message in answers) == ["ZTF18a", "ZTF18b", "ZTF18c"]
    answers = [json.loads(message.value()) for message in answers]
    assert all(answer["jd"] == CANDIDATE["jd"] for answer in answers)
    assert {answer["classifier_version"] for answer in answers} == {started["classifier_version"]}
    assert started["classifier_version"].endswith(f".t{TEMPERATURE:.4g}")
    assert jtss("classify", folder, "-m", model, "--calibrated", "--out", tmp_path / "t.jsonl") == 0
    for row in map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines()):
        (answer,) = [answer for answer in answers if answer["candid"] == row["candid"]]
        assert answer["classifier_version"] == row["classifier_version"]
        assert answer["probabilities"][row["class_name"]] == pytest.approx(row["probability"], rel=1e-5, abs=1e-7)


def finish(server, kafka, n):
    """Wait until so many are committed, and end the server."""
    wait_until(lambda: committed(kafka) == n or server.process.poll() is not None, "all committed")
    assert server.stop(signal.SIGTERM)[0] == exits.status_of(signal.SIGTERM)


@pytest.mark.slow
def test_a_server_that_remembers_counts_the_stamps_of_earlier_alerts(kafka, run):
    before = alert("ZTF18a", 3, images(3), jd=CANDIDATE["jd"] - 20)
    later = alert("ZTF18a", 4, images(4), history=[detection(20, 3)])
    kafka.produce(TOPIC, [encode_file([before]), encode_file([later])], partition=0)
    with served(kafka, run, "--topic", TOPIC, "--out", "topic:answers", "--remember", 10) as server:
        finish(server, kafka, 2)
    found = {answer["candid"]: answer for answer in (json.loads(one.value()) for one in kafka.messages("answers"))}
    assert {candid: (one["n_detections"], one["n_stamps"]) for candid, one in found.items()} == {3: (1, 1), 4: (2, 2)}


@pytest.mark.slow
def test_files_of_parquet_are_of_one_group_and_form(kafka, run, tmp_path, capsys):
    kafka.produce(TOPIC, [*(encode_file([record]) for record in packets(4)), b"poison"])
    out = f"dir:{tmp_path / 'answers'}"
    words = ("--topic", TOPIC, "--out", out)
    with served(kafka, run, *words, "--form", "parquet", "--rotate", "0.1") as server:
        finish(server, kafka, 5)
    table = pa.concat_tables(map(pq.read_table, (tmp_path / "answers").glob("*.parquet")))
    assert sorted(table["objectId"].to_pylist()) == ["ZTF18a", "ZTF18b", "ZTF18c", "ZTF18d"]
    chances = [table[name].to_numpy() for name in table.column_names if name.startswith("P_")]
    np.testing.assert_allclose(sum(chances), 1, rtol=1e-6)
    (letter,) = [json.loads(path.read_text()) for path in (tmp_path / "answers" / "dead").glob("*.jsonl")]
    assert letter["reason"] == "no_schema"
    said = error(capsys, "kafka", "--bootstrap", kafka.bootstrap, "-m", run, *words, "--group", "b")
    expected = f"holds answers of the group {GROUP}, not b, the form parquet, not json; choose another"
    assert f"--out: {tmp_path / 'answers'} {expected}" in said


@pytest.mark.slow
def test_alerces_consumers_can_read_the_messages(kafka, run):
    kafka.produce(TOPIC, [encode_file([record]) for record in packets(2)])
    with served(kafka, run, "--topic", TOPIC, "--out", "topic:answers", "--form", "alerce") as server:
        finish(server, kafka, 2)
    found = [record for message in kafka.messages("answers") for record in fastavro.reader(io.BytesIO(message.value()))]
    assert sorted((record["objectId"], record["candid"]) for record in found) == [("ZTF18a", 100), ("ZTF18b", 101)]
    for record in found:
        assert {"SN", "satellite"} <= record["probabilities"].keys()
        assert "." not in record["classifier_version"]


@pytest.mark.slow
def test_a_database_that_is_away_for_a_while_gets_everything_once(kafka, run, monkeypatch):
    psycopg = pytest.importorskip("psycopg")
    from jtss.serving.sinks.database import PROBABILITY

    monkeypatch.setitem(HASTY, "PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    records = packets(6)
    kafka.produce(TOPIC, [encode_file([record]) for record in records[:3]])
    with postgres() as database:
        url = database.url("postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PROBABILITY)
        with served(kafka, run, "--topic", TOPIC, "--out", url) as server:
            wait_until(lambda: committed(kafka) == 3 or server.process.poll() is not None, "the first are committed")
            database.stop()
            kafka.produce(TOPIC, [*(encode_file([record]) for record in records[3:]), b"poison"])
            events = iter(lambda: json.loads(server.process.stderr.readline()), None)
            failed = next(event for event in events if event["event"] == "sink_failed")
            assert committed(kafka) == 3
            database.start()
            finish(server, kafka, 7)
        with psycopg.connect(url) as connection:
            objects = connection.execute("SELECT oid, sum(probability), min(ranking) FROM probability GROUP BY oid")
            found = {oid: (total, first) for oid, total, first in objects.fetchall()}
            assert connection.execute("SELECT reason FROM jtss_dead_letter").fetchall() == [("no_schema",)]
    assert failed["error"].startswith("the database: ")
    assert PASSWORD not in str(failed)
    assert found.keys() == {record["objectId"] for record in records}
    assert all(total == pytest.approx(1, rel=1e-6) and first == 1 for total, first in found.values())


def test_schemas_of_keys_and_of_a_registry(kafka, run, tmp_path):
    """The registry fails at first; what waits for it is answered then."""
    records = packets(4)
    bare = [io.BytesIO() for _ in records]
    for file, record in zip(bare, records, strict=True):
        fastavro.schemaless_writer(file, PARSED_SCHEMA, record)
    values = [file.getvalue() for file in bare]
    framed = [b"\0\0\0\0\7" + values[0], b"\0\0\0\0\7" + values[1], b"\0\0\0\0\x08" + values[2]]
    producer = kafka.client(Producer)
    producer.produce(TOPIC, values[3], json.dumps(PARSED_SCHEMA).encode())
    assert producer.flush(600) == 0
    kafka.produce(TOPIC, framed)
    out = tmp_path / "answers"
    with made_registry() as registry:
        registry.answers[7] = (503, b"")
        words = ("--topic", TOPIC, "--out", f"dir:{out}", "--rotate", "0.1")
        address = registry.address.replace("//", "//us:secret@")
        with served(kafka, run, *words, "--schema", address) as server:
            wait_until(lambda: len(registry.asked) > 1 or server.process.poll() is not None, "asked again")
            registry.answers[7] = found(PARSED_SCHEMA)
            wait_until(lambda: committed(kafka) == 4 or server.process.poll() is not None, "all committed")
            status, log = server.stop(signal.SIGTERM)
    assert status == exits.status_of(signal.SIGTERM)
    assert (log[-1]["answers"], log[-1]["dead_letters"]) == (3, 1)
    assert "registry_failed" in [line["event"] for line in log]
    assert "secret" not in str(log)
    (letter,) = [json.loads(path.read_text()) for path in (out / "dead").glob("*.jsonl")]
    assert letter["reason"] == "unknown_schema"


def error(capsys, *words):
    """The one line on stderr of a command that fails."""
    assert jtss("serve", *words) == exits.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = [line for line in said.err.splitlines() if not line.startswith("{")]
    return line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--out", "answers"), r"--out answers: expected topic:NAME, dir:FOLDER or postgresql://USER@HOST/DB"),
        (("--out", "dir:"), r"--out dir:: expected topic:NAME, dir:FOLDER or postgresql://USER@HOST/DB"),
        (("--out", "dir:x", "--form", "alerce"), "--form alerce: expected here one of json, lasair:ANN.*, parquet"),
        (("--out", "topic:x", "--form", "parquet"), "--form parquet: expected here one of json, alerce"),
        (("--out", "postgresql://a@b/c", "--form", "json"), "--form json: the rows of a database have one form"),
        (("--out", f"topic:{TOPIC}"), f"{TOPIC} is the topic that is read; choose another"),
        (("--topic", "a-dead", "--out", "topic:a"), "a-dead is the topic that is read; choose another"),
        (("--out", "dir:x", "--metrics", "everywhere"), r"--metrics everywhere: expected HOST:PORT or PORT"),
        (("--out", "dir:x", "--set-kafka", "a"), "expected KEY=VALUE"),
        (
            ("--out", "dir:x", "--schema", "nowhere.avsc"),
            "--schema nowhere.avsc: No such file .*; expected an",
        ),
        (("--out", "dir:x", "--schema", "http://us:secret@:1"), r"--schema: expected the address .* http://HOST:PORT"),
        (("--out", "dir:x", "-m", "RUN", "--calibrated"), "--calibrated: .*run has no temperature"),
        (("--out", "dir:x", "-m", "RUN", "--remember", "0"), "--remember 0: expected 1 or more, how many alerts"),
        (("--out", "dir:x", "-m", "n1_baseline"), "n1_baseline .* expected a model of packets"),
    ],
)
def test_options_that_are_wrong_are_named(words, expected, run, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [run if word == "RUN" else word for word in words]
    assert re.search(expected, error(capsys, "kafka", *NOWHERE, *words))
    assert [*tmp_path.iterdir()] == []


def test_a_cluster_that_does_not_answer_is_named(run, capsys, tmp_path, monkeypatch):
    from jtss.serving import clients

    monkeypatch.setattr(clients, "TIMEOUT_SECONDS", 0.2)
    assert "the Kafka cluster does not answer" in error(
        capsys, "kafka", *NOWHERE, "-m", run, "--out", f"dir:{tmp_path / 'out'}"
    )
    save(tmp_path / "packets", packets(1))
    assert "the Kafka cluster does not answer" in error(capsys, "produce", tmp_path / "packets", *NOWHERE[:4])


def test_a_topic_that_is_not_there_is_named_and_no_folder_made(kafka, run, capsys, tmp_path, monkeypatch):
    from jtss.serving import clients

    monkeypatch.setattr(clients, "APPEARING_SECONDS", 0.1)
    words = ("--bootstrap", kafka.bootstrap, "--topic", TOPIC[:-1], "--group", GROUP, "-m", run)
    said = error(capsys, "kafka", *words, "--out", f"dir:{tmp_path / 'answers'}")
    assert f"--topic {TOPIC[:-1]}: the cluster shows no topic of this name; is it {TOPIC}? " in said
    assert [*tmp_path.iterdir()] == []


def test_without_the_package_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'jtss[postgresql]'" in error(capsys, "kafka", *NOWHERE, "--out", "postgresql://a@b/c")
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    for words in (("kafka", *NOWHERE, "--out", "dir:x"), ("produce", "x", *NOWHERE[:4])):
        assert "pip install 'jtss[serve]'" in error(capsys, *words)
