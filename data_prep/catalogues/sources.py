"""Catalogues of classified objects as users download them: which columns count, and which objects a row is of."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import tables
from data_prep.tables import Layout, Wanted
from jtss.errors import InputError

OURS = ("objectId", "ra", "dec", "label", "name")  # of --columns; label is the class as the catalogue names it
OBJECTS = "objects"
ZTF_NAME = re.compile(r"ZTF\d\d[a-z]{7}")
RA = (("ra",), ("_raj2000",), ("raj2000",), ("ra_icrs",), ("radeg",), ("i:ra",))
DEC = (("dec",), ("declination",), ("_dej2000",), ("dej2000",), ("de_icrs",), ("dedeg",), ("i:dec",))
NO_CLASS = {"", "-", "--", "nan", "none", "null"}


class Source(NamedTuple):
    """A catalogue.

    Attributes:
        taxonomy: whose names its classes have, see `taxonomy`.
        object_id, label, name: how it calls the columns of ZTF names, of the class, and of its own name of an object.
        placed: whether it has positions in degrees.
        within: what a ZTF name looks like within its column; None: the column holds a name and nothing else.
        flag: how it calls a column that says whether its entries are to be believed, and what its values mean.
        layout: of its text file, where that has columns of fixed width.
        remedy: what to do about a file without positions.
    """

    taxonomy: str
    object_id: tuple[tuple[str, ...], ...]
    label: tuple[tuple[str, ...], ...]
    name: tuple[tuple[str, ...], ...] = ()
    placed: bool = True
    within: re.Pattern | None = None
    flag: tuple[tuple[tuple[str, ...], ...], Mapping[str, str]] = ((), {})
    layout: Layout | None = None
    remedy: str = ""


OBJECT_ID = (("objectId",), ("oid",), ("i:objectId",))
VSX_FLAG = (
    (("v",), ("variability_flag",)),
    {"1": "a suspected variable", "2": "constant, or not there", "3": "a duplicate, perhaps"},
)
SOURCES = {
    "bts": Source("BTS", (("ZTFID",), *OBJECT_ID), (("type",),), (("IAUID",),), placed=False),
    "tns": Source("TNS", (("internal_names",), *OBJECT_ID), (("type",),), (("name",),), within=ZTF_NAME),
    "alerce": Source("ALeRCE", OBJECT_ID, (("classALeRCE",),), (("id_source",),), placed=False),
    "milliquas": Source(
        "MILLIQUAS",
        OBJECT_ID,
        (("type",), ("cl",)),
        (("name",),),
        layout={"ra": (0, 11), "dec": (12, 23), "name": (25, 50), "label": (51, 55)},
    ),
    "vsx": Source("VSX", OBJECT_ID, (("type",), ("vartype",)), (("name",),), flag=VSX_FLAG),
    "gcvs": Source("GCVS", OBJECT_ID, (("vartype",), ("type",)), (("gcvs",), ("name",))),
    "gaia": Source(
        "Gaia",
        OBJECT_ID,
        (("best_class_name",), ("class",)),
        (("source_id",), ("source",)),
        remedy="vari_classifier_result has none: join it to gaia_source by source_id for ra and dec, or take VizieR's"
        " I/358/vclassre",
    ),
    "simbad": Source("SIMBAD", OBJECT_ID, (("main_type",), ("otype",), ("otype_txt",)), (("main_id",),)),
    "fink": Source("Fink", OBJECT_ID, (("v:classification",), ("finkclass",), ("d:cdsxmatch",), ("cdsxmatch",))),
}


class Entries(NamedTuple):
    """The K rows of a catalogue.

    Attributes:
        label, name: Arrow arrays of K texts: the class as the catalogue names it, and its own name of the object.
        object_ids: K lists of the objects that a row names; None: the catalogue names none.
        ra, dec: [K] float64 [deg], NaN = not given.
        doubt: K texts: why not to believe the row, "" where nothing is said against it.
    """

    label: object
    name: object | None
    object_ids: list[list[str]] | None
    ra: np.ndarray
    dec: np.ndarray
    doubt: list[str]


def split(text: str) -> tuple[str, Path]:
    """The source and the file of an argument such as tns:FILE.

    Raises:
        InputError: it names no source.
    """
    source, mark, path = text.partition(":")
    if not mark or not path or source not in SOURCES:
        raise InputError(f"--from {text}: expected SOURCE:FILE, where SOURCE is one of {', '.join(SOURCES)}")
    return source, Path(path)


def columns_of(texts: list[str], sources: list[str]) -> dict[str, dict[str, str]]:
    """What users call columns, by source.

    Args:
        texts: of --columns, as tns:label=class,objectId=ztf or, where there is one source, label=class; "objects:" is
            the table of objects.

    Raises:
        InputError: as `tables.renamed`; or it is not told which of several sources is meant, or one that is not read.
    """
    given: dict[str, list[str]] = {}
    for text in texts:
        owner, mark, pairs = text.partition(":")
        if not mark or "=" in owner:
            if len({*sources}) != 1:
                raise InputError(f"--columns {text}: expected SOURCE:{text}, for there are several sources")
            owner, pairs = sources[0], text
        if owner not in (*sources, OBJECTS):
            raise InputError(f"--columns {text}: {owner} is not read; expected {', '.join((*sources, OBJECTS))}")
        given.setdefault(owner, []).append(pairs)
    return {owner: tables.renamed(pairs, OURS) for owner, pairs in given.items()}


def read(source: str, path: Path, columns: Mapping[str, str]) -> Entries:
    """The rows of a catalogue.

    Raises:
        FileNotFoundError, InputError: as `tables.read`; or the catalogue has neither names nor positions of objects.
    """
    catalogue = SOURCES[source]
    wanted = {
        "label": Wanted("text", catalogue.label),
        "name": Wanted("text", catalogue.name, required=False),
        "objectId": Wanted("text", catalogue.object_id, required=False),
        "flag": Wanted("text", catalogue.flag[0], required=False),
        "ra": Wanted("angle", RA if catalogue.placed else (), required=False),
        "dec": Wanted("angle", DEC if catalogue.placed else (), required=False),
    }
    wanted = tables.by_name(wanted, columns)
    if catalogue.layout and tables.kind_of(path) in (".txt", ".dat"):
        wanted = {name: column for name, column in wanted.items() if name in catalogue.layout}
    table = tables.read(path, wanted, f"catalogue {source}", catalogue.layout)
    if "objectId" not in table and not {"ra", "dec"} <= table.keys():
        names = " or ".join(name for group in catalogue.object_id for name in group)
        expected = f"{names}, or ra and dec [deg]" if catalogue.placed else names
        raise InputError(f"{path}: no column {expected}" + (f"; {catalogue.remedy}" if catalogue.remedy else ""))
    nowhere = np.full(len(table["label"]), np.nan)
    placed = {"ra", "dec"} <= table.keys()
    flags = table["flag"].to_pylist() if "flag" in table else [""] * len(nowhere)
    within = None if "objectId" in columns else catalogue.within  # a user's own column has names alone
    return Entries(
        table["label"],
        table.get("name"),
        _named(table["objectId"].to_pylist(), within) if "objectId" in table else None,
        table["ra"] if placed else nowhere,
        table["dec"] if placed else nowhere,
        [catalogue.flag[1].get(flag, "") for flag in flags],
    )


def _named(texts: list[str], within: re.Pattern | None) -> list[list[str]]:
    return [within.findall(text) if within else [text] if text else [] for text in texts]


def objects(path: Path, columns: Mapping[str, str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The names of N objects, and their ra and dec [N] [deg].

    Raises:
        FileNotFoundError, InputError: as `tables.read`; or an object without a name or position, or two of one name.
    """
    wanted = {"objectId": Wanted("text", OBJECT_ID), "ra": Wanted("angle", RA), "dec": Wanted("angle", DEC)}
    unknown = [name for name in columns if name not in wanted]
    if unknown:
        raise InputError(f"--columns {OBJECTS}:{unknown[0]}=…: expected one of {', '.join(wanted)}")
    table = tables.read(path, tables.by_name(wanted, columns), "table of objects")
    names, ra, dec = table["objectId"].to_pylist(), table["ra"], table["dec"]
    bad = np.flatnonzero(~on_sky(ra, dec) | np.array([not name for name in names], bool))
    if bad.size:
        at = bad[0]
        raise InputError(
            f"{path}: row {at + 1} is {names[at] or 'of no objectId'} at ra {ra[at]:g}, dec {dec[at]:g}; expected a"
            " name, and a position in degrees"
        )
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: object {twice} is there twice, expected one row and position of each")
    return names, ra, dec


def on_sky(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """[K] bool: which positions [deg] there are."""
    with np.errstate(invalid="ignore"):
        return (ra >= -180) & (ra <= 360) & (np.abs(dec) <= 90)
