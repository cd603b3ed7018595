"""Names, overrides, JSON and the errors that list what is valid."""

import json
import re

import pytest

from jtss import configs
from jtss.configs import CONFIGS, ConfigError
from jtss.overrides import from_dict, override, to_dict


@pytest.mark.parametrize("name", CONFIGS)
def test_json_brings_back_the_same_config(name):
    config = configs.get(name)
    assert config.name == name
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    assert hash(config) == hash(from_dict(to_dict(config)))


def test_n3_conv1d_is_the_paper():
    config = configs.get("n3_conv1d")
    assert (config.n_detections, config.temporal.kind, config.temporal.kernel) == (3, "conv1d", 3)
    assert (config.stamp.crop, config.stamp.copies, config.stamp.rotation_range_deg) == (33, 6, 28.8)
    assert config.stamp.source_side == 47
    training = config.training
    assert (training.learning_rate, training.batch_size, training.iterations) == (1e-4, 128, 30_000)


def test_quarter_turns_need_no_margin():
    config = override(configs.get("demo"), ["stamp.copies=4", "stamp.rotation_range_deg=0"])
    assert config.stamp.source_side == config.stamp.crop == 21


def test_overrides_parse_by_the_type_of_the_field():
    config = override(
        configs.get("demo"),
        ["training.learning_rate=3e-4", "training.batch_size=32", "classes=SN,VS", "encoder.filters=4,4,8,8,8"],
    )
    assert (config.training.learning_rate, config.training.batch_size) == (3e-4, 32)
    assert (config.classes, config.encoder.filters) == (("SN", "VS"), (4, 4, 8, 8, 8))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.batchsize=3", "no field 'batchsize'; valid: learning_rate, batch_size"),
        ("trainings.batch_size=3", "no field 'trainings'; valid: name, origin"),
        ("training.batch_size=many", "training.batch_size=many: expected int"),
        ("training.batch_size", "expected field=value"),
        ("training=3", "training is a group; valid: training.learning_rate"),
        ("name.first=3", "name has no fields"),
        ("temporal.kernel=4", "temporal.kernel=4 does not fit n_detections=3"),
        ("temporal.kind=transformer", "temporal.kind: no transformer; valid: conv1d"),
        ("classes=AGN,quasar", "classes: no quasar; valid: AGN, SN, VS, asteroid, bogus"),
        ("classes=AGN", "classes=AGN: expected 2 or more names, none twice"),
        ("classes=AGN,AGN", "classes=AGN,AGN: expected 2 or more names, none twice"),
        ("stamp.channels=", "stamp.channels=: expected 1 or more names"),
        ("stamp.copies=0", "stamp.copies=0: expected at least 1"),
        ("encoder.kernels=", "expected five kernels"),
        ("encoder.padding=-1", "encoder.padding=-1"),
        ("training.iterations=310", "training.iterations=310: expected a multiple of training.validate_every=25"),
        ("training.seed=-1", "training.seed=-1: expected 0 to 2^32 - 1"),
        ("training.learning_rate=inf", "training.learning_rate=inf"),
        ("name=", "name: expected a name"),
        ("stamp.crop=32", "expected an odd number"),
        ("stamp.crop=61", "needs 87 pixels to turn in, a stamp has 63"),
        ("n_detections=9", "n_detections=9: expected 1 to 5"),
        ("head.dropout=1", "head.dropout=1.0"),
        ("training.learning_rate=nan", "training.learning_rate=nan"),
        ("training.validate_every=0", "training.validate_every=0"),
        ("training.class_balance=even", "valid: uniform, natural"),
    ],
)
def test_wrong_settings_are_refused_by_name(assignment, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        override(configs.get("demo"), [assignment])


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"no config named 'n3_conv2d'; valid: n3_conv1d, demo"):
        configs.get("n3_conv2d")


def test_json_with_a_missing_or_a_foreign_field_is_refused():
    values = to_dict(configs.get("demo"))
    with pytest.raises(ConfigError, match="unknown fields"):
        from_dict({**values, "colour": "red"})
    values.pop("classes")
    with pytest.raises(ConfigError, match="field 'classes' is missing"):
        from_dict(values)
