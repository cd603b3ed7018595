"""A mixture of files: batches, statistics and validation are as its weights say, wherever they are read from."""

import json
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences
from helpers.made_training import NO_IMAGES, TINY, StopAfter, assert_equal_trees
from jtss import schema
from jtss.config.settings import override
from jtss.dataset import DataError, Writer
from jtss.errors import InputError
from jtss.inference.model import refuse_own_sky
from jtss.runs import directory
from jtss.training import audit, batches, loop, mixture, step, strata, trained, trainer
from jtss.training.mixture import Mixture
from jtss.training.trainer import NeverStop

SHORT = ["training.iterations=6", "training.validate_every=2", "training.patience=0"]
CONFIG = override(NO_IMAGES, SHORT)
WEIGHTS = (3.0, 1.0)


def written(path, n, n_classes, *, seed, prefix, survey="test", command="test", shift=0.0):
    """Of n objects of the first so many classes; two in three are for training, the others for validation."""
    made = sequences([3] * n, seed=seed, prefix=prefix, label=np.arange(n) % n_classes,
                     split=(np.arange(n) // n_classes % 3 == 2).astype(np.int8))  # fmt: skip
    made = replace(made, metadata=made.metadata + np.float32(shift))
    with Writer(path, survey=survey, command=command) as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Few objects of two classes, and more of three."""
    folder = tmp_path_factory.mktemp("mixture")
    return (
        written(folder / "real.h5", 12, 2, seed=1, prefix="ZTF", shift=1.0),
        written(folder / "sky.h5", 36, 3, seed=2, prefix="SIM", survey="ZTF (simulated)", command="sky"),
    )


@pytest.fixture(scope="module")
def mixed(files):
    return mixture.of(files, WEIGHTS)


def prepared(mixed, config=CONFIG, *, stream=False):
    return batches.prepare(mixed, config, stream=stream, say=lambda line: None)


def start(mixed, out, config=CONFIG, **given):
    return trainer.start(config, mixed, out, command="a test", say=pytest.fail, **given)


def train(training, stop=None):
    return trainer.train(training, stop or NeverStop(), warn=pytest.fail)


def test_weights_are_proportions(files):
    assert mixture.of(files, [3, 1]) == Mixture(files, (0.75, 0.25))
    assert mixture.of(files[:1]) == mixture.single(files[0])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (None, r"--weights: 0 weights of 2 data files \(.*real.h5, .*sky.h5\), expected one for each, as 1,1"),
        ([1], "--weights 1: 1 weights of 2 data files"),
        ([1, 0], "--weights 1,0: expected positive numbers"),
        ([1, float("nan")], "--weights 1,nan: expected positive numbers"),
    ],
)
def test_every_file_has_a_weight(files, weights, message):
    with pytest.raises(InputError, match=message):
        mixture.of(files, weights)


def test_a_class_is_drawn_from_the_files_that_have_it_in_proportion_to_their_weights():
    """Counted in a large batch: classes alike, and the third, which one file lacks, from the other."""
    label, file = np.array([0, 0, 0, 1, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    config = override(TINY, ["training.batch_size=60000"])
    origin = mixture.Origin(file, (0.75, 0.25))
    order, groups = strata.of(label, np.ones((9, 2), np.float32), config, origin)
    rows = order[np.asarray(step.draw(config, groups, np.uint32([0]), 0, 1))[0, 0]]
    found = np.bincount(rows, minlength=9) / 60000
    third = np.array([0.25, 0.25, 0.25, 0.75, 0.25, 0.125, 0.125, 0.5, 0.5]) / 3
    np.testing.assert_allclose(found, third, atol=0.006)


def test_natural_batches_are_of_the_files_as_they_are():
    label, file = np.array([0, 0, 0, 1, 0, 1, 1, 2, 2, 2]), np.repeat([0, 1], [4, 6])
    config = override(TINY, ["training.batch_size=60000", "training.class_balance=natural"])
    origin = mixture.Origin(file, (0.5, 0.5))
    order, groups = strata.of(label, np.ones((10, 2), np.float32), config, origin)
    rows = order[np.asarray(step.draw(config, groups, np.uint32([0]), 0, 1))[0, 0]]
    np.testing.assert_allclose(np.bincount(rows) / 60000, np.repeat([1 / 8, 1 / 12], [4, 6]), atol=0.005)


def test_balanced_at_counts_a_bin_is_as_frequent_as_its_objects_weigh():
    rng = np.random.default_rng(0)
    label, file = rng.integers(0, 3, 600), np.repeat([0, 1], [200, 400])
    counts = rng.choice([1.0, 7, 50], (600, 2)).astype(np.float32)
    config = override(TINY, ["training.class_balance=counts"])
    weights = np.array([0.9, 0.1])
    groups = strata.of(label, counts, config, mixture.Origin(file, (0.9, 0.1)))[1]
    share = groups.share.reshape(2, 3, strata.N_BINS)
    expected = np.zeros_like(share, np.float64)
    for f, which, at in zip(file, label, strata.bin_of(counts), strict=True):
        expected[f, which, at] += weights[f] / np.sum((file == f) & (label == which)) / 3
    np.testing.assert_allclose(share.sum(axis=(0, 1)), expected.sum(axis=(0, 1)), rtol=1e-5)  # of bins
    there = expected.sum(axis=0) > 0
    ratio = share.sum(axis=0)[there] / np.broadcast_to(share.sum(axis=(0, 1)) / 3, there.shape)[there]
    np.testing.assert_allclose(ratio, 1, rtol=1e-5)  # in each of them the classes alike
    of_file = share[0][there] / share.sum(axis=0)[there]
    np.testing.assert_allclose(of_file, expected[0][there] / expected.sum(axis=0)[there], rtol=1e-5)


@pytest.mark.parametrize("config", [override(TINY, SHORT), CONFIG], ids=["stamps", "metadata"])
def test_a_mixture_read_batch_by_batch_gives_the_same_bits(mixed, config):
    whole, streamed = prepared(mixed, config), prepared(mixed, config, stream=True)
    assert_equal_trees(streamed.source.strata, whole.source.strata)
    assert streamed.statistics == whole.statistics
    rows = step.draw(config, whole.source.strata, np.uint32([0, 1]), 0, 12)
    assert set(np.unique(rows)) == set(range(whole.n_train))  # objects of both files
    assert_equal_trees(streamed.source.take(rows), whole.source.take(rows))


def test_statistics_are_those_of_a_file_in_which_objects_are_repeated_as_they_weigh(mixed, files):
    """8 objects of weight 3/4 and 24 of 1/4: nine of the first for one of the second."""
    alone = [batches.load(path, config=override(CONFIG, [f"classes={names}"]))["train"]
             for path, names in zip(files, ("AGN,SN", "AGN,SN,VS"), strict=True)]  # fmt: skip
    assert [len(part.label) for part in alone] == [8, 24]
    static = np.concatenate([*[alone[0].static] * 9, alone[1].static]).astype(np.float64)
    found = prepared(mixed).statistics.static
    assert set(schema.COLOUR_NAMES) < set(found.names)  # which no object has
    for i, name in enumerate(found.names):
        values = static[:, i][~np.isnan(static[:, i])]
        if values.size:
            values = np.clip(values, found.lower[i], found.upper[i])
            assert found.mean[i] == pytest.approx(values.mean(), abs=1e-6), name
            assert found.std[i] == pytest.approx(values.std() or 1.0, abs=1e-6), name


def test_the_validation_is_of_each_file_as_it_weighs(mixed, files):
    """Against the same weights applied to what each file alone comes to."""
    both = prepared(mixed)
    states = step.join([step.init_state(CONFIG)])

    def sums(chunks):
        parts = [jax.tree.map(lambda leaf, i=i: leaf[i], chunks) for i in range(len(chunks.weight))]
        return sum(np.asarray(loop.validate(CONFIG, states, part))[0] for part in parts)

    validation = batches.load(*files, config=CONFIG)["validation"]
    origin = mixture.origin(validation.index, mixed, mixture.n_objects(mixed))
    assert np.bincount(origin.file).tolist() == [4, 12]
    means = []
    for file in (0, 1):
        part = validation.take(np.flatnonzero(origin.file == file))
        total = sums(batches.validation_chunks(part, both.statistics, 16))
        means.append(total[:2] / total[2])
    found = sums(both.chunks)
    np.testing.assert_allclose(found[:2] / found[2], 0.75 * means[0] + 0.25 * means[1], rtol=1e-5)


@pytest.mark.parametrize("stream", [False, True])
def test_a_training_on_a_mixture_that_is_stopped_and_resumed_ends_in_the_same_bits(mixed, tmp_path, stream):
    (whole,) = train(start(mixed, tmp_path / "whole"))
    halved = trainer.start(CONFIG, mixed, tmp_path / "run", command="a test", say=lambda line: None, stream=stream)
    train(halved, StopAfter(1))
    resumed = trainer.resume(tmp_path / "run", say=lambda line: None, warn=pytest.fail, stream=stream)
    assert resumed.prepared.data.weights == mixed.weights
    assert_equal_trees(train(resumed)[0], whole)


def test_a_run_tells_of_all_its_files_and_knows_them_again(mixed, files, tmp_path):
    train(start(mixed, tmp_path / "run"))
    record = directory.open_run(tmp_path / "run").provenance
    assert record["data"] == str(files[0])
    assert [(one["data"], one["weight"]) for one in record["mixture"]] == [(str(files[0]), 0.75), (str(files[1]), 0.25)]
    assert [one["training_data"]["objects"]["train"]["VS"] for one in record["mixture"]] == [0, 8]
    (verdict,) = audit.check(tmp_path / "run")
    assert not verdict.leak, verdict.text
    moved = [shutil.copy(path, tmp_path / path.name) for path in files]
    again = trainer.resume(tmp_path / "run", say=pytest.fail, warn=pytest.fail, data=moved)
    assert again.prepared.data.paths == tuple(moved)
    with pytest.raises(InputError, match=r"sky.h5: content hash .*, but .*run was trained on"):
        trainer.resume(tmp_path / "run", say=pytest.fail, warn=pytest.fail, data=moved[::-1])
    with pytest.raises(InputError, match=r"--data: 1 files, but .*run was trained on 2, expected all"):
        trainer.resume(tmp_path / "run", say=pytest.fail, warn=pytest.fail, data=moved[:1])
    with pytest.raises(FileExistsError, match=r"data hash: asked for 0\.5 .*, there 0\.75"):
        start(mixture.of(files, [1, 1]), tmp_path / "run")


def test_statistics_of_other_weights_are_found(mixed, tmp_path):
    train(start(mixed, tmp_path / "run"))
    path = tmp_path / "run" / "provenance.json"
    record = json.loads(path.read_text())
    for one, weight in zip(record["mixture"], (0.5, 0.5), strict=True):
        one["weight"] = weight
    path.write_text(json.dumps(record))
    (verdict,) = audit.check(tmp_path / "run")
    assert verdict.leak


def test_the_other_files_of_a_mixture_are_no_test_either(files, tmp_path):
    command = "jtss data simulate --objects {} --seed 4"
    sky = written(tmp_path / "sky4.h5", 36, 3, seed=4, prefix="SIM", command=command.format(36))
    train(start(mixture.of([files[0], sky], [1, 1]), tmp_path / "run"))
    model = trained.load(tmp_path / "run")
    with pytest.raises(InputError, match="simulated with the seed 4, as the training data of"):
        refuse_own_sky(model, tmp_path / "larger.h5", command.format(100))


def test_files_that_contradict_each_other_are_refused(files, tmp_path):
    for message, other in (
        (r"copy.h5: the same content as .*real.h5", shutil.copy(files[0], tmp_path / "copy.h5")),
        (r"split.h5: 2 objects that it keeps for validation and test, such as ZTF8, are for training in .*real.h5",
         written(tmp_path / "split.h5", 12, 4, seed=7, prefix="ZTF")),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            start(mixture.of([files[0], other], [1, 1]), tmp_path / "run")
    skies = [written(tmp_path / f"{n}.h5", n, 3, seed=n, prefix="SIM", command=f"simulate --objects {n} --seed 5")
             for n in (18, 36)]  # fmt: skip
    with pytest.raises(InputError, match=r"36.h5: simulated with the seed 5, as .*18.h5: they share objects"):
        start(mixture.of(skies, [1, 1]), tmp_path / "run")
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no data")
    with pytest.raises(DataError, match=r"broken.h5: "):
        start(mixture.of([files[0], broken], [1, 1]), tmp_path / "run")
    with pytest.raises(DataError, match=r"real.h5: no train object of class VS with 3 detections"):
        start(mixture.single(files[0]), tmp_path / "run")
    assert not (tmp_path / "run").exists()
