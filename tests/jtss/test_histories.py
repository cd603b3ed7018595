"""Summaries of what a packet tells of the past, against numbers worked out by hand."""

import numpy as np
import pytest

from jtss import histories, schema
from jtss.schema import ALERT, DETECTION, LIMIT, METADATA_NAMES

NIGHT = 2459000.8


def packet(rows):
    """Arrays of rows (day, filter, kind, {metadata}) in time order."""
    metadata = np.full((len(rows), len(METADATA_NAMES)), np.nan, np.float32)
    for values, (*_, given) in zip(metadata, rows, strict=True):
        for name, value in given.items():
            values[METADATA_NAMES.index(name)] = value
    day, fid, kind = (np.array(column) for column in list(zip(*rows, strict=True))[:3])
    return NIGHT + day, fid, kind, metadata


def named(rows):
    return dict(zip(histories.SUMMARY_NAMES, histories.summary(*packet(rows)), strict=True))


def seen(magnitude, **others):
    return {"magpsf": magnitude, "diffmaglim": 20.5, "isdiffpos": 1, "ra": 10.0, "dec": 60.0} | others


ROWS = [
    (0.00, 1, DETECTION, seen(19.0, rb=0.8)),
    (0.05, 2, LIMIT, {"diffmaglim": 19.5}),
    (3.00, 1, DETECTION, seen(19.2, isdiffpos=0, rb=0.6, ra=10 + 2 / 3600)),
    (3.02, 2, DETECTION, seen(18.5)),
    (5.00, 1, DETECTION, seen(19.4, rb=0.7)),
    (9.00, 1, ALERT, seen(18.8, rb=0.9, distnr=-999.0)),
]


def test_times_are_counted():
    values = named(ROWS)
    expected = {
        "detections": 5, "limits": 1, "share_detected": 5 / 6, "span": 9, "nights": 4, "rows_per_night": 1.5,
        "gap_between_nights": 3, "share_g": 4 / 6, "since_last_detection": 4, "last_gap": 4,
    }  # fmt: skip
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-6), name


def test_what_was_measured_is_of_the_detections_alone():
    values = named(ROWS)
    expected = {
        "magnitude": 19.0, "now_minus_magnitude": -0.2, "colour": 19.1 - 18.5, "share_negative": 0.2,
        "sign_changes": 0.5, "depth": 20.5, "depth_minus_magnitude": 1.5, "median_rb": 0.75,
        "rb_scatter": np.std([0.8, 0.6, 0.7, 0.9]),
    }  # fmt: skip
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-5), name
    assert np.isnan(values["scatter_r"])  # of one detection
    assert np.isnan(values["median_distnr"])  # -999
    assert values["centroid_rms"] == pytest.approx(2 * 0.5 * np.sqrt(0.2 * 0.8), rel=0.03)  # at 60 degrees


def test_scatter_is_about_a_line():
    rows = [(day, 1, DETECTION, seen(18 + 0.1 * day + change)) for day, change in enumerate((0, 0, 0, 0, 0))]
    assert named(rows)["scatter_g"] == pytest.approx(0, abs=1e-5)
    rows[2] = (2, 1, DETECTION, seen(18.2 + 0.5))
    assert named(rows)["scatter_g"] == pytest.approx(0.5 * np.sqrt(0.2 * 0.8), rel=1e-3)


def test_right_ascension_may_pass_through_zero():
    rows = [(day, 1, DETECTION, seen(18, ra=ra)) for day, ra in enumerate((359.99999, 0.00001, 359.99999))]
    assert named(rows)["centroid_rms"] < 0.1


def test_a_packet_that_tells_nothing_has_no_summary():
    assert np.isnan(histories.summary(*packet(ROWS[-1:]))).all()


def test_a_packet_with_limits_alone_has_what_there_is():
    values = named([ROWS[1], ROWS[-1]])
    assert values["detections"] == values["limits"] == 1
    assert np.isnan(values["since_last_detection"])
    assert np.isnan(values["sign_changes"])


def test_summaries_go_packet_by_packet():
    jd, fid, kind, metadata = packet(ROWS)
    twice = {"jd": np.tile(jd, 2), "fid": np.tile(fid, 2), "kind": np.tile(kind, 2)}
    twice |= {"metadata": np.tile(metadata, (2, 1)), "object_start": np.array([0, 6, 12])}
    made = type("Packets", (), twice)
    result = histories.summaries(made)
    assert result.shape == (2, len(histories.SUMMARY_NAMES))
    np.testing.assert_array_equal(result[0], result[1])
    np.testing.assert_array_equal(result[0], histories.summary(jd, fid, kind, metadata))
    assert schema.ZTF_MISSING in metadata  # what was given stays


def test_a_sign_that_is_not_given_is_no_change_of_sign():
    signs = (1, np.nan, 1, 0)
    values = named([(day, 1, DETECTION, seen(19.0, isdiffpos=sign)) for day, sign in enumerate(signs)])
    assert values["sign_changes"] == pytest.approx(1 / 2)
    assert values["share_negative"] == pytest.approx(1 / 3)
    assert np.isnan(named([(day, 1, DETECTION, seen(19.0, isdiffpos=np.nan)) for day in (0, 1)])["sign_changes"])
