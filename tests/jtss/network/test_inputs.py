"""Clip and standardise: the paper's limits, missing values, and statistics by an independent road."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.made_sequences import sequences, with_histories
from jtss import schema
from jtss.config import named
from jtss.config.settings import MetadataConfig, override
from jtss.network import inputs

COMPLETE = MetadataConfig()
NAMES = COMPLETE.dynamic
VALUES_OF_DETECTIONS, VALUES_OF_OBJECTS = (
    [name for name in names if name not in schema.AVAILABILITY_NAMES]
    for names in (schema.VALID_DYNAMIC, schema.VALID_STATIC)
)


def values(seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(5, 20, (n, 3, 10)).astype(np.float32), rng.normal(0, 5, (n, 17)).astype(np.float32)


def test_assembled_columns():
    rng = np.random.default_rng(1)
    metadata = rng.normal(size=(2, 3, 26)).astype(np.float32)
    jd = 2458000.5 + np.array([[0, 1.25, 3.5], [10, 10.5, 40]])
    allwise = np.array([[15, 14.5, 12, 9], [13, np.nan, 11, 10]], np.float32)
    dynamic, static = inputs.assemble(metadata, jd, allwise, COMPLETE)
    np.testing.assert_allclose(dynamic[..., 0], [[0, 1.25, 2.25], [0, 0.5, 29.5]])
    np.testing.assert_array_equal(dynamic[..., 1:], metadata[..., :9])
    np.testing.assert_array_equal(static[:, :14], metadata[:, 2, 9:23])
    np.testing.assert_allclose(static[:, 14:], [[0.5, 2.5, 3], [np.nan, np.nan, 1]])


def test_nine_dynamic_and_fourteen_static_values_as_in_the_paper():
    assert (len(schema.DYNAMIC_METADATA), len(schema.STATIC_METADATA)) == (9, 14)
    assert (len(COMPLETE.dynamic), len(COMPLETE.static)) == (10, 17)


def test_training_values_come_out_with_mean_zero_and_deviation_one():
    dynamic, static = values()
    statistics = inputs.fit(dynamic, static, COMPLETE)
    out = inputs.standardise(dynamic, statistics.dynamic).reshape(-1, 10)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)


def test_limits_of_table_3_and_extremes_of_the_training_split():
    dynamic, static = values()
    statistics = inputs.fit(dynamic, static, COMPLETE)
    row = dict(zip(NAMES, zip(statistics.dynamic.lower, statistics.dynamic.upper, strict=True), strict=True))
    assert row["ndethist"] == (dynamic[..., NAMES.index("ndethist")].min(), 20)
    assert row["magpsf"] == (dynamic[..., 6].min(), dynamic[..., 6].max())
    upper = dict(zip(COMPLETE.static, statistics.static.upper, strict=True))
    assert (upper["chinr"], upper["sharpnr"]) == (15, 1.5)
    beyond = np.full((1, 1, 10), 1e6, np.float32)
    np.testing.assert_allclose(
        inputs.standardise(beyond, statistics.dynamic),
        inputs.standardise(np.array(statistics.dynamic.upper)[None, None], statistics.dynamic),
        rtol=1e-6,
    )


def test_the_floor_absorbs_the_missing_mark_of_ztf():
    dynamic, static = values()
    statistics = inputs.fit(dynamic, static, COMPLETE).static
    marked = static[:1].copy()
    marked[0, 0] = schema.ZTF_MISSING
    floor = static[:1].copy()
    floor[0, 0] = -1
    np.testing.assert_array_equal(inputs.standardise(marked, statistics), inputs.standardise(floor, statistics))


def test_missing_is_the_training_mean():
    dynamic, static = values()
    static[::3, 15] = np.nan
    statistics = inputs.fit(dynamic, static, COMPLETE)
    out = inputs.standardise(static, statistics.static)
    assert np.all(out[::3, 15] == 0)
    present = np.delete(static[:, 15], np.s_[::3]).astype(np.float64)
    assert statistics.static.mean[15] == pytest.approx(present.mean())
    assert statistics.static.std[15] == pytest.approx(present.std())


def test_a_constant_and_an_absent_feature_do_no_harm():
    dynamic, static = values()
    dynamic[..., 3] = 7
    static[:, 14:] = np.nan
    statistics = inputs.fit(dynamic, static, COMPLETE)
    assert np.all(inputs.standardise(dynamic, statistics.dynamic)[..., 3] == 0)
    assert np.all(inputs.standardise(static, statistics.static)[:, 14:] == 0)
    present = np.zeros((1, 17), np.float32)
    assert np.all(np.isfinite(inputs.standardise(present, statistics.static)))


def test_json_brings_back_the_same_statistics_and_refuses_others():
    statistics = inputs.fit(*values(), COMPLETE)
    text = json.dumps(statistics.to_dict())
    found = inputs.Statistics.from_dict(json.loads(text))
    assert found == statistics
    found.check(COMPLETE)
    renamed = inputs.Statistics.from_dict(json.loads(text.replace('"magpsf"', '"magap"')))
    with pytest.raises(ValueError, match=r"magap.*expected.*magpsf"):
        renamed.check(COMPLETE)


def test_bits_tell_of_each_detection_what_is_there_of_what_the_model_reads():
    """0 where all values of the group that the model reads are missing; what it does not read does not count."""
    metadata = np.ones((3, 2, 26), np.float32)
    column = {name: i for i, name in enumerate(schema.METADATA_NAMES)}
    metadata[0, :, [column["ndethist"], column["ncovhist"]]] = np.nan  # non_detections is there, but is not read
    metadata[1, 1, column["ndethist"]] = np.nan
    metadata[2, 1, [column["ndethist"], column["ncovhist"]]] = np.nan
    allwise = np.array([[15, np.nan, 12, 11], [15, np.nan, 12, np.nan], [np.nan] * 4], np.float32)
    chosen = MetadataConfig(
        ("log_ndethist", "has_counters"), ("ncovhist", "has_counters", *schema.COLOUR_NAMES, "has_allwise")
    )
    dynamic, static = inputs.assemble(metadata, np.zeros((3, 2)), allwise, chosen)
    np.testing.assert_array_equal(dynamic[..., 1], [[0, 0], [1, 1], [1, 0]])
    np.testing.assert_array_equal(static[:, 1], [0, 1, 0])
    np.testing.assert_array_equal(static[:, -1], [1, 0, 0])
    statistics = inputs.fit(dynamic, static, chosen)
    np.testing.assert_array_equal(inputs.standardise(dynamic, statistics.dynamic)[..., 1], dynamic[..., 1])
    np.testing.assert_array_equal(inputs.standardise(static, statistics.static)[:, -1], static[:, -1])


def of_every_detection(metadata: np.ndarray, name: str) -> np.ndarray:
    source = schema.DERIVED_FROM.get(name, name)
    column = metadata[..., schema.METADATA_NAMES.index(source)]
    return column if source == name else inputs.derived(name, column)


def test_a_distance_has_a_logarithm_and_a_neighbour_that_is_not_there_is_as_far_as_was_searched():
    given = np.array([0.0, 0.1, 1, 12, -999, -5, np.nan], np.float32)
    expected = [-2, -1, 0, 1.07918, 1.47712, np.nan, np.nan]
    np.testing.assert_allclose(inputs.derived("log_distpsnr2", given), expected, rtol=1e-5)
    expected[4] = np.nan
    for name in ("log_distnr", "log_chinr"):
        np.testing.assert_allclose(inputs.derived(name, given), expected, rtol=1e-5)


def test_latitude_has_no_sign():
    np.testing.assert_array_equal(inputs.derived("abs_gal_b", np.float32([-30, 0, 12, np.nan])), [30, 0, 12, np.nan])


def test_what_is_derived_is_hidden_with_its_source():
    for name, source in schema.DERIVED_FROM.items():
        assert source in schema.METADATA_NAMES
        groups = [{source, name} & set(members) for members in schema.METADATA_GROUPS.values()]
        assert {source, name} in groups
        assert sum(map(bool, groups)) == 1


def test_logarithms_of_counts_reach_beyond_the_limits_of_the_counts():
    counts = {"ndethist": [1, 99, 999], "ncovhist": [9, 999, 9999], "non_detections": [0, 900, np.nan]}
    metadata = np.zeros((3, 1, 26), np.float32)
    for name, column in counts.items():
        metadata[:, 0, schema.METADATA_NAMES.index(name)] = column
    chosen = MetadataConfig(dynamic=(), static=tuple(f"log_{name}" for name in schema.COUNTS))
    _, found = inputs.assemble(metadata, np.zeros((3, 1)), np.zeros((3, 4), np.float32), chosen)
    expected = [[0.30103, 1, 0], [2, 3, np.log10(901)], [3, 4, np.nan]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    group = inputs.fit_group(found, chosen.static)
    assert group.lower == (0, 0, 0)
    assert group.upper == pytest.approx((3, 4, np.log10(901)))
    assert inputs.standardise(found, group)[2, 2] == 0  # what is missing is the mean


@given(
    dynamic=st.lists(st.sampled_from(VALUES_OF_DETECTIONS), unique=True, max_size=6),
    static=st.lists(st.sampled_from(VALUES_OF_OBJECTS), unique=True, max_size=6),
)
def test_any_choice_of_names_gives_those_columns_in_that_order(dynamic, static):
    rng = np.random.default_rng(3)
    metadata = rng.normal(size=(4, 2, 26)).astype(np.float32)
    jd, allwise = np.array([[0, 2.0]] * 4), rng.normal(size=(4, 4)).astype(np.float32)
    chosen = MetadataConfig(tuple(dynamic), tuple(static))
    found = inputs.assemble(metadata, jd, allwise, chosen)
    assert (found[0].shape, found[1].shape) == ((4, 2, len(dynamic)), (4, len(static)))
    for i, name in enumerate(dynamic):
        expected = [[0, 2]] * 4 if name == "time_gap" else of_every_detection(metadata, name)
        np.testing.assert_array_equal(found[0][..., i], expected)
    for i, name in enumerate(static):
        if name not in schema.COLOUR_NAMES:
            expected = of_every_detection(metadata, name)[:, 1]
        else:
            band = schema.COLOUR_NAMES.index(name)
            expected = allwise[:, band] - allwise[:, band + 1]
        np.testing.assert_array_equal(found[1][:, i], expected)
    statistics = inputs.fit(*found, chosen)
    assert inputs.standardise(found[1], statistics.static).shape == found[1].shape


def test_counts_so_far_are_those_of_the_alert_read_last_whatever_stands_around_it():
    alone = sequences((3, 1, 2), label=[0, 1, 2])
    both = with_histories(alone, seed=3)
    assert len(both.kind) > len(alone.kind)
    for n in (1, 2, 3):
        config = override(named.get("demo"), [f"n_detections={n}", "temporal.kernel=1"])
        found, expected = (inputs.examples(each, config).counts for each in (both, alone))
        np.testing.assert_array_equal(found, expected)
        rows = alone.object_start[:-1][alone.n_rows >= n] + n - 1
        for values, name in zip(found.T, ("ndethist", "ncovhist"), strict=True):
            np.testing.assert_array_equal(values, alone.metadata[rows, schema.METADATA_NAMES.index(name)])


def test_logarithms_are_rounded_once():
    """So they are the same on every machine and in an exported model."""
    counts = np.arange(3000, dtype=np.float32)
    expected = np.log10(1 + counts.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(inputs.derived("log_ndethist", counts), expected)
