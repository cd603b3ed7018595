"""Names, overrides, JSON and the errors that list what is valid."""

import json
import re
from dataclasses import fields
from functools import partial

import jax
import pytest

from jtss.config import named
from jtss.config.settings import (
    PACKET_GROUPS,
    ConfigError,
    HideConfig,
    RateConfig,
    differences,
    from_dict,
    override,
    parts,
    to_dict,
    without_later,
)
from jtss.network import network
from jtss.schema import METADATA_GROUPS

CONFIG = named.get("demo")


@pytest.mark.parametrize("name", named.CONFIGS)
def test_json_brings_back_the_same_config(name):
    config = named.get(name)
    assert config.name == name
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    assert hash(config) == hash(from_dict(to_dict(config)))


def test_n3_conv1d_is_the_paper():
    config = named.get("n3_conv1d")
    assert (config.n_detections, config.temporal.kind, config.temporal.kernel) == (3, "conv1d", 3)
    assert (config.stamp.crop, config.stamp.copies, config.stamp.rotation_range_deg) == (33, 6, 28.8)
    assert config.stamp.source_side == 47
    training = config.training
    assert (training.learning_rate, training.batch_size, training.iterations) == (1e-4, 128, 30_000)


def test_quarter_turns_need_no_margin():
    config = override(named.get("demo"), ["stamp.copies=4", "stamp.rotation_range_deg=0"])
    assert config.stamp.source_side == config.stamp.crop == 21


def test_overrides_parse_by_the_type_of_the_field():
    config = override(
        named.get("demo"),
        ["training.learning_rate=3e-4", "training.batch_size=32", "classes=SN,VS", "encoder.filters=4,4,8,8,8"],
    )
    assert (config.training.learning_rate, config.training.batch_size) == (3e-4, 32)
    assert (config.classes, config.encoder.filters) == (("SN", "VS"), (4, 4, 8, 8, 8))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.batchsize=3", "no field 'batchsize'; valid: learning_rate, decay, batch_size"),
        ("trainings.batch_size=3", "no field 'trainings'; valid: name, origin"),
        ("training.batch_size=many", "training.batch_size=many: expected int"),
        ("training.batch_size", "expected field=value"),
        ("training=3", "training is a group; valid: training.learning_rate"),
        ("name.first=3", "name has no fields"),
        ("name=", "name: expected a name"),
        ("n_detections=0", "n_detections=0: expected 1 to 5"),
        ("n_detections=9", "n_detections=9: expected 1 to 5"),
        ("classes=AGN,quasar", "classes: no quasar; valid: AGN, SN, VS, asteroid, bogus"),
        ("classes=AGN", "classes=AGN: expected 2 or more names, none twice"),
        ("classes=AGN,AGN", "classes=AGN,AGN: expected 2 or more names, none twice"),
        ("stamp.channels=science,sigma", "stamp.channels: no sigma; valid: science, template, difference"),
        ("stamp.channels=science,science", "stamp.channels=science,science: expected 0 or more names, none twice"),
        ("stamp.copies=0", "stamp.copies=0: expected at least 1"),
        ("stamp.rotation_range_deg=-1", "stamp.rotation_range_deg=-1.0: expected 0 to 360"),
        ("stamp.rotation_range_deg=nan", "stamp.rotation_range_deg=nan: expected 0 to 360"),
        ("stamp.crop=32", "stamp.crop=32: expected an odd number"),
        ("stamp.crop=61", "stamp.crop=61 needs 87 pixels to turn in, a stamp has 63"),
        ("stamp.crop=0", "stamp.crop=0: expected"),
        ("stamp.crop=-3", "stamp.crop=-3"),
        ("metadata.dynamic=magpsf,W1-W2", "metadata.dynamic: no W1-W2; valid: time_gap, fwhm"),
        ("metadata.dynamic=magpsf,magpsf", "metadata.dynamic=magpsf,magpsf: expected 0 or more names, none twice"),
        ("metadata.static=ra,time_gap", "metadata.static: no time_gap; valid: fwhm"),
        ("metadata.static=ra,ra", "metadata.static=ra,ra: expected 0 or more names, none twice"),
        ("encoder.kernels=", "encoder: expected five kernels and five filters"),
        ("encoder.filters=8,8,8,8", "encoder: expected five kernels and five filters"),
        ("encoder.filters=8,8,8,8,0", "encoder: expected sizes of at least 1"),
        ("encoder.units=", "encoder.units: expected at least one layer"),
        ("encoder.units=64,0", "encoder: expected sizes of at least 1"),
        ("encoder.padding=-1", "encoder.padding=-1"),
        ("encoder.dropout=1", "encoder.dropout=1.0: expected 0 ≤ rate < 1"),
        ("encoder.kernels=25,5,5,5,5", "stamp.crop=21 leaves 3 pixels after the first convolution"),
        (
            "temporal.kind=transformer",
            "temporal.kind: no transformer; valid: none, conv1d, tdnn, gamma, rnn, gru, lstm",
        ),
        ("temporal.kind=none", "temporal.kind=none does not fit n_detections=3: it reads one detection"),
        ("temporal.kernel=4", "temporal.kernel=4 does not fit n_detections=3"),
        ("temporal.kernel=0", "temporal.kernel=0: expected at least 1"),
        ("temporal.layers=0", "temporal.layers=0: expected at least 1"),
        ("temporal.taps=0", "temporal.taps=0: expected at least 1"),
        ("temporal.window=1", "temporal.window=1: expected at least 2"),
        ("temporal.units=-1", "temporal.units=-1: expected 0 (as wide as the input) or more"),
        ("head.dropout=1,0", "head.dropout=(1.0, 0.0): expected 0 ≤ rate < 1"),
        ("head.dropout=nan,0", "head.dropout=(nan, 0.0): expected 0 ≤ rate < 1"),
        ("head.dropout=0.5", "head.units has 2 layers, head.dropout 1 rates"),
        ("head.units=64", "head.units has 1 layers, head.dropout 2 rates"),
        ("head.units=64,0", "head.units=(64, 0): expected at least 1"),
        ("training.learning_rate=inf", "training.learning_rate=inf"),
        ("training.learning_rate=nan", "training.learning_rate=nan"),
        ("training.entropy_weight=-1", "training.entropy_weight=-1.0: expected 0 or more"),
        ("training.batch_size=0", "training.batch_size=0: expected at least 1"),
        ("training.validate_every=0", "training.validate_every=0"),
        ("training.iterations=310", "training.iterations=310: expected a multiple of training.validate_every=25"),
        ("training.patience=30", "training.patience=30: expected a multiple of training.validate_every=25"),
        ("training.decay=step", "training.decay: no step; valid: none, cosine"),
        ("training.class_balance=even", "training.class_balance: no even; valid: uniform, natural, counts"),
        ("hide.epoch=0.1", "no field 'epoch'; valid: counters, rb, neighbours, reference_source"),
        ("hide.history=0.1", "hide.history=0.1: a model of sequences cannot do without, expected packet.rows above 0"),
        ("temporal.kind=attention", "temporal.kind=attention reads packets: expected packet.rows above 0"),
        ("packet.rows=-1", "packet.rows=-1: expected 0 (a model of sequences) or more"),
        ("packet.rows=9", "temporal.kind=conv1d does not fit packet.rows=9: expected gru or attention"),
        ("hide.counters=1", "hide.counters=1.0: expected 0 ≤ share < 1"),
        ("hide.counters=nan", "hide.counters=nan: expected 0 ≤ share < 1"),
        ("hide.rb=0.1", "hide.rb=0.1: there is nothing to hide, the model reads none of rb"),
        ("metadata.static=ra,has_place", "has_place is always 1 where nothing is hidden"),
        ("metadata.dynamic=fwhm,has_allwise", "metadata.dynamic: no has_allwise"),
        ("training.seed=-1", "training.seed=-1: expected 0 to 2^32 - 1"),
        ("precision=float16", "precision: no float16; valid: auto, float32, bfloat16"),
    ],
)
def test_wrong_settings_are_refused_by_name(assignment, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        override(named.get("demo"), [assignment])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["n_detections=2"], "temporal.kernel=3 does not fit n_detections=2"),
        (["temporal.kind=tdnn", "temporal.window=4"], "temporal.window=4 does not fit n_detections=3"),
        (
            ["temporal.kind=tdnn", "temporal.window=3", "n_detections=4"],
            "temporal.window=3 does not fit n_detections=4",
        ),
        (["temporal.kind=tdnn", "n_detections=1"], "temporal.window=2 does not fit n_detections=1"),
        (["training.decay=cosine", "training.patience=25"], "training.decay=cosine ends with training.iterations"),
        (["stamp.channels=", "metadata.dynamic="], "stamp.channels and metadata.dynamic are both empty"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(assignments, message):
    with pytest.raises(ConfigError, match=re.escape(f"config demo: {message}")):
        override(named.get("demo"), assignments)


@pytest.mark.parametrize(
    "assignments",
    [
        ["temporal.kind=lstm", "temporal.kernel=4"],  # a setting of another kind
        ["temporal.kind=tdnn", "temporal.window=3"],  # exactly one layer
        ["temporal.kind=none", "n_detections=1"],
        ["stamp.channels="],
        ["metadata.dynamic=", "metadata.static="],
        ["metadata.dynamic=rb", "metadata.static=magnr,distnr,magpsf"],
        ["head.units=", "head.dropout="],
        ["training.patience=0", "training.patience_after=1"],
        ["training.patience=0", "training.decay=cosine"],
        ["encoder.kernels=24,5,5,5,5"],  # four pixels left
    ],
)
def test_settings_at_the_edge_of_the_valid_are_taken(assignments):
    override(named.get("demo"), assignments)


def test_json_with_a_missing_or_a_foreign_field_is_refused():
    values = to_dict(named.get("demo"))
    with pytest.raises(ConfigError, match="unknown fields"):
        from_dict({**values, "colour": "red"})
    values.pop("classes")
    with pytest.raises(ConfigError, match="field 'classes' is missing"):
        from_dict(values)


def test_a_file_of_before_fields_that_came_later_has_their_defaults():
    values = json.loads(json.dumps(to_dict(CONFIG)))
    del values["hide"]
    assert from_dict(values) == CONFIG
    assert differences(values, to_dict(CONFIG), ("checkpoint", "config.json")) == []
    del values["training"]["metadata_noise"]
    assert from_dict(values) == CONFIG
    noisy = to_dict(override(CONFIG, ["training.metadata_noise=0.3"]))
    assert differences(values, noisy, ("there", "here")) == ["training.metadata_noise: there 0.0, here 0.3"]
    hiding = to_dict(override(CONFIG, ["hide.counters=0.4"]))
    assert differences(values, hiding, ("there", "here")) == ["hide.counters: there 0.0, here 0.4"]


def test_every_group_of_metadata_can_be_hidden():
    assert {item.name for item in fields(HideConfig)} == {*METADATA_GROUPS, *PACKET_GROUPS, "older"}
    config = override(
        CONFIG, ["hide.counters=0.4", "metadata.dynamic=ndethist,has_counters", "metadata.static=has_counters"]
    )
    assert config.hide == HideConfig(counters=0.4)
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


ANY = named.get("any_gru")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "metadata.static=ndethist,sgscore1",
            "metadata.static=ndethist: of the alert, which no answer after an earlier",
        ),
        ("metadata.static=sgscore1,has_rb", "metadata.static=has_rb: of the alert"),
        ("metadata.dynamic=time_gap,magpsf", "metadata.dynamic=time_gap: packets have their times by themselves"),
        ("training.class_balance=natural", "training.class_balance=natural does not fit packet.rows=40"),
        ("stamp.channels=", "hide.stamps=0.625: there is nothing to hide, the model reads no stamps"),
        ("n_detections=2", "n_detections=2 does not fit packet.rows=40"),
        ("temporal.layers=2", "temporal.layers=2 does not fit packet.rows=40"),
        ("temporal.units=0", "temporal.units=0 does not fit packet.rows=40"),
        ("training.entropy_weight=0.1", "training.entropy_weight=0.1: a model of packets has none, expected 0"),
        ("subclasses=SN Ia,SLSN", "subclasses: no SLSN; valid: SN Ia, other SN, RR Lyrae"),
        ("subclasses=SN Ia,SN Ia", "subclasses=SN Ia,SN Ia: expected 0 or more names, none twice"),
        ("classes=AGN,SN,bogus", "subclasses=RR Lyrae,eclipsing,long-period,cataclysmic,young star: of none of the"),
    ],
)
def test_what_does_not_fit_packets_is_refused(setting, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        override(ANY, [setting])


def test_subclasses_are_of_models_of_packets_and_came_later():
    with pytest.raises(ConfigError, match=r"subclasses=SN Ia: a model of sequences has none, expected packet\.rows"):
        override(CONFIG, ["subclasses=SN Ia"])
    few = override(ANY, ["subclasses=blazar,SN Ia"])
    assert few.subclasses == ("blazar", "SN Ia")
    assert from_dict(json.loads(json.dumps(to_dict(few)))) == few
    older = {name: value for name, value in to_dict(ANY).items() if name != "subclasses"}
    assert from_dict(older) == override(ANY, ["subclasses="])
    assert differences(older, to_dict(few), ("a", "b")) == ["subclasses: a (), b (blazar, SN Ia)"]
    assert "subclasses" not in without_later(CONFIG)


def test_attention_has_whole_heads():
    with pytest.raises(ConfigError, match=r"temporal\.units=6: expected a multiple of the 4 heads"):
        override(named.get("any_attention"), ["temporal.units=6"])


def test_settings_that_came_later_are_left_out_where_they_have_their_default():
    plain = without_later(CONFIG)
    assert not {"hide", "packet"} & set(plain)
    assert "metadata_noise" not in plain["training"]
    assert from_dict(plain) == CONFIG
    changed = override(CONFIG, ["training.metadata_noise=0.1", "metadata.static=rb", "hide.rb=0.5"])
    assert without_later(changed)["training"]["metadata_noise"] == 0.1
    assert from_dict(without_later(changed)) == changed


def differing(*assignments: str) -> list[str]:
    changed = json.loads(json.dumps(to_dict(override(CONFIG, list(assignments)))))
    return differences(to_dict(CONFIG), changed, ("here", "there"))


def test_a_config_and_its_json_do_not_differ():
    assert differing() == []


def test_each_differing_setting_is_named_with_both_sides():
    assert differing("temporal.kernel=2", "classes=AGN,SN", "training.seed=5") == [
        "classes: here (AGN, SN, VS), there (AGN, SN)",
        f"temporal.kernel: here {CONFIG.temporal.kernel}, there 2",
        f"training.seed: here {CONFIG.training.seed}, there 5",
    ]


def test_a_setting_that_one_side_lacks_is_named():
    values = to_dict(CONFIG)
    older = {name: value for name, value in values.items() if name != "n_detections"}
    assert differences(older, values, ("checkpoint", "config.json")) == [
        "n_detections: checkpoint has none, config.json 3"
    ]
    assert differences(values, older, ("a", "b")) == ["n_detections: a 3, b has none"]


def test_what_is_said_of_the_origin_is_no_setting():
    values = to_dict(CONFIG)
    assert differences(values, {**values, "origin": "elsewhere", "paper_accuracy": "1"}, ("a", "b")) == []


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("any_gru", ["training.young=1.1"], "training.young=1.1: expected 0 ≤ share ≤ 1"),
        ("any_gru", ["training.lone=-0.1"], "training.lone=-0.1: expected 0 ≤ share ≤ 1"),
        ("any_gru", ["training.young=0.6", "training.lone=0.5"], "are 1.1 together, expected 1 at most"),
        ("n3_conv1d", ["training.lone=0.1"], "training.lone=0.1 does not fit n_detections=3"),
    ],
)
def test_shares_of_examples_that_cannot_be_are_refused(name, settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        override(named.get(name), settings)


NETWORKS = ("n1_enhanced", "n2_best", "n3_gamma", "n3_metadata", "n3_conv1d_images", "any_gru", "any_attention")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_are_those_of_the_tree_of_weights(name):
    """And each has a rate."""
    config, hidden = named.get(name), ("neighbours", "place", "allwise")
    for changed in (config, override(config, ["metadata.static=", *(f"hide.{group}=0" for group in hidden)])):
        shapes = jax.eval_shape(partial(network.init, changed), jax.random.key(0))["params"]
        assert {part for part, tree in shapes.items() if jax.tree.leaves(tree)} == set(parts(changed))
        assert set(shapes) <= {item.name for item in fields(RateConfig)}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.rate_of.encodr=0", "no field 'encodr'; valid: encoder, no_stamp, row, dynamic_norm, static_norm"),
        (
            "training.rate_of.film=0",
            r"training\.rate_of\.film=0\.0: the network has no such part, only encoder, dynamic",
        ),
        ("training.rate_of.head=-1", r"training\.rate_of\.head=-1\.0: expected 0 \(frozen\) or more"),
        ("training.rate_of.head=nan", r"training\.rate_of\.head=nan: expected 0 \(frozen\) or more"),
        ("training.rate_of=0", r"rate_of is a group; valid: rate_of\.encoder"),
    ],
)
def test_a_rate_is_of_a_part_that_there_is(setting, message):
    with pytest.raises(ConfigError, match=message):
        override(CONFIG, [setting])


def test_a_training_has_something_to_learn_and_rates_came_later():
    frozen = [f"training.rate_of.{name}=0" for name in parts(CONFIG)]
    override(CONFIG, frozen[1:])
    with pytest.raises(ConfigError, match="are all frozen, and nothing is left to learn"):
        override(CONFIG, frozen)
    values = to_dict(CONFIG)
    del values["training"]["rate_of"]
    assert from_dict(values) == CONFIG
    assert "rate_of" not in without_later(CONFIG)["training"]
