"""Answers in a PostgreSQL database: the latest of each object, whatever comes again, late or at once."""

import itertools
import json
import random
import threading
from contextlib import contextmanager

import pytest

pytest.importorskip("confluent_kafka")
pytest.importorskip("psycopg")

import psycopg

from helpers.made_messages import ANSWER, answered, outcome, outcomes, received
from helpers.mock_kafka import wait_until
from helpers.places import ROOT
from helpers.postgres import PASSWORD, postgres
from jtss.errors import InputError
from jtss.serving.messages import Partition
from jtss.serving.sinks import database
from jtss.serving.sinks.database import DatabaseSink, latest, probability_rows
from jtss.serving.sinks.sink import SinkError


def test_rows_are_ranked_and_equal_ones_keep_the_order_of_the_classes():
    rows = probability_rows(ANSWER)
    assert rows[0] == ("ZTF18abc", "SN", "any_gru", ANSWER["classifier_version"], 0.75, 1)
    assert [(row[1], row[5]) for row in rows] == [("SN", 1), ("VS", 2), ("AGN", 3), ("bogus", 4), ("asteroid", 5)]


def test_the_latest_is_by_time_and_then_candid_in_whatever_order():
    rng, versions = random.Random(1), ("0.1.0+a", "0.2.0+b")
    answers = [
        ANSWER | {"objectId": oid, "jd": jd, "candid": candid, "classifier_version": version}
        for oid in ("b", "a")
        for jd, candid in ((2.0, 5), (3.0, 1), (3.0, 2), (1.0, 9))
        for version in versions
    ]
    for _ in range(5):
        rng.shuffle(answers)
        found = latest(answers)
        assert list(found) == [(oid, "any_gru", version) for oid in "ab" for version in versions]
        assert {(answer["jd"], answer["candid"]) for answer in found.values()} == {(3.0, 2)}


@pytest.mark.parametrize("statement", [database.PROBABILITY, database.LATEST, database.DEAD_LETTER])
def test_the_documentation_has_the_tables(statement):
    assert statement in (ROOT / "docs" / "serving.md").read_text()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://a:secret@host/db", "has a password, which others see there"),
        ("postgresql://a:secret:b@c@host/db", "has a password, which others see there"),
        ("postgresql://a@host/db?password=secret", "has a password, which others see there"),
        ("postgresql://a@host/db?sslpassword=secret", "has a password, which others see there"),
        ("postgresql://a:secret@host/db?no_such=1", "not an address of a database"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_a_word_of_its_password(address, said):
    with pytest.raises(InputError, match=f"--out: .*{said}.*postgresql://USER@HOST/DATABASE") as refused:
        DatabaseSink(address)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


# What follows needs a server.


NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


@pytest.fixture
def sky(server, monkeypatch):
    """A database of its own for each test, with ALeRCE's table."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    name = f"sky{next(NUMBERS)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.url(name)
    run(url, database.PROBABILITY)
    return url


def run(url, statement, *values):
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement, values or None)
        return found.fetchall() if found.description else []


def table(url):
    """What `probability` says of each object and version: {class: probability}."""
    found = {}
    for oid, name, version, probability in run(
        url, "SELECT oid, class_name, classifier_version, probability FROM probability"
    ):
        assert name not in found.setdefault((oid, version), {})
        found[oid, version][name] = probability
    return found


def seen(offset, oid, jd, *, candid=1, number=0, version=ANSWER["classifier_version"]):
    """An answer whose probabilities tell the packet from all others."""
    chance = round(jd % 1, 6)
    chances = {"SN": chance, "AGN": 1 - chance}
    return answered(
        offset, number, objectId=oid, jd=jd, candid=candid, probabilities=chances, classifier_version=version
    )


def deliver(url, *some):
    sink = DatabaseSink(url)
    sink.add(some)
    assert sink.deliver() == [*some]
    assert not sink.is_due()


@pytest.mark.slow
def test_an_answer_is_a_row_for_each_class(sky):
    sink = DatabaseSink(sky)
    assert not sink.is_due()
    sink.add([answered(60), outcome(received(61, b"bad"))])
    assert sink.is_due()
    assert sink.first_offsets() == {}
    assert len(sink.deliver()) == 2
    assert sink.deliver() == []
    rows = run(sky, "SELECT * FROM probability ORDER BY ranking")
    assert rows == probability_rows(ANSWER)
    ((*place, letter),) = run(sky, 'SELECT topic, partition, "offset", reason, letter FROM jtss_dead_letter')
    assert place == ["alerts", 0, 61, "bad"]
    assert letter == json.loads(outcome(received(61, b"bad")).line)


@pytest.mark.slow
def test_the_latest_packet_wins_whatever_the_order_and_however_often_it_comes(sky):
    rng = random.Random(3)
    packets = [
        seen(offset, f"ZTF{offset % 5}", 2459000 + rng.randrange(20) / 64, candid=offset, version=f"v{offset % 2}")
        for offset in range(60)
    ]
    expected = {}
    for line in sorted(map(json.loads, (one.line for one in packets)), key=lambda line: (line["jd"], line["candid"])):
        expected[line["objectId"], line["classifier_version"]] = line["probabilities"]
    for _ in range(4):
        rng.shuffle(packets)
        for start in range(0, len(packets), 7):
            deliver(sky, *packets[start : start + 7])
        assert table(sky) == expected
    assert len(run(sky, "SELECT * FROM jtss_latest")) == len(expected) == 10


@pytest.mark.slow
def test_dead_letters_come_again_without_being_doubled(sky):
    letters = outcomes([received(1, b"bad"), received(1, b"bad", number=1), received(2, b"")])
    deliver(sky, *letters)
    deliver(sky, *reversed(letters))
    places = run(sky, 'SELECT partition, "offset", reason FROM jtss_dead_letter ORDER BY 1, 2')
    assert places == [(0, 1, "bad"), (0, 2, "empty"), (1, 1, "bad")]


@pytest.mark.slow
def test_partitions_are_forgotten(sky):
    sink = DatabaseSink(sky)
    sink.add([seen(0, "a", 1.5), seen(0, "b", 1.5, number=1)])
    sink.forget([Partition("alerts", 0)])
    assert [one.message.partition.number for one in sink.deliver()] == [1]


@contextmanager
def together(*works):
    """Run functions in threads of their own; their errors are raised here."""
    errors, threads = [], []

    def guarded(work):
        try:
            work()
        except Exception as error:
            errors.append(error)

    for work in works:
        threads.append(threading.Thread(target=guarded, args=(work,)))
        threads[-1].start()
    yield
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.slow
def test_members_that_write_the_same_objects_at_once_wait_in_no_circle(sky):
    """Somebody holds the row in the middle until both wait, one that came from the front and one from the end."""
    deliver(sky, *(seen(0, oid, 1.25) for oid in "amz"))
    members = [DatabaseSink(sky), DatabaseSink(sky)]
    for number, (sink, oids) in enumerate(zip(members, ("amz", "zma"), strict=True)):
        sink.add(seen(1, oid, 2.5 + number / 8, number=number) for oid in oids)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(sky) as other:
        other.execute("SELECT * FROM jtss_latest WHERE oid = 'm' FOR UPDATE")
        with together(*(sink.deliver for sink in members)):
            wait_until(lambda: run(sky, waiting) == [(2,)], "both wait")
            other.commit()
    assert table(sky) == {(oid, ANSWER["classifier_version"]): {"SN": 0.625, "AGN": 0.375} for oid in "amz"}


@pytest.mark.slow
def test_several_that_start_at_once_make_the_tables_once(sky):
    begin = threading.Barrier(6)

    def member():
        begin.wait()
        DatabaseSink(sky)

    with together(*[member] * 6):
        pass
    assert run(sky, "SELECT count(*) FROM jtss_latest") == [(0,)]


@pytest.mark.slow
def test_while_the_server_is_away_nothing_is_lost_and_then_nothing_doubled(sky, server):
    sink = DatabaseSink(sky)
    sink.add([seen(0, "a", 1.25)])
    sink.deliver()
    server.stop()
    try:
        sink.add([seen(1, "a", 2.5), outcome(received(2, b"bad"))])
        for _ in range(2):
            with pytest.raises(SinkError, match=r"the database: .*; tried again"):
                sink.deliver()
            assert sink.is_due()
    finally:
        server.start()
    assert len(sink.deliver()) == 2
    assert table(sky) == {("a", ANSWER["classifier_version"]): {"SN": 0.5, "AGN": 0.5}}
    assert run(sky, "SELECT count(*) FROM jtss_dead_letter") == [(1,)]


@pytest.mark.slow
def test_a_delivery_is_all_or_nothing(sky):
    """The second of two objects is refused by the database."""
    run(sky, "CREATE TABLE object (oid varchar PRIMARY KEY)")
    run(sky, "ALTER TABLE probability ADD FOREIGN KEY (oid) REFERENCES object (oid)")
    run(sky, "INSERT INTO object VALUES ('a')")
    sink = DatabaseSink(sky)
    sink.add([seen(0, "a", 1.5), seen(1, "b", 1.5), outcome(received(2, b"bad"))])
    with pytest.raises(SinkError, match=r"violates foreign key.*; add the object to the table"):
        sink.deliver()
    assert table(sky) == {}
    assert run(sky, "SELECT (SELECT count(*) FROM jtss_latest) + (SELECT count(*) FROM jtss_dead_letter)") == [(0,)]
    run(sky, "INSERT INTO object VALUES ('b')")
    assert len(sink.deliver()) == 3
    assert len(table(sky)) == 2


@pytest.mark.slow
def test_a_row_that_another_holds_is_waited_for(sky, monkeypatch):
    sink = DatabaseSink(sky)
    deliver(sky, seen(0, "a", 1.25))
    sink.add([seen(1, "a", 2.5)])
    monkeypatch.setattr(database, "LONGEST", "SET LOCAL statement_timeout = '200ms'")
    with psycopg.connect(sky) as other:
        other.execute("SELECT * FROM jtss_latest FOR UPDATE")
        with pytest.raises(SinkError, match="canceling statement due to statement timeout; tried again"):
            sink.deliver()
    assert len(sink.deliver()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ["DROP TABLE probability"],
            'relation "probability" does not exist; expected the tables of answers; make them',
        ),
        (["ALTER TABLE probability DROP COLUMN ranking"], 'column "ranking" .* does not exist; expected the tables'),
        (["ALTER TABLE probability ALTER oid TYPE bigint USING 0"], "expected the tables of answers; make them"),
        (["ALTER TABLE probability DROP CONSTRAINT probability_pkey"], "no unique .*; expected the primary keys"),
    ],
)
def test_a_database_that_is_not_made_for_it_is_named_at_the_start(sky, statements, said):
    for statement in statements:
        run(sky, statement)
    with pytest.raises(InputError, match=f"--out .*: .*{said}.*'Where answers go' in docs/serving.md"):
        DatabaseSink(sky)


@pytest.mark.slow
def test_a_user_needs_no_more_rights_than_are_said(sky, server):
    run(sky, f"CREATE ROLE low LOGIN PASSWORD '{PASSWORD}'")
    run(sky, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as of itself from version 15 on
    name = sky.partition("@/")[2].partition("?")[0]
    try:
        low = server.url(name, "low")
        with pytest.raises(InputError, match="permission denied for schema public; give this user"):
            DatabaseSink(low)
        DatabaseSink(sky)  # makes our tables
        for table_name in ("jtss_latest", "probability", "jtss_dead_letter"):
            with pytest.raises(
                InputError, match=rf"permission denied for table {table_name}; give this user SELECT, INS"
            ):
                DatabaseSink(low)
            run(sky, f"GRANT SELECT, INSERT, UPDATE ON {table_name} TO low")
        deliver(low, seen(0, "a", 1.5), outcome(received(2, b"bad")))
    finally:
        run(sky, "DROP OWNED BY low; DROP ROLE low")


@pytest.mark.slow
def test_who_is_not_let_in_is_told_so_without_the_password(sky, server, monkeypatch):
    for url, said in (
        (server.url("nowhere"), 'database "nowhere" does not exist'),
        (server.url("postgres", "nobody_here"), 'password authentication failed for user "nobody_here"'),
        ("postgresql://owner@127.0.0.1:1/sky", "Connection refused"),
    ):
        with pytest.raises(OSError, match=f"{said}.*; check the address, and the password in PGPASSWORD") as refused:
            DatabaseSink(url)
        assert PASSWORD not in str(refused.value)
        assert "\n" not in str(refused.value)
    monkeypatch.delenv("PGPASSWORD")
    with pytest.raises(OSError, match="no password supplied; check the address"):
        DatabaseSink(sky)


@pytest.mark.slow
def test_a_connection_that_was_cut_is_made_anew(sky):
    sink = DatabaseSink(sky)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jtss'"
    run(sky, others + " AND datname = current_database()")
    gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jtss' AND datname = current_database()"
    wait_until(lambda: run(sky, gone) == [(0,)], "the connection is cut")
    sink.add([seen(0, "a", 1.5)])
    with pytest.raises(SinkError, match=r"terminating connection.*; tried again"):
        sink.deliver()
    assert len(sink.deliver()) == 1
