"""What a name of Fink, SIMBAD, TNS, BTS, ALeRCE, VSX, GCVS, Gaia or MILLIQUAS means: a class of ours, or none, and why.

The names are in taxonomies.csv. A row has a class and maybe a subclass of ours; or the class "other" for what is known
to be none of ours; or no class where the name means several of ours or says nothing, and then a reason. An ellipsis (…)
at either end of a name stands for any text.
"""

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

OTHER = "other"
ANY = "…"
# Where a taxonomy has no such name, that of another counts.
ALSO = {"BTS": "TNS", "VSX": "GCVS", "Fink": "SIMBAD"}
PREFIXES = {"(TNS)": "TNS", "(SIMBAD)": "SIMBAD"}  # of Fink's classes that are others'
WITH_GRAMMAR = ("VSX", "GCVS")
ECLIPSING = "eclipsing"


class Meaning(NamedTuple):
    """What a name says.

    Attributes:
        label: class of ours, `OTHER` for something else, "" where it is not told.
        subclass: of the class, "" where it is not told.
        reason: why there is no class, or a remark.
    """

    label: str = ""
    subclass: str = ""
    reason: str = ""


@cache
def table() -> dict[str, dict[str, Meaning]]:
    """Meaning by name, by taxonomy, as in the file."""
    read: dict[str, dict[str, Meaning]] = {}
    with files("data_prep.catalogues").joinpath("taxonomies.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            read.setdefault(row["taxonomy"], {})[row["name"]] = Meaning(row["class"], row["subclass"], row["reason"])
    return read


@cache
def _index(taxonomy: str) -> dict[str, Meaning]:
    return {key(taxonomy, name): meaning for name, meaning in table()[taxonomy].items() if ANY not in name}


def key(taxonomy: str, name: str) -> str:
    """What counts of a name: neither case nor blanks; but MILLIQUAS writes its candidates in lower case."""
    return name if taxonomy == "MILLIQUAS" else "".join(name.replace("_", " ").split()).casefold()


def meaning(taxonomy: str, name: str) -> Meaning | None:
    """What a name of a taxonomy means; None where the table does not have it.

    Of MILLIQUAS the first letter counts. Names of VSX and GCVS may be made of several, by their grammar: | is or, + is
    and, a colon is doubt of what it follows, and what follows a slash tells the form.
    """
    for prefix, owner in PREFIXES.items():
        if taxonomy == "Fink" and name.startswith(prefix):
            return meaning(owner, name.removeprefix(prefix).strip())
    if taxonomy == "MILLIQUAS":
        name = name[:1]
    found = _looked_up(taxonomy, name)
    if found is None and taxonomy in WITH_GRAMMAR:
        found = _parsed(taxonomy, name)
    return found


def _looked_up(taxonomy: str, name: str) -> Meaning | None:
    chain = [taxonomy, *([ALSO[taxonomy]] if taxonomy in ALSO else [])]
    for owner in chain:
        if (found := _index(owner).get(key(owner, name))) is not None:
            return found
    for owner in chain:
        for pattern, found in table()[owner].items():
            if ANY in pattern and _is_like(key(owner, name), key(owner, pattern)):
                return found
    return None


def _is_like(name: str, pattern: str) -> bool:
    fixed = pattern.strip(ANY)
    return name.endswith(fixed) if pattern.startswith(ANY) else name.startswith(fixed)


def _parsed(taxonomy: str, name: str) -> Meaning | None:
    for mark, join in (("|", _alternatives), ("+", _both)):
        parts = [meaning(taxonomy, part) for part in name.split(mark)] if mark in name else [None]
        if None not in parts:
            return join(parts)
    if name.endswith(":"):
        certain = meaning(taxonomy, name.rstrip(":"))
        return certain and Meaning(reason="uncertain, by its colon")
    kind, _, form = name.partition("/")
    return meaning(taxonomy, kind) if form else None


def _alternatives(parts: list[Meaning]) -> Meaning:
    labels, subclasses = {part.label for part in parts}, {part.subclass for part in parts}
    if len(labels) > 1 or "" in labels:
        return Meaning(reason="one of several")
    return Meaning(labels.pop(), subclasses.pop() if len(subclasses) == 1 else "")


def _both(parts: list[Meaning]) -> Meaning:
    """That an orbit is seen edge-on says less of what varies than the rest: UGSU+E is cataclysmic."""
    labels = {part.label for part in parts if part.label}
    if len(labels) != 1:
        return Meaning(reason="several at once")
    subclasses = {part.subclass for part in parts if part.subclass}
    subclasses -= {ECLIPSING} if len(subclasses) > 1 else set()
    return Meaning(labels.pop(), subclasses.pop() if len(subclasses) == 1 else "")


def decide(meanings: Iterable[Meaning]) -> tuple[Meaning, str]:
    """The class that several names of one object agree on.

    Returns:
        Its label and subclass, "" where they say nothing or contradict each other; and what they contradict each other
        in: "class", "subclass" or "".
    """
    told = [meaning for meaning in meanings if meaning.label]
    labels = {meaning.label for meaning in told}
    if len(labels) != 1:
        return Meaning(), "class" if labels else ""
    label = labels.pop()
    if label == OTHER:
        return Meaning(), ""
    subclasses = {meaning.subclass for meaning in told if meaning.subclass}
    if len(subclasses) > 1:
        return Meaning(label), "subclass"
    return Meaning(label, "".join(subclasses)), ""
