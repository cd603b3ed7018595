"""Run directories of untrained models for tests, and the script that evaluates them run in this process."""

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from data_prep import ingest
from data_prep.ledger import Ledger
from helpers.made_sequences import sequences, with_histories
from helpers.places import ROOT
from jtss import dataset
from jtss.commands.main import main
from jtss.config import named, settings
from jtss.dataset import Writer
from jtss.network import inputs, packets
from jtss.reports import evaluation, figures, stamps  # noqa: F401 - stamps, which draws, before `png` is replaced
from jtss.runs import directory
from jtss.training.step import init_state

SCRIPT = ROOT / "evaluate.py"
SMALL = ["encoder.filters=2,2,2,2,2", "encoder.units=4", "stamp.copies=1"]
TINY = settings.override(named.get("demo"), SMALL)
FIRST = settings.override(named.get("n1_baseline"), SMALL)
COUNTS = [3] * 24 + [2, 5]
SPLIT = [2] * 12 + [0] * 12 + [2, 2]
LABEL = [i % 3 for i in range(24)] + [0, -1]


def write_data(path, counts=COUNTS, *, magnitude=None, **changes):
    """A data set of `sequences`, with histories; with a magnitude its objects have it in the four bands of AllWISE."""
    made = with_histories(sequences(counts, **{"label": LABEL, "split": SPLIT} | changes))
    if magnitude is not None:
        made = replace(made, allwise=np.full((len(counts), 4), magnitude, np.float32))
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(made)
        return writer.finish(split=made.split, ledger=Ledger().as_dict())


def make_run(path, config, data_path, *, favoured=None, certainty=1.0):
    """A run directory of a model with random weights that claims to be trained on a file; always says `favoured`.

    Its logits are so large that it is always certain; `certainty` is a factor to them.
    """
    values = packets.to_train(sequences(COUNTS, label=LABEL), config)
    provenance = {
        "command": "python train.py",
        "data": str(data_path),
        "data_hash": str(dataset.attributes(data_path)["content_hash"]),
        "training_data": dataset.describe(data_path, config),
        "started": "2026-01-02T03:04:05+0000",
        "versions": {"jtss": "0.1.0"},
        "device": "none",
    }
    statistics = inputs.fit(values.dynamic, values.static, config.metadata)
    run = directory.create(path, config, statistics, provenance)
    figures = {"train_loss": 1.0, "validation_loss": 0.9, "validation_accuracy": 0.4}
    run.append_metrics({"step": 5, **figures, "seconds": 60.0})
    rng = np.random.default_rng(config.training.seed)
    state = jax.tree.map(
        lambda leaf: np.abs(0.1 * rng.normal(size=leaf.shape)).astype(leaf.dtype),
        jax.eval_shape(partial(init_state, config)),
    )
    state.best.variables["params"]["head"]["logits"]["kernel"] *= np.float32(certainty)
    if favoured is not None:  # by a bias so large that nothing else counts
        state.best.variables["params"]["head"]["logits"]["bias"][config.classes.index(favoured)] = 1e6
    best = state.best._replace(step=np.int32(5), loss=np.float32(0.9))
    state = state._replace(step=np.int32(config.training.iterations), best=best)
    run.states().save(jax.tree.map(jnp.asarray, state))


def table_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def caller(folder, monkeypatch, capsys):
    """A function that runs the script on a run directory in `folder`; returns exit status, stdout and stderr.

    The figures of its reports are not drawn, which takes longer than all else; tests/jtss/reports draws them.
    """
    monkeypatch.setattr(ingest, "available_cores", lambda: 1)
    monkeypatch.setattr(evaluation, "N_ERRORS_SHOWN", 1)  # to draw one takes a while
    monkeypatch.setattr(figures, "png", lambda figure: b"not drawn")

    def call(*arguments, ckpt="run"):
        words = ["--ckpt", str(folder / ckpt), *map(str, arguments)]
        try:
            status = main(words, verb="script", prog="evaluate.py")
        except SystemExit as leaving:
            status = leaving.code
        return status, *capsys.readouterr()

    return call


def untrained(folder: Path) -> Path:
    """`folder` with a data set and the run directory of an untrained model."""
    write_data(folder / "made.h5")
    make_run(folder / "run", TINY, folder / "made.h5")
    return folder
