"""A model of packets learns from what they tell of the past, and from nothing else where nothing else tells."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import COLUMN, sequences, with_histories
from helpers.made_training import StopAfter, assert_equal_trees
from jtss import dataset
from jtss.config import named
from jtss.config.settings import override
from jtss.dataset import DataError, Writer
from jtss.inference import predict
from jtss.schema import ALERT, DETECTION, LIMIT, join
from jtss.training import batches, trained, trainer
from jtss.training.trainer import NeverStop

TINY = override(
    named.get("any_gru"),
    ["stamp.channels=", "hide.stamps=0", "packet.rows=8", "temporal.units=12", "head.units=16", "head.dropout=0",
     "classes=AGN,SN", "subclasses=", "training.iterations=320", "training.validate_every=40",
     "training.learning_rate=1e-2", "training.metadata_noise=0"],
)  # fmt: skip
SPLIT = np.repeat([0, 1, 2], [320, 80, 80])
N = len(SPLIT)


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    """One alert each, of noise; the detections of its month are bright or faint by its class."""
    label = np.arange(N) % 2
    made = with_histories(sequences([1] * N, label=label, split=SPLIT), most=5)
    metadata = made.metadata.copy()
    of_object = np.repeat(label, made.n_rows)
    told = (made.kind != ALERT) & (made.kind != LIMIT)
    metadata[told, COLUMN["magpsf"]] += 4 * of_object[told]
    path = tmp_path_factory.mktemp("packets") / "made.h5"
    with Writer(path, survey="made", command="a test") as writer:
        writer.append(replace(made, metadata=metadata))
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


def train(training, stop=None):
    return trainer.train(training, stop or NeverStop(), warn=pytest.fail)


def start(data_file, out):
    return trainer.start(TINY, data_file, out, command="a test", say=pytest.fail)


@pytest.fixture(scope="module")
def whole(data_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    (state,) = train(start(data_file, out))
    return out, state


@pytest.mark.slow
def test_the_past_tells_the_class_and_without_it_nothing_does(whole, data_file):
    model = trained.load(whole[0])
    made = join(list(dataset.read(data_file)))
    test = made.split == 2
    of_object = np.split(made.kind, made.object_start[1:-1])
    told = np.array([DETECTION in kinds[: np.flatnonzero(kinds == ALERT)[0]] for kinds in of_object])
    _, probabilities = predict.predict(model, made)
    correct = probabilities.argmax(axis=1) == made.label
    assert correct[test & told].mean() > 0.85
    assert 0.25 < correct[test & ~told].mean() < 0.75


@pytest.mark.slow
def test_a_training_that_is_stopped_and_resumed_ends_in_the_same_bits(whole, data_file, tmp_path):
    train(start(data_file, tmp_path / "run"), StopAfter(1))
    (state,) = train(trainer.resume(tmp_path / "run", say=pytest.fail, warn=pytest.fail))
    assert_equal_trees(state, whole[1])


def test_packets_do_not_stay_in_the_file(data_file):
    with pytest.raises(DataError, match="packets do not fit in memory, or are to stay in the file"):
        batches.prepare(data_file, TINY, stream=True, say=pytest.fail)


def test_every_alert_counts(data_file):
    assert dataset.count_alerts(data_file, TINY, "train") == 320
    assert dataset.count_alerts(data_file, override(TINY, ["classes=AGN,VS"]), "train") == 160
