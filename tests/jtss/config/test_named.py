"""The named configurations against the paper's tables, and the widths of the networks that they make."""

import re
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jtss import schema
from jtss.config import named
from jtss.config.settings import Config, ConfigError
from jtss.network import network
from jtss.network.parts import Batch

NUMBERS = (2, 3, 4, 5)
COMPLETE = [f"n{n}_{kind}" for n in NUMBERS for kind in ("lstm", "gru", "rnn", "gamma", "tdnn", "conv1d")]
IMAGES = [f"{name}_images" for name in COMPLETE]
METADATA = [f"n{n}_metadata{suffix}" for n in NUMBERS for suffix in ("", "_noallwise")]
BEST = [f"n{n}_best" for n in NUMBERS]
ANY = ("any_gru", "any_attention")  # not of the paper: see test_causal
FIRST = ["n1_baseline", "n1_enhanced"]

# TSC Table 6 as printed: by number of alerts, accuracy [%] and architecture of each column.
COLUMNS = ("gru", "lstm", "gamma", "tdnn", "rnn", "conv1d")
TABLE_6 = {
    2: (
        "91.3 ± 0.4 | 91.7 ± 0.3 | 91.3 ± 0.2 | 91.0 ± 0.1 | 91.2 ± 0.7 | 91.3 ± 0.6",
        "1L 256U    | 1L 256U    | k = 7      | V = 2      | 1L 128U    | Ke = 2",
    ),
    3: (
        "91.8 ± 0.4 | 92.0 ± 0.3 | 91.4 ± 0.5 | 91.6 ± 0.1 | 91.8 ± 0.4 | 91.6 ± 0.6",
        "1L 256U    | 1L 64U     | k = 7      | V = 2      | 1L 128U    | Ke = 3",
    ),
    4: (
        "92.5 ± 0.4 | 92.2 ± 0.6 | 92.2 ± 0.5 | 92.4 ± 0.5 | 92.4 ± 0.4 | 92.5 ± 0.6",
        "1L 256U    | 3L 256U    | k = 6      | V = 2      | 1L 64U     | Ke = 2",
    ),
    5: (
        "93.2 ± 0.5 | 92.9 ± 0.3 | 92.6 ± 0.4 | 92.9 ± 0.3 | 92.6 ± 0.6 | 93.2 ± 0.6",
        "1L 64U     | 1L 128U    | k = 8      | V = 2      | 1L 64U     | Ke = 4",
    ),
}
# TSC Table 7: without and with AllWISE. Table 8: the complete model. Table 2.
TABLE_7 = {
    2: ("95.07 ± 0.57", "98.0 ± 0.56"),
    3: ("96.1 ± 0.32", "98.27 ± 0.27"),
    4: ("96.9 ± 0.25", "98.37 ± 0.29"),
    5: ("97.37 ± 0.55", "98.07 ± 0.29"),
}
TABLE_8 = {
    2: ("conv1d", "Ke = 2", "98.47 ± 0.1"),
    3: ("conv1d", "Ke = 3", "98.33 ± 0.7"),
    4: ("conv1d", "Ke = 2", "97.87 ± 0.2"),
    5: ("lstm", "1L 128U", "98.43 ± 0.3"),
}


def architecture(config: Config) -> str:
    """The temporal model, as the paper writes it."""
    cell = config.temporal
    if cell.kind in ("rnn", "gru", "lstm"):
        return f"{cell.layers}L {cell.units}U"
    return {"gamma": f"k = {cell.taps}", "tdnn": f"V = {cell.window}", "conv1d": f"Ke = {cell.kernel}"}[cell.kind]


def test_every_network_of_the_paper_has_its_name_and_nothing_else_has_one():
    assert sorted(named.CONFIGS) == sorted([*COMPLETE, *IMAGES, *METADATA, *BEST, *FIRST, *ANY, "demo"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("n3_conv2d", "; closest: n3_conv1d, n5_conv1d, n4_conv1d, n2_conv1d"),
        ("n3", "; closest: n3_rnn, n3_gru, n3_tdnn, n3_lstm"),
        ("Demo", "; closest: demo"),
        ("?", ""),
    ],
)
def test_an_unknown_name_is_answered_with_those_close_to_it(name, hint):
    with pytest.raises(ConfigError) as refused:
        named.get(name)
    assert str(refused.value) == f"no config named '{name}'{hint}; all of them: jtss train --list"


@pytest.mark.parametrize("n", NUMBERS)
def test_table_6(n):
    accuracies, architectures = ([cell.strip() for cell in row.split("|")] for row in TABLE_6[n])
    for kind, accuracy, expected in zip(COLUMNS, accuracies, architectures, strict=True):
        images, complete = named.get(f"n{n}_{kind}_images"), named.get(f"n{n}_{kind}")
        assert (images.paper_accuracy, architecture(images)) == (accuracy, expected)
        assert images.temporal == complete.temporal
        assert images.temporal.kind == kind


@pytest.mark.parametrize("n", NUMBERS)
def test_table_7(n):
    without, whole = named.get(f"n{n}_metadata_noallwise"), named.get(f"n{n}_metadata")
    assert (without.paper_accuracy, whole.paper_accuracy) == TABLE_7[n]
    assert whole.metadata.static == (*without.metadata.static, "W1-W2", "W2-W3", "W3-W4")
    assert whole.metadata.dynamic == without.metadata.dynamic == schema.DYNAMIC_NAMES
    assert whole.temporal == without.temporal


@pytest.mark.parametrize("n", NUMBERS)
def test_table_8(n):
    kind, expected, accuracy = TABLE_8[n]
    best = named.get(f"n{n}_best")
    assert (best.temporal.kind, architecture(best), best.paper_accuracy) == (kind, expected, accuracy)
    assert replace(best, name=f"n{n}_{kind}") == named.get(f"n{n}_{kind}")
    for other in COLUMNS:
        assert bool(named.get(f"n{n}_{other}").paper_accuracy) == (other == kind), "a number of another experiment"


def test_table_2():
    baseline, enhanced = map(named.get, FIRST)
    assert (baseline.paper_accuracy, enhanced.paper_accuracy) == ("91.44 ± 0.4", "93.36 ± 0.4")
    assert (baseline.stamp.crop, baseline.stamp.copies, baseline.stamp.rotation_range_deg) == (21, 4, 0)
    assert (enhanced.stamp.crop, enhanced.stamp.copies, enhanced.stamp.rotation_range_deg) == (33, 6, 28.8)
    assert (baseline.stamp.source_side, enhanced.stamp.source_side) == (21, 47)
    for config in (baseline, enhanced):
        assert config.stamp.channels == ("science", "template", "difference")
        assert config.classes == ("AGN", "SN", "VS", "asteroid", "bogus")
        assert config.encoder.dropout == 0.5
        assert config.head.dropout == (0.5, 0.5)


@pytest.mark.parametrize("name", [name for name in named.CONFIGS if name not in ("demo", *ANY)])
def test_every_entry_names_its_table_and_row(name):
    config, n = named.get(name), int(name[1])
    table = {"_images": "6", "_metadata": "7", "_noallwise": "7", "_best": "8", "n1_": "2"}
    expected = next((number for part, number in table.items() if part in name), "8" if config.paper_accuracy else "6")
    assert config.n_detections == n
    assert re.match(rf"TSC Table {expected}, {'M_' if n == 1 else f'{n} alerts'}", config.origin), config.origin


@pytest.mark.parametrize("name", [*COMPLETE, *IMAGES, *METADATA, *BEST, "demo"])
def test_models_of_sequences_are_those_of_section_4(name):
    config = named.get(name)
    assert config.classes == ("AGN", "SN", "VS")
    assert config.stamp.channels == (() if "metadata" in name else ("science", "template"))
    assert (config.head.units, config.head.dropout, config.encoder.dropout) == ((64, 64), (0.5, 0.0), 0.0)


def test_images_means_stamps_and_time_gaps_only():
    for name in IMAGES:
        assert (named.get(name).metadata.dynamic, named.get(name).metadata.static) == (("time_gap",), ())


# The networks, by their shapes alone.

# of the temporal model's input, and what the head reads beside its output
WIDTHS = {"_images": (64 + 1, 0), "_metadata": (10, 14 + 3), "_noallwise": (10, 14), "n1_": (64, 9 + 14)}
COMPLETE_WIDTHS = (64 + 10, 14 + 3)
WIDTH_OF_INPUT = {
    "none": lambda params: 64,  # no weights that could tell; the head's width does
    "conv1d": lambda params: params["conv"]["kernel"].shape[1],
    "tdnn": lambda params: params["layer_1"]["kernel"].shape[1],
    "gamma": lambda params: params["mu_logit"].shape[0],
} | dict.fromkeys(("rnn", "gru", "lstm"), lambda params: params["layer_1"]["input"].shape[1])


def of_shape(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def head_sizes(params: dict) -> list[tuple[int, ...]]:
    return [params["head"][layer]["kernel"].shape for layer in ("dense_1", "dense_2", "logits")]


@pytest.mark.parametrize("name", [name for name in named.CONFIGS if name not in ANY])
def test_widths_and_classes_of_every_network(name):
    config, n = named.get(name), named.get(name).n_detections
    width, static = next((found for part, found in reversed(WIDTHS.items()) if part in name), COMPLETE_WIDTHS)
    variables = jax.eval_shape(partial(network.init, config), jax.random.key(0))
    params, cell = variables["params"], config.temporal
    assert WIDTH_OF_INPUT[cell.kind](params["temporal"]) == width
    summary = cell.units or width
    assert head_sizes(params) == [(summary + static, 64), (64, 64), (64, len(config.classes))]

    side, channels = config.stamp.source_side, len(config.stamp.channels)
    n_dynamic, n_static = len(config.metadata.dynamic), len(config.metadata.static)
    batch = Batch(of_shape(2, n, side, side, channels), of_shape(2, n, n_dynamic), of_shape(2, n_static))
    classify = partial(network.apply, config, train=True)
    logits, statistics = jax.eval_shape(classify, variables, batch, key=jax.random.key(0))
    assert logits.shape == (2, len(config.classes))
    assert jax.tree.structure(statistics) == jax.tree.structure(variables["batch_stats"])


@pytest.mark.parametrize("name", named.CONFIGS)
def test_models_of_packets_tell_all_subclasses_apart_and_the_others_none(name):
    assert named.get(name).subclasses == (schema.SUBCLASSES if name in ANY else ())


def test_the_head_of_a_first_detection_model_reads_87_values():
    params = jax.eval_shape(partial(network.init, named.get("n1_enhanced")), jax.random.key(0))["params"]
    assert head_sizes(params) == [(87, 64), (64, 64), (64, 5)]
    assert params["temporal"] == {}
