"""Clip and standardise: the paper's limits, missing values, and statistics by an independent road."""

import json

import numpy as np
import pytest

from jtss import features, schema

NAMES = [feature.name for feature in features.DYNAMIC]


def values(seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(5, 20, (n, 3, 10)).astype(np.float32), rng.normal(0, 5, (n, 17)).astype(np.float32)


def test_assembled_columns():
    rng = np.random.default_rng(1)
    metadata = rng.normal(size=(2, 3, 23)).astype(np.float32)
    jd = 2458000.5 + np.array([[0, 1.25, 3.5], [10, 10.5, 40]])
    allwise = np.array([[15, 14.5, 12, 9], [13, np.nan, 11, 10]], np.float32)
    dynamic, static = features.assemble(metadata, jd, allwise)
    np.testing.assert_allclose(dynamic[..., 0], [[0, 1.25, 2.25], [0, 0.5, 29.5]])
    np.testing.assert_array_equal(dynamic[..., 1:], metadata[..., :9])
    np.testing.assert_array_equal(static[:, :14], metadata[:, 2, 9:])
    np.testing.assert_allclose(static[:, 14:], [[0.5, 2.5, 3], [np.nan, np.nan, 1]])


def test_nine_dynamic_and_fourteen_static_values_as_in_the_paper():
    assert (len(schema.DYNAMIC_METADATA), len(schema.STATIC_METADATA)) == (9, 14)
    assert (len(features.DYNAMIC), len(features.STATIC)) == (10, 17)


def test_training_values_come_out_with_mean_zero_and_deviation_one():
    dynamic, static = values()
    statistics = features.fit(dynamic, static)
    out = features.standardise(dynamic, statistics.dynamic).reshape(-1, 10)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)


def test_limits_of_table_3_and_extremes_of_the_training_split():
    dynamic, static = values()
    statistics = features.fit(dynamic, static)
    row = dict(zip(NAMES, zip(statistics.dynamic.lower, statistics.dynamic.upper, strict=True), strict=True))
    assert row["ndethist"] == (dynamic[..., NAMES.index("ndethist")].min(), 20)
    assert row["magpsf"] == (dynamic[..., 6].min(), dynamic[..., 6].max())
    static_names = [feature.name for feature in features.STATIC]
    upper = dict(zip(static_names, statistics.static.upper, strict=True))
    assert (upper["chinr"], upper["sharpnr"]) == (15, 1.5)
    beyond = np.full((1, 1, 10), 1e6, np.float32)
    np.testing.assert_allclose(
        features.standardise(beyond, statistics.dynamic),
        features.standardise(np.array(statistics.dynamic.upper)[None, None], statistics.dynamic),
        rtol=1e-6,
    )


def test_the_floor_absorbs_the_missing_mark_of_ztf():
    dynamic, static = values()
    statistics = features.fit(dynamic, static).static
    marked = static[:1].copy()
    marked[0, 0] = schema.ZTF_MISSING
    floor = static[:1].copy()
    floor[0, 0] = -1
    np.testing.assert_array_equal(features.standardise(marked, statistics), features.standardise(floor, statistics))


def test_missing_is_the_training_mean():
    dynamic, static = values()
    static[::3, 15] = np.nan
    statistics = features.fit(dynamic, static)
    out = features.standardise(static, statistics.static)
    assert np.all(out[::3, 15] == 0)
    present = np.delete(static[:, 15], np.s_[::3]).astype(np.float64)
    assert statistics.static.mean[15] == pytest.approx(present.mean())
    assert statistics.static.std[15] == pytest.approx(present.std())


def test_a_constant_and_an_absent_feature_do_no_harm():
    dynamic, static = values()
    dynamic[..., 3] = 7
    static[:, 14:] = np.nan
    statistics = features.fit(dynamic, static)
    assert np.all(features.standardise(dynamic, statistics.dynamic)[..., 3] == 0)
    assert np.all(features.standardise(static, statistics.static)[:, 14:] == 0)
    present = np.zeros((1, 17), np.float32)
    assert np.all(np.isfinite(features.standardise(present, statistics.static)))


def test_json_brings_back_the_same_statistics_and_refuses_others():
    statistics = features.fit(*values())
    text = json.dumps(statistics.to_dict())
    assert features.Statistics.from_dict(json.loads(text)) == statistics
    renamed = json.loads(text.replace('"magpsf"', '"magap"'))
    with pytest.raises(ValueError, match="magap"):
        features.Statistics.from_dict(renamed)
