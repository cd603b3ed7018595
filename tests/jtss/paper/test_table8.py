"""Table 8 from results that are known."""

from helpers.made_experiments import DATA_HASH, made_result
from jtss.paper import grids, layout
from jtss.paper.experiments import EXPERIMENTS
from jtss.paper.grids import choose
from jtss.paper.results import Measured


def made(name, accuracy_of, **narrowed):
    """The document of an experiment with the accuracies `accuracy_of(setup, seed)`; None: not measured."""
    experiment = EXPERIMENTS[name]
    choice = choose(name, experiment.extent, **narrowed)
    setups = experiment.grid(choice)
    known = {}
    for setup in setups:
        for trial in grids.trials(setup._replace(seeds=20), DATA_HASH):
            accuracy = accuracy_of(setup, trial.seed)
            if accuracy is not None:
                known[trial.id] = made_result(trial, accuracy, 100)
    return experiment.document(setups, Measured(known, DATA_HASH), choice)


def rows_of(document, i=0):
    table = document.tables[i]
    kinds = [column.kind for column in table.columns]
    return [tuple(map(layout.shown, row, kinds)) for row in table.rows]


def test_table_8_has_mean_confusion_matrices():
    document = made("table8", lambda setup, seed: 0.9 if seed else 0.8, n=[5], seeds=2)
    assert rows_of(document)[0][:5] == ("5", "lstm", "1L 128U", "98.43 ± 0.3", "85.00 ± 7.07 (78.5–91.0)")
    assert rows_of(document, 1)[0] == ("AGN", "28.5 ± 2.1 (83.8 %)", "5.5 ± 2.1 (16.2 %)", "0.0 ± 0.0 (0.0 %)")
