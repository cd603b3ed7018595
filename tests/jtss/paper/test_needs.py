"""A data set that lacks what an experiment reads is refused; the error names what is there and what was expected."""

import numpy as np
import pytest

from helpers.made_runs import write_data
from jtss.dataset import DataError
from jtss.paper import needs
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose

COUNTS = 18 * [5] + 9 * [2]
LABEL = [i % 3 for i in range(27)]
SPLIT = [i // 3 % 3 for i in range(27)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("needs")
    five = {"label": [i % 5 for i in range(45)], "split": [i // 5 % 3 for i in range(45)]}
    write_data(folder / "whole.h5", COUNTS, label=LABEL, split=SPLIT, magnitude=12)
    write_data(folder / "short.h5", [2] * 27, label=LABEL, split=SPLIT, magnitude=12)
    write_data(folder / "no_sn.h5", COUNTS, label=[2 * (i % 2) for i in range(27)], split=SPLIT, magnitude=12)
    write_data(folder / "blind.h5", COUNTS, label=LABEL, split=SPLIT, magnitude=np.nan)
    write_data(folder / "five.h5", [1] * 45, **five)
    write_data(folder / "twice.h5", [2] * 45, **five)
    apart = {"label": [*five["label"], 4], "split": [*five["split"], -1]}
    write_data(folder / "apart.h5", [1] * 45 + [2], **apart)
    return folder


def check(path, name):
    experiment = EXPERIMENTS[name]
    needs.check(path, experiment.grid(choose(name, experiment.extent)), screens=experiment.screens)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("table7", "short.h5", "3 or more detections: AGN 0, SN 0, VS 0; .* some of each class .the longest .* has 2"),
        ("table8", "no_sn.h5", "SN 0, VS"),
        ("table7", "blind.h5", "no object has AllWISE magnitudes, expected some: 2 alerts, with AllWISE reads W1-W2"),
        ("table2", "whole.h5", "1 or more detections: AGN 3, SN 3, VS 3, asteroid 0, bogus 0; expected some of each"),
        (
            "bogus",
            "five.h5",
            "of 3 objects of class bogus that are in the test split or in none, none has 2 detections, .* expected",
        ),
    ],
)
def test_what_is_lacking_is_named(folder, name, file, message):
    with pytest.raises(DataError, match=rf"{file}: .*{message}"):
        check(folder / file, name)


@pytest.mark.parametrize(("name", "file"), [("table7", "whole.h5"), ("bogus", "twice.h5"), ("bogus", "apart.h5")])
def test_what_has_everything_passes(folder, name, file):
    check(folder / file, name)
