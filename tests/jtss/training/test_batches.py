"""Training batches: from the memory or from the file, as their rows say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences, with_histories
from helpers.made_training import NO_IMAGES, TINY, TRAIN, VALIDATION, assert_equal_trees, chunks_of, source_of
from jtss.config import named
from jtss.config.settings import override
from jtss.dataset import Writer
from jtss.network import inputs
from jtss.training import batches, step


def test_a_batch_is_what_its_rows_say():
    """The source orders the objects by class; labels, subclasses and stamps stay together."""
    train = TRAIN._replace(subclass=np.arange(90, dtype=np.int32) % 7 - 1)
    ordered = train.take(np.argsort(TRAIN.label, kind="stable"))
    rows = jnp.array([[[5, 40, 89]]])
    found = source_of(TINY, train).take(rows)
    np.testing.assert_array_equal(found.subclass[0, 0], ordered.subclass[[5, 40, 89]])
    np.testing.assert_array_equal(found.label[0, 0], [0, 1, 2])
    np.testing.assert_array_equal(found.batch.stamps[0, 0], ordered.stamps[[5, 40, 89]])


def test_validation_keeps_subclasses_with_their_objects():
    validation = VALIDATION._replace(subclass=np.arange(40, dtype=np.int32))
    examples = chunks_of(TINY, validation, size=16).examples
    np.testing.assert_array_equal(examples.subclass.ravel()[:40], np.arange(40))


SHOWN = override(named.get("any_gru"), ["packet.stamps=4", "training.young=0.3", "training.lone=0.2"])


def test_what_is_drawn_for_training_alerts_stays():
    """Another order of draws would make another training of the same seed."""
    watched, shown = batches.drawn(SHOWN, 8, 2)
    inf = np.inf
    assert watched.days.tolist() == [30, inf, 0, 30, inf, 23.293960813163665, 13.636424021102433, 30]
    assert np.flatnonzero(watched.lone).tolist() == [0, 7]
    assert shown.tolist() == [[0, 1], [0, 1], [2, 2], [2, 2], [0, 3], [0, 0], [0, 0], [3, 3]]


def test_the_same_is_drawn_for_the_same_alerts_and_other_for_the_next():
    first, again, following = (batches.drawn(SHOWN, 50, n_before) for n_before in (0, 0, 50))
    assert_equal_trees(first, again)
    assert not np.array_equal(first[0].days, following[0].days)
    assert not np.array_equal(first[1], following[1])


def test_prepared_data_of_other_subclasses_are_others():
    whole = named.get("any_gru")
    assert batches.view(whole) != batches.view(override(whole, ["subclasses=blazar"]))


@pytest.fixture
def data_file(tmp_path):
    counts = (3, 4, 5, 3, 3, 4, 3, 3, 5, 3, 4, 3)
    made = sequences(counts, label=np.arange(12) % 3, split=[0] * 9 + [1] * 3)
    with Writer(tmp_path / "made.h5", survey="test", command="test") as writer:
        writer.append(with_histories(made))
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return tmp_path / "made.h5"


@pytest.mark.parametrize("config", [TINY, NO_IMAGES, override(TINY, ["training.class_balance=counts"])])
def test_a_training_set_read_batch_by_batch_gives_the_same_bits(data_file, config):
    """In every batch of a whole training; the loop is given nothing else, and is the same for the same batches."""
    whole, lean = batches.load(data_file, config=config), batches.load(data_file, config=config, train_stamps=False)
    assert lean["train"].stamps.size == 0
    statistics = inputs.fit(whole["train"].dynamic, whole["train"].static, config.metadata)
    resident = batches.Resident(whole["train"], statistics, config)
    streamed = batches.Streamed([data_file], lean["train"], statistics, config)
    assert_equal_trees(streamed.strata, resident.strata)
    rows = step.draw(config, resident.strata, np.uint32([0, 1]), 0, config.training.iterations)
    assert set(np.unique(rows)) == set(range(9))  # every object is drawn
    taken, expected = streamed.take(rows), resident.take(rows)
    assert [leaf.dtype for leaf in jax.tree.leaves(taken)] == [leaf.dtype for leaf in jax.tree.leaves(expected)]
    assert_equal_trees(taken, expected)
