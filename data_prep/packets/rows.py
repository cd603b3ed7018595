"""Values of a record and rows of a history, out of their bytes at once, where a regular expression can describe them.

fastavro makes an object of every value and a dictionary of every row. Where a record is one of plain types, each of
them nullable or not, its bytes are a regular language, for texts have a length that is bounded: one match finds all
fields of an alert or of a row, and the numbers of all rows are made together. What the expression does not match, sound
or not, is left to fastavro, so that each judgement on damaged bytes stays with it: the expression knows one way to
write the branch of a union, numbers of at most MAX_LONG_BYTES and texts of at most MAX_TEXT_BYTES.
"""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_prep.packets.history import FID, ISDIFFPOS, MAX_ROWS, NOT_GIVEN, History, of_numbers
from data_prep.packets.metadata import HISTORY_FIELDS

MAX_LONG_BYTES = 9  # 63 bits; a candid of ZTF has 61
MAX_TEXT_BYTES = 127  # names of files take a hundred
MAX_PATTERN_BYTES = 1 << 16  # ZTF's take 5 kB, a text 1 kB of it

ONE_BYTE_LONG = rb"[\x00-\x7f]"
LONG = rb"[\x80-\xff]{0,%d}+%b" % (MAX_LONG_BYTES - 1, ONE_BYTE_LONG)
COUNT = re.compile(LONG)
SHIFTS = 7 * np.arange(MAX_LONG_BYTES)
END = b"\0"  # of an array, where the number of further items would stand

FLOATS = {"float": np.dtype("<f4"), "double": np.dtype("<f8")}
_SIZES = [bytes([2 * n]) if n < 64 else bytes([2 * n & 0x7F | 0x80, n >> 6]) for n in range(MAX_TEXT_BYTES + 1)]
TEXT = b"(?>%b)" % b"|".join(re.escape(size) + b".{%d}" % n for n, size in enumerate(_SIZES))
PASSED = {
    "null": b"",
    "boolean": rb"[\x00\x01]",
    "int": LONG,
    "long": LONG,
    "float": b"....",
    "double": b"........",
    "bytes": TEXT,
    "string": TEXT,
}
SINGLE, DOUBLE = struct.Struct("<f"), struct.Struct("<d")
SIGNS = {None: np.nan, b"t": 1.0, b"1": 1.0, b"f": 0.0, b"0": 0.0}


def _long(varint: bytes) -> int:
    """A zigzag varint.

    Apache Avro 1.11 specification, binary encoding.
    """
    number = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
    return (number >> 1) ^ -(number & 1)


def _longs(varints: Sequence[bytes]) -> np.ndarray:
    """[k] int64: the same of k at once, of at most MAX_LONG_BYTES each; 0 of no bytes."""
    data = b"".join([varint.ljust(MAX_LONG_BYTES, b"\0") for varint in varints])
    digits = np.frombuffer(data, np.uint8).reshape(-1, MAX_LONG_BYTES) & 0x7F
    numbers = (digits.astype(np.int64) << SHIFTS).sum(axis=1)
    return (numbers >> 1) ^ -(numbers & 1)


FILTERS = {None: np.nan} | {bytes([byte]): float(_long(bytes([byte]))) for byte in range(0x80)}


def _text(data: bytes) -> str:
    """A text that stands after its size, of one byte or two."""
    return data[1 if data[0] < 0x80 else 2 :].decode()


DECODERS = {
    "float": lambda data: SINGLE.unpack(data)[0],
    "double": lambda data: DOUBLE.unpack(data)[0],
    "int": _long,
    "long": _long,
    "string": _text,
}


class Floats(NamedTuple):
    """Fields of one type: NaN as its bytes, the groups of a row, from 0 on, and their columns in HISTORY_FIELDS."""

    dtype: np.dtype
    missing: bytes
    groups: list[int]
    columns: list[int]


class RowReader(NamedTuple):
    """How to read the history that is next in a record.

    Attributes:
        given: the bytes before the array: its branch in a union, or none.
        absent: the bytes in place of it: the branch of null; None where there is always one.
        row: the expression of a row; fields that are read are groups with their names.
        floats: the groups among them of single and of double precision.
    """

    given: bytes
    absent: bytes | None
    row: re.Pattern
    floats: tuple[Floats, ...]

    def read(self, data: bytes, start: int, end: int) -> tuple[History, int] | None:
        """Read a history.

        Args:
            data: what it stands in.
            start, end: where it begins, and where it must have ended.

        Returns:
            What `history.parse` makes of it as fastavro reads it, and where it ends; None where that is for fastavro
            to say.
        """
        found = self._rows(data, start, end)
        return found and (self._history(found[0]) if found[0] else NOT_GIVEN, found[1])

    def passed(self, data: bytes, start: int, end: int) -> int | None:
        """Where a history ends that is not read; as `read`."""
        found = self._rows(data, start, end)
        return found and found[1]

    def _rows(self, data: bytes, start: int, end: int) -> tuple[list[re.Match], int] | None:
        """A match for each row, and where the history ends; None where not all of it matches.

        Apache Avro 1.11 specification, binary encoding.
        """
        head = data[start : min(start + 1, end)]
        if head == self.absent:
            return [], start + len(head)
        if not head.startswith(self.given):
            return None
        rows, at = [], start + len(self.given)
        while block := COUNT.match(data, at, end):
            if block[0] == END:
                return rows, block.end()
            count, at = _long(block[0]), block.end()
            if not 0 < count <= MAX_ROWS - len(rows):
                return None
            for _ in range(count):
                row = self.row.match(data, at, end)
                if row is None:
                    return None
                rows.append(row)
                at = row.end()
        return None

    def _history(self, rows: list[re.Match]) -> History:
        values = np.full((len(rows), len(HISTORY_FIELDS)), np.nan)
        for dtype, missing, groups, columns in self.floats:
            data = b"".join([found[group] for found in [row.groups(missing) for row in rows] for group in groups])
            with np.errstate(invalid="ignore"):  # signalling NaN
                values[:, columns] = np.frombuffer(data, dtype).reshape(len(rows), -1)
        if "fid" in self.row.groupindex:
            values[:, FID] = [FILTERS[row["fid"]] for row in rows]
        if "isdiffpos" in self.row.groupindex:
            values[:, ISDIFFPOS] = [SIGNS[row["isdiffpos"]] for row in rows]
        candid = np.zeros(len(rows), np.int64)
        if "candid" in self.row.groupindex:
            candid = _longs([row["candid"] or b"" for row in rows])
        return of_numbers(values, np.where(candid > 0, candid, 0))


class _OtherRowsError(ValueError):
    """Rows that are left to fastavro."""


def row_reader(writer: Any, reader: Any) -> RowReader | None:
    """Make the reader of a history, if its rows are plain.

    Args:
        writer: the type of the field, with names spelled out as by `avro.project_schema`: an array, nullable or not.
        reader: the same with those fields of its rows that are read.

    Returns:
        None where fastavro has to read it: rows of types that are nested or wider, with text in place of a number, or
        of more fields than MAX_PATTERN_BYTES can hold.
    """
    try:
        items, wanted = _kind(writer)["items"], _kind(_kind(reader)["items"])
        kinds = {field["name"]: _kind(field["type"]) for field in wanted["fields"]}
        fields = [_field(field["name"], field["type"], kinds) for field in _kind(items)["fields"]]
    except _OtherRowsError:
        return None
    pattern = re.escape(_branches(items)[0]) + b"".join(fields)
    if len(pattern) > MAX_PATTERN_BYTES:
        return None
    row = re.compile(pattern, re.DOTALL)
    floats = []
    for kind, dtype in FLOATS.items():
        if names := [name for name in HISTORY_FIELDS if kinds.get(name) == kind]:
            groups = [row.groupindex[name] - 1 for name in names]
            columns = [HISTORY_FIELDS.index(name) for name in names]
            floats.append(Floats(dtype, np.array(np.nan, dtype).tobytes(), groups, columns))
    return RowReader(*_branches(writer), row, tuple(floats))


def _branches(schema: Any) -> tuple[bytes, bytes | None]:
    """What stands before a value of a type that may be nullable, and in place of one."""
    if not isinstance(schema, list):
        return b"", None
    places = {kind == "null": bytes([2 * index]) for index, kind in enumerate(schema)}
    return places[False], places.get(True)


def _kind(schema: Any) -> Any:
    """The one type, besides null, of a type that may be nullable."""
    if not isinstance(schema, list):
        return schema
    kinds = [kind for kind in schema if kind != "null"]
    if len(schema) > 2 or len(kinds) != 1:
        raise _OtherRowsError
    return kinds[0]


def _field(name: str, schema: Any, read: Mapping[str, Any]) -> bytes:
    """The expression of a field; of one that is read, with a group that takes part unless it is null."""
    kind = _kind(schema)
    return _nullable(schema, _value(name, kind) if name in read else _passed(kind))


def _nullable(schema: Any, value: bytes) -> bytes:
    """The expression of a type, given that of its value."""
    given, absent = _branches(schema)
    given = re.escape(given) + value
    return given if absent is None else b"(?>%b|%b)" % (given, re.escape(absent))


def _value(name: str, kind: Any) -> bytes:
    """The expression of a value that is read."""
    if name == "isdiffpos" and kind == "string":
        return rb"\x02(?P<isdiffpos>[t1f0])"  # of one byte
    if name in ("fid", "candid") and kind in ("int", "long"):
        return b"(?P<%b>%b)" % (name.encode(), ONE_BYTE_LONG if name == "fid" else LONG)
    if name not in ("isdiffpos", "fid", "candid") and isinstance(kind, str) and kind in FLOATS:
        return b"(?P<%b>%b)" % (name.encode(), b"." * FLOATS[kind].itemsize)
    raise _OtherRowsError


def _passed(kind: Any) -> bytes:
    """The expression of a value that is passed over."""
    if not isinstance(kind, str) or kind not in PASSED:
        raise _OtherRowsError
    return PASSED[kind]


class RecordReader(NamedTuple):
    """How to read a record of plain values, some of them in records within it.

    Attributes:
        record: the expression; each value that is read is a group.
        decoders: of the groups, in their order.
        names: of the fields; with those of a record within, in the order of the groups.
    """

    record: re.Pattern
    decoders: list[Callable[[bytes], object]]
    names: list[tuple[str, list[str] | None]]

    def read(self, data: bytes, at: int) -> tuple[dict, int] | None:
        """The record that begins at a place, as fastavro reads it, and where it ends; None where that is for it to say.

        Raises:
            UnicodeDecodeError: as fastavro does, of a text.
        """
        match = self.record.match(data, at)
        if match is None:
            return None
        found = zip(self.decoders, match.groups(), strict=True)
        values = iter([None if group is None else decode(group) for decode, group in found])
        record = {
            name: next(values) if within is None else {each: next(values) for each in within}
            for name, within in self.names
        }
        return record, match.end()


def record_reader(writer: Mapping[str, Any], reader: Mapping[str, Any]) -> RecordReader | None:
    """Make the reader of a record; None where fastavro has to read it, as with `row_reader`.

    Args:
        writer, reader: its type and the same with those fields that are read, with names spelled out.
    """
    decoders = []
    try:
        pattern = _record(writer, reader, decoders)
    except _OtherRowsError:
        return None
    if len(pattern) > MAX_PATTERN_BYTES:
        return None
    types = {field["name"]: _kind(field["type"]) for field in reader["fields"]}
    within = {name: [field["name"] for field in of["fields"]] for name, of in types.items() if isinstance(of, dict)}
    return RecordReader(re.compile(pattern, re.DOTALL), decoders, [(name, within.get(name)) for name in types])


def _record(writer: Mapping[str, Any], reader: Mapping[str, Any], decoders: list, is_outer: bool = True) -> bytes:
    """The expression of a record; decoders of its groups are added to those of the groups before.

    A record within it is there: with null in its place nothing matches.
    """
    wanted = {field["name"]: field["type"] for field in reader["fields"]}
    parts = []
    for field in writer["fields"]:
        name, schema, kind = field["name"], field["type"], _kind(field["type"])
        if name not in wanted:
            parts.append(_nullable(schema, _passed(kind)))
        elif isinstance(kind, str) and kind in DECODERS:
            parts.append(_nullable(schema, b"(%b)" % PASSED[kind]))
            decoders.append(DECODERS[kind])
        elif isinstance(kind, dict) and kind["type"] == "record" and is_outer:
            given, _ = _branches(schema)
            parts.append(re.escape(given) + _record(kind, _kind(wanted[name]), decoders, is_outer=False))
        else:
            raise _OtherRowsError
    return b"".join(parts)
