"""The table of bogus from results that are known."""

from helpers.made_experiments import DATA_HASH, made_result, rows_of
from jtss.paper import grids
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured


def test_bogus_counts_the_screened_by_class():
    experiment = EXPERIMENTS["bogus"]
    choice = choose("bogus", experiment.extent, seeds=2)
    (setup,) = experiment.grid(choice)

    def screened(rejected):
        first = {"objects": 30, "screened": 20, "first_called_bogus": 18, "second_called_bogus": 16}
        return {"AGN": first | {"first_called_bogus": 1, "second_called_bogus": 0, "rejected": 0}} | {
            "bogus": first | {"rejected": rejected}
        }

    known = {
        trial.id: made_result(trial, screened=screened(14 + trial.seed), n_objects=100)
        for trial in grids.trials(setup, DATA_HASH)
    }
    assert rows_of(experiment.document([setup], Measured(known, DATA_HASH), choice)) == [
        ("bogus", "first detection", "253", "86", "20", "90.0 ± 0.0"),
        ("bogus", "second detection", "253", "84", "20", "80.0 ± 0.0"),
        ("bogus", "both (rejected)", "–", "–", "20", "72.5 ± 3.5"),
        ("AGN", "first detection", "–", "–", "20", "5.0 ± 0.0"),
        ("AGN", "second detection", "–", "–", "20", "0.0 ± 0.0"),
        ("AGN", "both (rejected)", "–", "–", "20", "0.0 ± 0.0"),
    ]
    nothing = rows_of(experiment.document([setup], Measured({}, DATA_HASH), choice))
    assert {row[5] for row in nothing} == {"missing"}
