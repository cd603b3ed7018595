"""Figure 6 from results that are known."""

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


def test_figure_6_marks_the_best_of_each_model():
    document = made("figure6", lambda s, seed: 0.9 + s.config.temporal.kernel / 100, n=[4], models=["conv1d"], seeds=2)
    assert [row[2::3] for row in rows_of(document)] == [("Ke = 2", "–"), ("Ke = 3", "–"), ("Ke = 4", "best")]
    assert [picture.name for picture in document.pictures] == ["figure6-n4"]
    assert made("figure6", lambda s, seed: None, n=[4], models=["tdnn"], seeds=2).pictures == []
