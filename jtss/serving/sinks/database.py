"""Answers in a PostgreSQL database, in the table `probability` of ALeRCE; dead letters in a table of ours.

The table has one answer of a classifier for an object. That is the one to its latest packet, by jd and then candid,
in whatever order the packets come or come again: a second table of ours remembers which it was. One delivery is one
transaction. Members of a group that write at once meet first in that second table, row by row in one order, so that
none waits for another in a circle.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import psycopg
from psycopg import conninfo, errors

from jtss.errors import InputError
from jtss.invocation import option
from jtss.serving.messages import Outcome, Partition
from jtss.serving.sinks.sink import SinkError

PROBABILITY = """\
CREATE TABLE probability (
    oid varchar NOT NULL,
    class_name varchar NOT NULL,
    classifier_name varchar NOT NULL,
    classifier_version varchar NOT NULL,
    probability double precision NOT NULL,
    ranking integer NOT NULL,
    PRIMARY KEY (oid, class_name, classifier_name, classifier_version)
);"""
LATEST = """\
CREATE TABLE IF NOT EXISTS jtss_latest (
    oid varchar NOT NULL,
    classifier_name varchar NOT NULL,
    classifier_version varchar NOT NULL,
    jd double precision NOT NULL,
    candid bigint NOT NULL,
    PRIMARY KEY (oid, classifier_name, classifier_version)
);"""
DEAD_LETTER = """\
CREATE TABLE IF NOT EXISTS jtss_dead_letter (
    topic varchar NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason varchar NOT NULL,
    letter json NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);"""
OURS = {"jtss_latest": LATEST, "jtss_dead_letter": DEAD_LETTER}

REMEMBER = """
INSERT INTO jtss_latest AS known (oid, classifier_name, classifier_version, jd, candid)
SELECT * FROM unnest(%s::varchar[], %s::varchar[], %s::varchar[], %s::double precision[], %s::bigint[])
ON CONFLICT (oid, classifier_name, classifier_version) DO UPDATE SET jd = excluded.jd, candid = excluded.candid
WHERE (excluded.jd, excluded.candid) >= (known.jd, known.candid)
RETURNING oid, classifier_name, classifier_version
"""
ANSWER = """
INSERT INTO probability (oid, class_name, classifier_name, classifier_version, probability, ranking)
SELECT * FROM unnest(
    %s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[], %s::double precision[], %s::integer[]
)
ON CONFLICT (oid, class_name, classifier_name, classifier_version)
DO UPDATE SET probability = excluded.probability, ranking = excluded.ranking
"""
BURY = """
INSERT INTO jtss_dead_letter (topic, partition, "offset", reason, letter)
SELECT * FROM unnest(%s::varchar[], %s::integer[], %s::bigint[], %s::varchar[], %s::json[])
ON CONFLICT (topic, partition, "offset") DO UPDATE SET reason = excluded.reason, letter = excluded.letter
"""
# A server that is gone without a word is given up after a while; whoever gives an address may say otherwise.
PATIENCE = {"connect_timeout": "10", "tcp_user_timeout": "30000", "application_name": "jtss"}
LONGEST = "SET LOCAL statement_timeout = '30s'"
LOCK = 0x6A747373  # "jtss": two processes that make our tables at once take turns
ADDRESS = "postgresql://USER@HOST/DATABASE"
WHERE = "see 'Where answers go' in docs/serving.md"

logging.getLogger("psycopg").setLevel(logging.ERROR)  # its warnings are of errors that are raised and told anyway


class Key(NamedTuple):
    """Whose rows are replaced together."""

    oid: str
    classifier_name: str
    classifier_version: str


def key_of(answer: Mapping) -> Key:
    return Key(answer["objectId"], answer["model"], answer["classifier_version"])


def latest(answers: Iterable[Mapping]) -> dict[Key, Mapping]:
    """The answer to the latest packet of each object, in the order in which all members lock them."""
    found: dict[Key, Mapping] = {}
    for answer in sorted(answers, key=lambda answer: (answer["jd"], answer["candid"])):
        found[key_of(answer)] = answer
    return dict(sorted(found.items()))


def probability_rows(answer: Mapping) -> list[tuple[str, str, str, str, float, int]]:
    """An answer as rows of `probability`, the most probable class first; equal ones keep the order of the classes."""
    oid, name, version = key_of(answer)
    ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])
    return [(oid, kind, name, version, chance, ranking) for ranking, (kind, chance) in enumerate(ranked, 1)]


class DatabaseSink:
    """Answers and dead letters in tables; nothing is there twice, however often a delivery is repeated."""

    def __init__(self, address: str) -> None:
        """Connect, make our tables where they are not there, and find out whether all can be written.

        Args:
            address: a URL of PostgreSQL's, without a password.

        Raises:
            InputError: the address has a password or is none, or the database is not made for this.
            OSError: it does not answer, or does not let us in.
        """
        self._parameters = _parameters(address)
        self._waiting: list[Outcome] = []
        self._connection: psycopg.Connection | None = None
        try:
            connection = self._connected()
            with connection.transaction():
                _make_ours(connection)
                _write(connection, [], [])
        except (errors.InvalidAuthorizationSpecification, psycopg.OperationalError) as error:
            raise OSError(
                f"{option('out', address)}: {_words(error)}; check the address, and the password in PGPASSWORD or"
                " ~/.pgpass"
            ) from error
        except psycopg.Error as error:
            raise InputError(f"{option('out', address)}: {_words(error)}; {_advice(error)}") from error

    def add(self, outcomes: Iterable[Outcome]) -> None:
        self._waiting.extend(outcomes)

    def is_due(self) -> bool:
        return bool(self._waiting)

    def first_offsets(self) -> dict[Partition, int]:
        return {}

    def forget(self, partitions: Iterable[Partition]) -> None:
        gone = {*partitions}
        self._waiting = [outcome for outcome in self._waiting if outcome.message.partition not in gone]

    def forget_before(self, offsets: dict[Partition, int]) -> None:
        """Never asked: what is late replaces nothing that is later."""

    def deliver(self) -> list[Outcome]:
        answers = [json.loads(outcome.line) for outcome in self._waiting if not outcome.is_dead]
        dead = [outcome for outcome in self._waiting if outcome.is_dead]
        try:
            connection = self._connected()
            with connection.transaction():
                _write(connection, answers, dead)
        except psycopg.Error as error:
            raise SinkError(f"the database: {_words(error)}; {_advice(error)}") from error
        delivered, self._waiting = self._waiting, []
        return delivered

    def _connected(self) -> psycopg.Connection:
        """A connection that works, as far as is known."""
        if self._connection is None or self._connection.closed:
            # Without statements that are kept prepared, which poolers of connections do not know.
            self._connection = psycopg.connect(**self._parameters, autocommit=True, prepare_threshold=None)
        return self._connection


def _parameters(address: str) -> dict[str, str]:
    """What to connect with. An address with a password is refused: all users of a machine see command lines."""
    try:
        given = conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:  # its text may quote a password
        raise InputError(f"{option('out')}: not an address of a database, expected {ADDRESS}") from None
    if {"password", "sslpassword"} & given.keys():
        raise InputError(
            f"{option('out')}: the address of the database has a password, which others see there; expected {ADDRESS},"
            " and the password in PGPASSWORD or ~/.pgpass"
        )
    return PATIENCE | given


def _make_ours(connection: psycopg.Connection) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    for name, statement in OURS.items():
        if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,):  # else no right to make is due
            connection.execute(statement)


def _write(connection: psycopg.Connection, answers: Sequence[Mapping], dead: Sequence[Outcome]) -> None:
    """Write within a transaction; of nothing, it still takes all the tables and rights that it needs."""
    connection.execute(LONGEST)
    candidates = latest(answers)
    known = [(*key, answer["jd"], answer["candid"]) for key, answer in candidates.items()]
    newest = {Key(*row) for row in connection.execute(REMEMBER, _columns(known, 5)).fetchall()}
    rows = [row for key, answer in candidates.items() if key in newest for row in probability_rows(answer)]
    connection.execute(ANSWER, _columns(rows, 6))
    places = {(*outcome.message.partition, outcome.message.offset): outcome for outcome in dead}
    letters = [(*place, outcome.name, outcome.line) for place, outcome in sorted(places.items())]
    connection.execute(BURY, _columns(letters, 5))


def _columns(rows: Sequence[tuple], n: int) -> list[list]:
    return [[row[column] for row in rows] for column in range(n)]


def _words(error: psycopg.Error) -> str:
    """What a server or its client says, in one line."""
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__


def _advice(error: psycopg.Error) -> str:
    if isinstance(error, errors.InsufficientPrivilege):
        return f"give this user SELECT, INSERT and UPDATE on probability, {' and '.join(OURS)}; {WHERE}"
    if isinstance(error, errors.ForeignKeyViolation):
        return "add the object to the table that probability refers to, before its packets come"
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.DatatypeMismatch):
        return f"expected the tables of answers; make them, or name their schema; {WHERE}"
    if isinstance(error, errors.InvalidColumnReference):
        return f"expected the primary keys of the tables of answers; {WHERE}"
    if isinstance(error, errors.DiskFull):
        return "make room on the disk of the database"
    return "tried again" if isinstance(error, psycopg.OperationalError) else WHERE
