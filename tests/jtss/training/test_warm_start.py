"""A training begins with the weights of a model: with those that fit, as they are, and it says so."""

import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_sequences import sequences
from helpers.made_training import NO_IMAGES, StopAfter, assert_equal_trees, leaves
from jtss.config import named, settings
from jtss.config.settings import override
from jtss.dataset import Writer
from jtss.errors import InputError
from jtss.inference.model import Member, Model, Outcome, content_hash
from jtss.network import network
from jtss.schema import take
from jtss.training import audit, seeds, step, trained, trainer, warm_start
from jtss.training.trainer import NeverStop

SHORT = ["training.iterations=6", "training.validate_every=2", "training.patience=0", "training.learning_rate=0.01"]
CONFIG = override(NO_IMAGES, SHORT)
FINE = override(CONFIG, ["training.seed=5"])
FROZEN = ("dynamic_norm", "temporal")
PARTLY = override(FINE, [*(f"training.rate_of.{name}=0" for name in FROZEN), "training.rate_of.static_norm=0.1"])


def start(config, data, out, **given):
    return trainer.start(config, data, out, command="a test", say=given.pop("say", pytest.fail), **given)


def train(training, stop=None):
    return trainer.train(training, stop or NeverStop(), warn=pytest.fail)


@pytest.fixture(scope="module")
def model(data_file, tmp_path_factory):
    """Two trainings on the data file."""
    out = tmp_path_factory.mktemp("warm") / "first"
    train(start(CONFIG, data_file, out, n_seeds=2))
    return trained.load(out)


def written(path, made, survey="test", command="test"):
    with Writer(path, survey=survey, command=command) as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


@pytest.fixture(scope="module")
def other_file(tmp_path_factory):
    """As the data file, but of other objects with other metadata."""
    n = 36
    made = sequences([3] * n, seed=3, label=np.arange(n) % 3, split=np.arange(n) // 3 % 3)
    names = np.array([f"other{i}" for i in range(n)], object)
    made = replace(made, object_id=names, metadata=2 * made.metadata + 1)
    return written(tmp_path_factory.mktemp("other") / "other.h5", made)


def pairs(one, other):
    """Leaves that belong together."""
    return zip(leaves(one), leaves(other), strict=True)


def variables(training, which=0):
    state = seeds.restore([training.directories[which]], pytest.fail)
    return step.part(state.variables, 0), step.part(state.best.variables, 0), step.part(state, 0)


def test_each_training_begins_with_a_member_and_with_the_statistics_of_the_model(model, other_file, tmp_path):
    warm = warm_start.of(model, FINE)
    training = start(FINE, other_file, tmp_path / "both", n_seeds=3, warm=warm)
    for which, one in enumerate(training.directories):
        for found in variables(training, which)[:2]:
            assert_equal_trees(found, model.members[which % 2].variables)
        assert one.statistics == model.statistics
    assert training.prepared.statistics == model.statistics
    fitted = start(FINE, other_file, tmp_path / "fitted").prepared.statistics
    assert fitted != model.statistics
    record = training.directories[0].provenance["began_with"]
    assert (record["model"], record["content_hash"]) == (model.label, content_hash(model))
    assert record["version"].startswith("0.1.0+")
    assert (record["parts"], record["statistics"]) == (
        ["dynamic_norm", "static_norm", "temporal", "head"],
        "the model's",
    )
    assert [one["data_hash"] for one in record["learnt_from"]] == [model.provenance["data_hash"]]


def test_the_statistics_of_a_model_are_no_leak(model, other_file, tmp_path):
    start(FINE, other_file, tmp_path / "run", warm=warm_start.of(model, FINE))
    (verdict,) = audit.check(tmp_path / "run")
    assert not verdict.leak
    assert f"those of {model.label}, with which the run began" in verdict.text


def test_a_frozen_part_does_not_move_by_a_bit_and_has_no_memory(model, other_file, tmp_path):
    training = start(PARTLY, other_file, tmp_path / "run", warm=warm_start.of(model, PARTLY))
    (final,) = train(training)
    before, after = model.members[0].variables, final.variables
    for name in FROZEN:
        assert_equal_trees(after["params"][name], before["params"][name])
    assert_equal_trees(after["batch_stats"]["dynamic_norm"], before["batch_stats"]["dynamic_norm"])
    for name in ("static_norm", "head"):
        assert any((new != old).any() for new, old in pairs(after["params"][name], before["params"][name])), name
    assert np.any(after["batch_stats"]["static_norm"]["mean"] != before["batch_stats"]["static_norm"]["mean"])
    memory = {jax.tree_util.keystr(keys) for keys, _ in jax.tree_util.tree_leaves_with_path(final.opt_state)}
    assert any("head" in name for name in memory)
    assert not any(part in name for name in memory for part in FROZEN)


def test_a_part_moves_at_its_own_rate(model, other_file, tmp_path):
    """The first step of Adam is by the learning rate where the gradient is clear, whatever it is."""
    once = ["training.iterations=1", "training.validate_every=1", "training.learning_rate=0.001"]
    config = override(PARTLY, [*once, "training.rate_of.head=2"])
    training = start(config, other_file, tmp_path / "run", warm=warm_start.of(model, config))
    (final,) = train(training)
    for name, rate in (("static_norm", 0.1), ("head", 2.0)):
        moved = pairs(final.variables["params"][name], model.members[0].variables["params"][name])
        moves = np.concatenate([np.abs(new - old).ravel() for new, old in moved])
        assert np.median(moves[moves > 1e-6]) == pytest.approx(0.001 * rate, rel=0.01)


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_warm_start_that_is_stopped_and_resumed_ends_in_the_same_bits(model, other_file, tmp_path, asked):
    warm = warm_start.of(model, PARTLY)
    (whole,) = train(start(PARTLY, other_file, tmp_path / "whole", warm=warm))
    train(start(PARTLY, other_file, tmp_path / "halved", warm=warm), StopAfter(asked))
    resumed = trainer.resume(tmp_path / "halved", say=pytest.fail, warn=pytest.fail)
    assert resumed.prepared.statistics == model.statistics
    (state,) = train(resumed)
    assert_equal_trees(state, whole)


def test_a_run_that_began_with_other_weights_is_another_run(model, other_file, tmp_path):
    def warm(parts=()):
        return warm_start.of(model, FINE, parts)

    start(FINE, other_file, tmp_path / "run", warm=warm())
    with pytest.raises(FileExistsError, match="exists and is this run; go on with it by: jtss train --resume"):
        start(FINE, other_file, tmp_path / "run", warm=warm())
    for other, words in ((None, "random ones"), (warm(("temporal",)), "temporal of ")):
        message = f"is another run .*weights to begin with: asked for {words}.*, there dynamic_norm, static_norm, "
        with pytest.raises(FileExistsError, match=message):
            start(FINE, other_file, tmp_path / "run", warm=other)


def test_a_run_whose_first_state_is_gone_does_not_begin_with_another(model, other_file, tmp_path):
    training = start(FINE, other_file, tmp_path / "run", warm=warm_start.of(model, FINE))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(InputError, match=r"weights of .*first, which were not saved; .* new start with another --out"):
        train(training)


def test_a_network_that_knows_fewer_classes_begins_with_their_logits(model, other_file, tmp_path):
    fewer = override(FINE, ["classes=VS,AGN"])
    training = start(fewer, other_file, tmp_path / "run", warm=warm_start.of(model, fewer))
    theirs, ours = model.members[0].variables, variables(training)[0]
    for name in ("kernel", "bias"):
        whole, part = (each["params"]["head"]["logits"][name] for each in (theirs, ours))
        np.testing.assert_array_equal(part, np.asarray(whole)[..., [2, 0]])
    more = override(FINE, ["classes=AGN,SN,VS,asteroid"])
    with pytest.raises(InputError, match=r"classes: it knows no asteroid, only AGN, SN, VS; .* --parts without head"):
        warm_start.of(model, more)
    assert "head" not in warm_start.of(model, more, ("temporal", "dynamic_norm")).parts


@pytest.mark.parametrize(
    ("changes", "parts", "message"),
    [
        (["n_detections=2", "temporal.kernel=2"], (), "temporal.kernel: .*first 3, here 2; n_detections: .* here 2"),
        (["metadata.static=ra,dec"], (), r"metadata.static: .*first \(.*\), here \(ra, dec\)"),
        (["head.units=4,4"], (), r"head.units: .*first \(.*\), here \(4, 4\)"),
        (["temporal.units=4"], ("temporal",), r"temporal.units: .*first 0, here 4; leave CONFIG out"),
        ([], ("temporal", "tmeporal"), "no tmeporal in config demo, which has dynamic_norm, static_norm"),
        (["stamp.channels=science"], ("encoder",), r"no encoder in .*first, which has dynamic_norm"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(model, changes, parts, message):
    with pytest.raises(InputError, match=message) as caught:
        warm_start.of(model, override(FINE, changes), parts)
    assert "\n" not in str(caught.value)


def test_what_is_of_the_recipe_alone_may_differ(model):
    changed = override(FINE, ["head.dropout=0,0", "training.batch_size=8", "hide.counters=0.2"])
    assert warm_start.of(model, changed).parts == settings.parts(changed)


def test_objects_that_the_model_has_learnt_from_are_for_no_test(model, tmp_path):
    n = 36
    made = sequences([3] * n, label=np.arange(n) % 3, split=(np.arange(n) // 3 + 1) % 3)
    mixed_up = written(tmp_path / "again.h5", made)
    with pytest.raises(InputError, match=r"again.h5: 12 objects .* were training objects of .*first \(in .*made.h5\)"):
        start(FINE, mixed_up, tmp_path / "run", warm=warm_start.of(model, FINE))
    assert not (tmp_path / "run").exists()
    same = written(tmp_path / "same.h5", take(replace(made, split=np.arange(n, dtype=np.int8) // 3 % 3), np.arange(18)))
    start(FINE, same, tmp_path / "run", warm=warm_start.of(model, FINE))


def test_where_the_training_data_are_gone_that_is_said(model, other_file, tmp_path):
    gone = replace(model, provenance=model.provenance | {"data": "gone.h5", "data_hash": "f00d"})
    said = []
    start(FINE, other_file, tmp_path / "run", warm=warm_start.of(gone, FINE), say=said.append)
    assert ["learnt from gone.h5, which is not at hand" in line for line in said] == [True]


def test_the_same_sky_with_another_split_is_refused(model, tmp_path):
    command = "jtss data simulate --objects {} --seed 3"
    learnt = model.provenance["training_data"] | {"command": command.format(100)}
    of_sky = replace(model, provenance=model.provenance | {"training_data": learnt})
    n = 36
    made = sequences([3] * n, seed=4, label=np.arange(n) % 3, split=np.arange(n) // 3 % 3)
    smaller = written(tmp_path / "smaller.h5", made, survey="ZTF (simulated)", command=command.format(36))
    with pytest.raises(InputError, match="simulated with the seed 3, as the training data of"):
        start(FINE, smaller, tmp_path / "run", warm=warm_start.of(of_sky, FINE))


TINY_STAMPS = ["stamp.crop=5", "stamp.copies=1", "stamp.rotation_range_deg=0", "encoder.filters=2,2,3,3,3",
               "encoder.units=3", "encoder.kernels=4,5,5,5,5", "head.units=4", "head.dropout=0", "encoder.dropout=0",
               "training.batch_size=8", "classes=AGN,SN,VS"]  # fmt: skip
SINGLE = override(named.get("n1_baseline"), TINY_STAMPS)
PACKETS = override(named.get("any_gru"), [*TINY_STAMPS, "temporal.units=4", "packet.rows=6"])


def made_model(config, n_members=1):
    outcome = Outcome(2, 2, 2, 0.5, 0.5)
    members = tuple(
        Member(i, jax.jit(network.init, static_argnums=0)(config, jax.random.key(100 + i)), outcome)
        for i in range(n_members)
    )
    return Model("n1", config, None, members, {"data": "sky.h5", "data_hash": "0"})


def test_the_encoder_alone_goes_into_another_network_whose_statistics_are_its_own():
    single = made_model(SINGLE)
    warm = warm_start.of(single, PACKETS, ("encoder",))
    assert not warm.keeps_statistics
    begun, fresh = warm_start.state(warm, PACKETS, 0).variables["params"], step.init_state(PACKETS).variables["params"]
    assert_equal_trees(begun.pop("encoder"), single.members[0].variables["params"]["encoder"])
    fresh.pop("encoder")
    assert_equal_trees(begun, fresh)
    with pytest.raises(InputError, match=r"encoder.filters: n1 \(2, 2, 3, 3, 3\), here \(2, 2, 3, 3, 4\)"):
        warm_start.of(single, override(PACKETS, ["encoder.filters=2,2,3,3,4"]), ("encoder",))
    with pytest.raises(InputError, match="no no_stamp in n1, which has encoder, static_norm, head"):
        warm_start.of(single, PACKETS, ("encoder", "no_stamp"))
    with pytest.raises(InputError, match="no encoder in config n1_baseline, which has dynamic_norm, static_norm"):
        warm_start.of(single, override(SINGLE, ["stamp.channels=", "metadata.dynamic=time_gap"]), ("encoder",))


def test_a_model_of_packets_with_fewer_subclasses_begins_with_those_of_its_classes():
    whole = made_model(PACKETS)
    fewer = override(PACKETS, ["classes=VS,SN", "subclasses=eclipsing,RR Lyrae"])
    begun = warm_start.state(warm_start.of(whole, fewer), fewer, 0).variables["params"]["head"]["logits"]["kernel"]
    names = [*PACKETS.classes, *PACKETS.subclasses]
    columns = [names.index(name) for name in ("VS", "SN", "eclipsing", "RR Lyrae")]
    theirs = np.asarray(whole.members[0].variables["params"]["head"]["logits"]["kernel"])
    np.testing.assert_array_equal(begun, theirs[:, columns])
