"""Table 6 from results that are known."""

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


def test_table_6_chooses_by_validation_and_tests_against_the_lstm():
    def accuracy(setup, seed):
        temporal = setup.config.temporal
        if temporal.kind == "lstm":
            return 0.90 + (temporal.units == 64) * (temporal.layers == 2) * 0.02 + seed / 100
        return 0.95 + (temporal.taps == 3) * 0.02 + seed / 100

    document = made("table6", accuracy, n=[3], models=["lstm", "gamma"], seeds=2)
    lstm, gamma = rows_of(document)
    assert lstm[:7] == ("3", "lstm", "1L 64U", "92.0 ± 0.3", "reference", "29.63", "2L 64U")
    assert lstm[8:] == ("reference", "reference", "reference", "2", "12 of 12")
    assert gamma[:7] == ("3", "gamma", "k = 7", "91.4 ± 0.5", "0.06", "7.84", "k = 3")
    assert gamma[8].startswith("+5.00 (")
    assert gamma[9:] == ("0.33", "0.33", "2", "8 of 8")


def test_table_6_says_how_many_sizes_are_tried_and_leaves_out_what_is_not_complete():
    def accuracy(setup, seed):
        return None if seed and setup.config.temporal.kernel == 3 else 0.9 + setup.config.temporal.kernel / 100

    (row,) = rows_of(made("table6", accuracy, n=[3], models=["conv1d"], seeds=2))
    assert row[6] == "Ke = 2"
    assert row[-1] == "1 of 2"
    assert row[8:11] == ("missing", "missing", "missing")  # no LSTM to compare with
