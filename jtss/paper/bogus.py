"""TSC §IV-B: bogus that is detected twice, as the enhanced first-alert network sees it."""

from collections.abc import Sequence

import numpy as np

from jtss.config import tsc
from jtss.inference.screening import BOGUS
from jtss.paper.grids import Choice, Setup
from jtss.paper.layout import Column, Document, Table
from jtss.paper.results import Measured, Result

COLUMNS = (
    Column("true class"),
    Column("called bogus by"),
    Column("paper: of objects"),
    Column("paper: called bogus [%]"),
    Column("here: of objects"),
    Column("here: called bogus [%]"),
)
ASKED = {
    "first detection": ("first_called_bogus", tsc.BOGUS_FIRST),
    "second detection": ("second_called_bogus", tsc.BOGUS_SECOND),
    "both (rejected)": ("rejected", None),
}
NOTE = (
    "Objects of the test split, and the bogus that is in no split, with two detections or more, ± standard deviation"
    " over seeds. The network was trained on first detections only. Of classes other than bogus, what is rejected is"
    " lost; the paper does not count them."
)


def document(setups: Sequence[Setup], measured: Measured, choice: Choice) -> Document:
    """How much of each class is called bogus by its first detection, its second, and both."""
    results = measured.of(setups[0])
    classes = results[0].screened if results else {BOGUS: None}
    ordered = sorted(classes, key=lambda name: name != BOGUS)
    rows = [_row(results, name, asked) for name in ordered for asked in ASKED]
    title = "TSC §IV-B: bogus with more than one detection"
    return Document("bogus", title, [Table("bogus", "Results", COLUMNS, rows)], [], [NOTE])


def _row(results: Sequence[Result], name: str, asked: str) -> tuple:
    key, paper = ASKED[asked]
    of_paper = (str(tsc.BOGUS_OBJECTS), paper) if name == BOGUS and paper else (None, None)
    if not results:
        return name, asked, *of_paper, "missing", "missing"
    n = results[0].screened[name]["screened"]
    shares = 100 * np.array([result.screened[name][key] for result in results]) / max(n, 1)
    sd = f" ± {shares.std(ddof=1):.1f}" if len(shares) > 1 else ""
    return name, asked, *of_paper, str(n), f"{shares.mean():.1f}{sd}" if n else None
