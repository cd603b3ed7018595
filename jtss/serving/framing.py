"""A message of a stream to the alert in it: the framing is told by its key, if that is a schema, or its first bytes.

    b"Obj\x01"       an Avro container file, which brings its schema
    schema as a key  the record alone, of this schema: Fink's
    b"\x00"          Confluent's: four bytes for the number of a schema, then the record
    any other        the record alone

One message is one packet. Whatever a message holds, it comes to an alert or to a `Rejection`, never to an exception;
only where a registry has to say what a schema is, and does not answer, the message has to wait.
"""

import io
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import MAGIC, SCHEMA_ID_BYTES, Block, SchemaError, project_schema, read_avro
from jtss.errors import InputError
from jtss.invocation import option
from jtss.serving.registry import SCHEMES, Registry

CONFLUENT = b"\0"
SUFFIX = ".avsc"
OTHER_FORM = "other_schema"  # of an Avro schema that is no alert's of ours
TRAILING = "trailing_bytes"  # of a record alone: it was read by a schema that is not its own


class Schemas:
    """What records are read by that do not bring their schema.

    Attributes:
        alone: the schema of records alone; None: none is known.
        warnings: which of those that are there are of no packets that can be read.
    """

    def __init__(self, place: Path | str | None) -> None:
        """Read the schemas that are there.

        Args:
            place: the schema of records alone; or a folder of schemas named by their number in the registry, 701.avsc;
                or the address of a registry, see `registry.Registry`.

        Raises:
            InputError: it cannot be read or is no schema, the one of records alone is of no alerts, or the folder has
                none; names the file.
        """
        self.warnings: list[str] = []
        self.alone: bytes | None = None
        self._folder: Path | None = None
        self._registry: Registry | None = None
        self._by_number: dict[int, bytes] = {}
        if isinstance(place, str) and place.startswith(SCHEMES):
            self._registry = Registry(place)
            return
        if place is None:
            return
        path = Path(place)
        self._folder = path if path.is_dir() else None
        if self._folder is None:
            self.alone, other = _schema(path)
            if other is not None:
                raise InputError(f"{path}: {other}")
            return
        for file in self._folder.glob(f"*{SUFFIX}"):
            if file.stem.isdecimal():
                self._by_number[int(file.stem)], other = _schema(file)
                self.warnings += [] if other is None else [f"{file}: {other}; its messages will be dead letters"]
        if not self._by_number:
            raise InputError(
                f"{path}: no schema in it that is named by its number, expected one file for each, as 701{SUFFIX}"
            )

    def numbered(self, number: int) -> bytes | None:
        """The schema of this number, which may have come meanwhile; None where there is none.

        Raises:
            RegistryError: the registry does not answer.
        """
        if self._registry is not None:
            return self._registry.schema(number)
        if number not in self._by_number and self._folder is not None:
            try:
                self._by_number[number], _ = _schema(self._folder / f"{number}{SUFFIX}")
            except InputError:  # it is not there, or not yet whole
                return None
        return self._by_number.get(number)

    def where(self, number: int) -> str:
        """Where the schema of a number has to be."""
        return f"it in {self._registry.name}" if self._registry is not None else f"a file {number}{SUFFIX}"


def _schema(path: Path) -> tuple[bytes, SchemaError | None]:
    """A schema, and what is wrong with the packets that are written by it, if they are of another form than we read.

    Raises:
        InputError: it cannot be read, or is no schema.
    """
    try:
        schema = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{option('schema', path)}: {error.strerror}; expected an Avro schema ({SUFFIX}), a folder of them, or the"
            " address of a registry as http://HOST:PORT"
        ) from error
    error = project_schema(schema)
    if isinstance(error, SchemaError) and error.reason != OTHER_FORM:
        raise InputError(f"{path}: {error}; expected the Avro schema of alert packets, as JSON")
    return schema, error if isinstance(error, SchemaError) else None


def read_message(value: bytes | None, source: str, schemas: Schemas, key: bytes | None = None) -> Alert | Rejection:
    """The alert in a message.

    Args:
        value: of the message; None: it has none.
        source: what to call it.
        key: of the message; None: it has none.

    Returns:
        An Alert, or a Rejection: no_value, empty_value, no_schema (none was given), unknown_schema, trailing_bytes (the
        schema is not its own), several_packets, or those of `avro.read_avro` and `alerts.decode_block`.

    Raises:
        RegistryError: the registry does not answer.
    """
    if value is None:
        return Rejection("no_value", "a message without a value", source)
    if not value:
        return Rejection("empty_value", "0 bytes", source)
    alert, other = None, None
    for outcome in _outcomes(value, source, schemas, key):
        if isinstance(outcome, Rejection):
            if outcome.n_alerts or (outcome.reason == TRAILING and not value.startswith(MAGIC)):
                return outcome
            other = outcome
        elif alert is not None:
            return Rejection("several_packets", "more than one packet in a message, expected one", source)
        else:
            alert = outcome
    return alert or other or Rejection("no_records", "no packet in the message", source)


def _outcomes(value: bytes, source: str, schemas: Schemas, key: bytes | None) -> Iterator[Alert | Rejection]:
    for block in _blocks(value, source, schemas, key):
        if isinstance(block, Rejection):
            yield block
        else:
            yield from decode_block(block)


def _blocks(value: bytes, source: str, schemas: Schemas, key: bytes | None) -> Iterator[Block | Rejection]:
    if value.startswith(MAGIC):
        yield from read_avro(io.BytesIO(value), source)
    elif key is not None and _is_schema(key):
        yield Block(source, 0, key, "null", 1, value)
    elif value.startswith(CONFLUENT):
        yield _numbered(value, source, schemas)
    elif schemas.alone is not None:
        yield Block(source, 0, schemas.alone, "null", 1, value)
    else:
        yield Rejection("no_schema", f"starts with {value[:4]!r}: a record alone, whose schema is not given", source)


def _numbered(value: bytes, source: str, schemas: Schemas) -> Block | Rejection:
    start = len(CONFLUENT) + SCHEMA_ID_BYTES
    if len(value) <= start:
        return Rejection("corrupt_record", f"{len(value)} bytes, of which {start} are the framing", source)
    number = int.from_bytes(value[len(CONFLUENT) : start], "big")
    schema = schemas.numbered(number)
    if schema is None:
        return Rejection("unknown_schema", f"schema {number} of a registry, expected {schemas.where(number)}", source)
    return Block(source, 0, schema, "null", 1, value[start:])


@lru_cache(maxsize=64)  # a stream has one schema for each kind of its messages
def _is_schema(key: bytes) -> bool:
    """Whether a key is the Avro schema of a record, and not the name of an object or any other JSON."""
    if not key.lstrip().startswith(b"{"):
        return False
    try:
        said = json.loads(key)
    except (ValueError, RecursionError):
        return False
    return said.get("type") == "record" and "fields" in said
