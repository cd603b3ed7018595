"""BTSbot's table of candidates: what it says of each alert, and of each object.

Columns that know the future of an object are not read: peakmag and maxmag are its extremes of all time, is_rise and
near_threshold follow from them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.packets.metadata import exact
from jtss.errors import InputError
from jtss.schema import METADATA

IDENTITY = ("objectId", "candid", "isdiffpos")  # read as text: a float does not hold a candid
NOT_PUBLISHED = ("rb",)  # the set has drb instead; read where a table has it
NUMBERS = (
    "jd",
    "fid",
    *(f.field for f in METADATA if f.field and f.field not in (*IDENTITY, *NOT_PUBLISHED)),
)
SAID = ("label", "source_set", "is_SN", "split")  # of an object, on each of its rows
NUMBERED = "N"  # the alerts of an object from 1 on in random order, before most were left out
LEFT_OF_EACH = 100  # alerts of an object that the set has at most

COLUMN = re.compile(r"In CSV column #(\d+)", re.ASCII)  # how pyarrow names one, from 0
SIGNS = {"True": "t", "False": "f", "1.0": "t", "0.0": "f"} | {sign: sign for sign in ("t", "f", "1", "0")}
TRUTHS = {"True": True, "False": False, "1": True, "0": False, "1.0": True, "0.0": False, "": None}
SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}

# Which class the origin of an object stands for. The bright transients (trues) and the external supernovae of type Ia
# (extIas) are supernovae to the authors of the set, and so are those of the faint ones (dims) that are neither stars
# nor nuclei by their type in the survey's catalogue. vars mixes active nuclei and variable stars; rejects and junk are
# what nobody has classified.
CLASS_OF_SET = {"trues": "SN", "extIas": "SN", "dims": "SN", "extra_agn": "AGN", "extra_cvs": "VS"}
SUBCLASS_OF_SET = {"extIas": "SN Ia", "extra_cvs": "cataclysmic"}


@dataclass
class Candidate:
    """An object of the table.

    Attributes:
        said: by column of `SAID`, "" where there is nothing.
        where: the first row, for messages.
        n_rows: its alerts in the table.
        highest: the highest of their numbers N, 0 without.
    """

    said: dict[str, str]
    where: str
    n_rows: int = 0
    highest: float = 0.0

    @property
    def is_cut(self) -> bool:
        """Whether alerts were left out to have at most `LEFT_OF_EACH`, so that the first of those here need not be
        the object's first. Where some that are not public were left out afterwards, N still shows what there was.
        """
        return self.n_rows == LEFT_OF_EACH or (self.n_rows < LEFT_OF_EACH <= self.highest)

    @property
    def label(self) -> str:
        """Name of a class, or of what stands in its place."""
        origin, is_sn = self.said["source_set"], TRUTHS[self.said["is_SN"]]
        if not origin:
            return "SN" if TRUTHS[self.said["label"]] else "no bright transient"
        name = CLASS_OF_SET.get(origin, origin)
        if name == "SN" and (is_sn is False or (origin == "dims" and not is_sn)):
            return f"{origin} not said to be SN"
        return name

    @property
    def subclass(self) -> str:
        return SUBCLASS_OF_SET.get(self.said["source_set"], "")

    @property
    def split(self) -> str:
        return SPLITS[self.said["split"]] if self.said["split"] else ""


def lacking(path: Path) -> list[str]:
    """Columns that the published set has not, and neither has this table.

    Raises:
        FileNotFoundError, InputError: as `rows`.
    """
    return [name for name in NOT_PUBLISHED if name not in _names(path)]


def objects(paths: Sequence[Path]) -> tuple[dict[str, Candidate], list[int]]:
    """What the tables say of each object, by objectId, and how many rows each table has.

    Raises:
        FileNotFoundError, InputError: as `rows`; or an object has two labels, origins or splits, or one that is none.
    """
    found: dict[str, Candidate] = {}
    counts = []
    for path in paths:
        n_rows = 0
        for n_rows, row in enumerate(_cells(path, ["objectId", *SAID], [NUMBERED]), 1):
            said = {name: row[name] or "" for name in SAID}
            where = f"{path}, row {n_rows}"
            candidate = found.get(row["objectId"] or "")
            if candidate is None:
                _check_words(said, where)
                candidate = found[row["objectId"] or ""] = Candidate(said, where)
            elif said != candidate.said:
                _refuse_two(row["objectId"], candidate, said, where)
            candidate.n_rows += 1
            candidate.highest = max(candidate.highest, row[NUMBERED] or 0.0)
        counts.append(n_rows)
    return found, counts


def _check_words(said: Mapping[str, str], where: str) -> None:
    for name, known in (("label", TRUTHS), ("is_SN", TRUTHS), ("split", {"": "", **SPLITS})):
        if said[name] not in known:
            raise InputError(f"{where}: {name} is {said[name]!r}, expected one of {', '.join(filter(None, known))}")


def _refuse_two(object_id: str, first: Candidate, said: Mapping[str, str], where: str) -> None:
    name = next(name for name in SAID if said[name] != first.said[name])
    one, other = (words[name] or "nothing" for words in (first.said, said))
    raise InputError(f"{where}: {name} of object {object_id} is {other}, in {first.where} it is {one}; expected one")


def rows(path: Path) -> Iterator[dict]:
    """The alerts of a table, in order, as records: objectId, candid, and ZTF's fields as candidate.

    Memory holds a megabyte of the file at a time.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: not CSV, a column that is missing or there twice, or text in place of a number; names the file,
            what is there and what was expected.
    """
    for row in _cells(path, IDENTITY, NUMBERS, NOT_PUBLISHED):
        sign = row.pop("isdiffpos")
        object_id, candid = row.pop("objectId"), row.pop("candid")
        yield {
            "objectId": object_id or "",
            "candid": exact(candid),
            "candidate": row | {"isdiffpos": SIGNS.get(sign, sign)},
        }


def _cells(
    path: Path, text: Sequence[str], numbers: Sequence[str], more: Sequence[str] = ()
) -> Iterator[dict[str, str | float | None]]:
    """Columns row by row: text, and numbers; of those that the set need not have, None where they are missing."""
    import pyarrow as pa  # a heavy library that only tables need
    from pyarrow import csv

    names = _names(path)
    types = dict.fromkeys(text, pa.string()) | dict.fromkeys([*numbers, *more], pa.float64())
    present = [name for name in types if name in names]
    options = csv.ConvertOptions(include_columns=present, column_types=types, strings_can_be_null=True)
    empty = dict.fromkeys(types)
    one_thread = csv.ReadOptions(use_threads=False)  # only then do its errors know the row
    try:
        with csv.open_csv(path, one_thread, convert_options=options) as reader:
            for batch in reader:
                yield from (empty | row for row in batch.to_pylist())
    except pa.ArrowInvalid as error:
        said = COLUMN.sub(lambda found: f"column {names[int(found[1])]}", str(error))
        raise InputError(f"{path}: not a table of BTSbot's candidates: {said}") from error


def _names(path: Path) -> list[str]:
    import pyarrow as pa
    from pyarrow import csv

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (candidates)")
    try:
        with csv.open_csv(path) as reader:
            names = reader.schema.names
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}") from error
    needed = (*IDENTITY, *NUMBERS)
    optional = (*SAID, NUMBERED, *NOT_PUBLISHED)
    for wrong, asked in (("no", needed), ("more than one", (*needed, *optional))):
        faults = [name for name in asked if min(names.count(name), 2) == (0 if wrong == "no" else 2)]
        if faults:
            raise InputError(
                f"{path}: {wrong} column {', '.join(faults)} among {len(names)} ({', '.join(names[:5])}, …); expected"
                " those of the BTSbot training set, version 10: *_cand_v10_N100_programid1.csv"
            )
    return names
