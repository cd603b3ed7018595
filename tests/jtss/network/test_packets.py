"""Packets as a network reads them: each alert with its month, at the end of equally many rows."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep.packets.metadata import HISTORY_FIELDS
from helpers.made_sequences import COLUMN, sequences, with_histories
from jtss import schema, views
from jtss.config import named
from jtss.config.settings import override
from jtss.network import packets
from jtss.network.inputs import source_crops
from jtss.network.parts import NO_ROW
from jtss.schema import ALERT, DETECTION, LIMIT, NO_STAMP, TOLD_DAYS

CONFIG = override(named.get("any_gru"), ["packet.rows=6", "stamp.crop=5"])
MADE = with_histories(
    sequences([3, 1, 2, 5], label=[0, 2, 1, -1], subclass=[8, -1, 0, -1], split=[0, 1, 2, -1]), most=9
)
MADE = replace(MADE, metadata=np.abs(MADE.metadata))  # counts have logarithms


def month_of(made, index, alert):
    """Rows of one packet, by walking back from its alert."""
    begin, end = made.object_start[index : index + 2]
    last = [row for row in range(begin, end) if made.kind[row] == ALERT][alert]
    return [row for row in range(begin, last + 1) if row == last or made.jd[row] > made.jd[last] - TOLD_DAYS]


def check_rows(found, i, rows, made, n_rows):
    """The latest of these rows, at the end, and nothing before them; of earlier ones what a packet tells."""
    rows = rows[-n_rows:]
    empty = n_rows - len(rows)
    one = found.take(np.array([i]))
    kinds = [DETECTION if kind == ALERT else kind for kind in made.kind[rows[:-1]]] + [ALERT]
    assert one.rows.kind[0].tolist() == [NO_ROW] * empty + kinds
    assert one.rows.fid[0].tolist() == [0] * empty + made.fid[rows].tolist()
    np.testing.assert_allclose(one.rows.days[0, empty:], made.jd[rows] - made.jd[rows[-1]], atol=1e-5)
    magpsf, has_counters = (CONFIG.metadata.dynamic.index(name) for name in ("magpsf", "has_counters"))
    np.testing.assert_array_equal(one.dynamic[0, empty:, magpsf], made.metadata[rows, COLUMN["magpsf"]])
    assert np.isnan(one.dynamic[0, :empty, magpsf]).all()
    assert one.dynamic[0, :, has_counters].tolist() == [0] * (n_rows - 1) + [1]
    sgscore = CONFIG.metadata.static.index("sgscore1")
    assert one.static[0, sgscore] == made.metadata[rows[-1], COLUMN["sgscore1"]]
    stamps = made.stamps[made.stamp_row[rows[-1]]]
    np.testing.assert_array_equal(one.stamps[0, 0], source_crops(stamps, CONFIG.stamp).astype(np.float16))
    np.testing.assert_array_equal(one.counts[0], made.metadata[rows[-1], 1:3])


def test_every_alert_is_a_packet():
    found = packets.to_train(MADE, CONFIG)
    assert found.index.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 3]
    assert found.label.tolist() == [0, 0, 0, 2, 1, 1, -1, -1, -1, -1, -1]
    assert found.subclass.tolist() == [8, 8, 8, -1, 0, 0, -1, -1, -1, -1, -1]
    assert found.split.tolist() == [0, 0, 0, 1, 2, 2, -1, -1, -1, -1, -1]
    for i, (index, alert) in enumerate(zip(found.index, [0, 1, 2, 0, 0, 1, 0, 1, 2, 3, 4], strict=True)):
        check_rows(found, i, month_of(MADE, index, alert), MADE, 6)
    assert found.rows.stamp_at.tolist() == [[5]] * 11


def test_what_is_answered_is_the_first_alert_with_its_month():
    found = packets.to_classify(MADE, CONFIG)
    assert found.index.tolist() == [0, 1, 2, 3]
    for i in range(4):
        check_rows(found, i, month_of(MADE, i, 0), MADE, 16)
    assert found.rows.stamp_at.tolist() == [[15]] * 4


def test_subclasses_follow_the_order_of_the_configs():
    """Those that it does not tell apart are unknown to it."""
    for subclasses, expected in (
        ("blazar,SN Ia,Seyfert", [2, -1, 1, -1]),
        ("blazar", [-1, -1, -1, -1]),
        ("", [-1] * 4),
    ):
        found = packets.to_classify(MADE, override(CONFIG, [f"subclasses={subclasses}"]))
        assert found.subclass.tolist() == expected
        assert found.subclass.dtype == np.int32


def test_of_very_many_rows_the_latest_are_read(monkeypatch):
    monkeypatch.setattr(packets, "MOST_ROWS", 3)
    found = packets.to_classify(MADE, CONFIG)
    for i in range(4):
        check_rows(found, i, month_of(MADE, i, 0), MADE, 3)


def test_a_packet_tells_what_ztf_does():
    assert {*schema.TOLD_NAMES, "jd", "fid"} == set(HISTORY_FIELDS)


@pytest.mark.parametrize(("longest", "n_rows"), [(1, 16), (16, 16), (17, 32), (500, 512)])
def test_few_lengths_serve_all(longest, n_rows):
    assert packets._padded(longest, packets.LEAST_ROWS) == n_rows


def alerts_of(made, index, alert):
    """Rows of the alerts of one packet, its own first and then back in time."""
    return [row for row in month_of(made, index, alert)[::-1] if made.kind[row] == ALERT]


def test_the_stamps_of_earlier_alerts_are_beside_their_rows():
    """Up to as many as are read, its own first; rows that a packet does not tell have none."""
    config = override(CONFIG, ["packet.stamps=4"])
    objects, which = np.array([0, 0, 1, 3]), np.array([2, 1, 0, 4])
    found = packets.of_alerts(MADE, config, objects, which)
    n_rows = found.rows.kind.shape[1]
    several = 0
    for i, (index, alert) in enumerate(zip(objects, which, strict=True)):
        rows = alerts_of(MADE, index, alert)[:4]
        several += len(rows) > 1
        months = month_of(MADE, index, alert)
        places = [n_rows - len(months) + months.index(row) for row in rows]
        assert found.rows.stamp_at[i].tolist() == places + [NO_STAMP] * (found.rows.stamp_at.shape[1] - len(places))
        for stamp, row in zip(found.stamps[i], rows, strict=False):
            expected = source_crops(MADE.stamps[MADE.stamp_row[row]], config.stamp).astype(np.float16)
            np.testing.assert_array_equal(stamp, expected)
    assert several >= 2
    one = packets.of_alerts(MADE, override(config, ["packet.stamps=1"]), objects, which)
    assert one.rows.stamp_at.tolist() == [[n_rows - 1]] * 4


def test_training_shows_the_stamps_that_are_asked_for_and_its_own_where_there_are_none():
    back = np.stack([np.arange(11) % 3, np.arange(11) % 2], axis=1)
    found = packets.to_train(MADE, CONFIG, back=back)
    assert found.rows.stamp_at.shape == (11, 2)
    pairs = zip(found.index, [0, 1, 2, 0, 0, 1, 0, 1, 2, 3, 4], strict=True)
    earlier = two = 0
    for i, (index, alert) in enumerate(pairs):
        told, rows = month_of(MADE, index, alert)[-6:], alerts_of(MADE, index, alert)
        rows = [row for row in rows if row in told]
        first, second = (rows[n] if n < len(rows) else rows[0] for n in back[i])
        earlier += first != rows[0]
        two += first != second
        places = [6 - len(told) + told.index(row) for row in (first, second)]
        assert found.rows.stamp_at[i].tolist() == (places if first != second else [places[0], NO_STAMP])
        for stamp, row in zip(found.stamps[i], (first, second) if first != second else (first,), strict=False):
            expected = source_crops(MADE.stamps[MADE.stamp_row[row]], CONFIG.stamp).astype(np.float16)
            np.testing.assert_array_equal(stamp, expected)
    assert earlier >= 2
    assert two >= 2


def test_a_model_without_images_reads_no_pixels():
    blind = replace(CONFIG, stamp=replace(CONFIG.stamp, channels=()), hide=replace(CONFIG.hide, stamps=0.0))
    assert packets.to_train(MADE, blind).stamps.shape[-1] == 0


def test_a_change_is_that_of_the_light_at_the_place():
    """Of a source of magnitude 18 by a tenth up and down, of a new one from nothing, and what is not known."""
    values = {name: np.full(9, np.nan, np.float32) for name in schema.METADATA_NAMES}
    values["magpsf"] = np.array([20.5, 20.5, 19.0, 17.0, 20.5, 20.5, 19.0, 19.0, -999], np.float32)
    values["isdiffpos"] = np.array([1, 0, 1, 0, 1, np.nan, 1, 1, 1], np.float32)
    values["distnr"] = np.array([0.2, 0.2, 4.0, 0.2, np.nan, 0.2, -999, 0.2, 0.2], np.float32)
    values["magnr"] = np.array([18, 18, 20, 18, 18, 18, -999, -999, 18], np.float32)
    change = packets._change(np.stack([*values.values()], axis=-1))
    new = 2.5 * np.log10(1 + 10 ** (0.4 * (packets.TOO_FAINT_MAG - 19)))
    faded, unknown = 2.5 * np.log10(packets.LEAST_LEFT), np.nan
    expected = [2.5 * np.log10(1.1), 2.5 * np.log10(0.9), new, faded, unknown, unknown, new, unknown, unknown]
    np.testing.assert_allclose(change, expected, atol=1e-4)


def test_a_masked_crop_is_no_stamp():
    """Where no image that is read has a pixel in it; what lies outside the crop does not help."""
    stamps = MADE.stamps.copy()
    middle = slice(schema.STAMP_SIDE // 2 - 2, schema.STAMP_SIDE // 2 + 3)
    stamps[0, middle, middle] = np.nan
    stamps[1, middle, middle, 0] = np.nan  # the other images are there
    found = packets.to_train(replace(MADE, stamps=stamps), CONFIG)
    assert found.rows.stamp_at[:3].tolist() == [[NO_STAMP], [5], [5]]


def test_sequences_are_read_as_before():
    config = named.get("demo")
    for read in (packets.to_train, packets.to_classify):
        assert read(MADE, config).rows is None
        assert read(MADE, config).index.tolist() == [0, 3]


def test_no_objects_are_no_packets():
    nothing = schema.take(MADE, np.zeros(0, int))
    assert len(packets.to_train(nothing, CONFIG).label) == len(packets.to_classify(nothing, CONFIG).label) == 0
    assert len(views.packet(nothing, np.zeros(0, int), np.zeros(0, int)).jd) == 0


def test_a_young_survey_tells_what_it_has_seen():
    """Rows before it began are not there, nor detections before a lone alert; the counters are of the others."""
    alert_jd = MADE.jd[MADE.kind == ALERT]
    days = np.array([0, 2, TOLD_DAYS, np.inf] * 3)[: len(alert_jd)]
    lone = np.arange(len(days)) % 3 == 2
    found = packets.to_train(MADE, CONFIG, packets.Watched(days, lone))
    as_they_came = packets.to_train(MADE, CONFIG)
    counter = CONFIG.metadata.dynamic.index("log_ncovhist")
    is_last = np.arange(6) == 5
    for i, watched in enumerate(days):
        kind, before = as_they_came.rows.kind[i], as_they_came.rows.days[i]
        seen = (kind != NO_ROW) & ((before >= -watched) & (~lone[i] | (kind == LIMIT)) | is_last)
        np.testing.assert_array_equal(found.rows.kind[i], np.where(seen, kind, NO_ROW))
        if watched == 0:
            assert found.counts[i].tolist() == [1, 1]
            assert found.dynamic[i, -1, counter] == np.log10(2, dtype=np.float32)
        elif lone[i]:
            assert found.counts[i, 0] == 1
        elif np.isinf(watched):
            np.testing.assert_array_equal(found.counts[i], as_they_came.counts[i])


def test_a_sequence_of_a_young_survey_counts_from_its_first_alert_on():
    config, n = named.get("demo"), (MADE.kind == ALERT).sum()
    watched = packets.as_it_came(n)._replace(days=np.zeros(n))
    found = packets.to_train(MADE, override(config, ["metadata.dynamic=ndethist,ncovhist"]), watched)
    assert found.dynamic[:, 0].tolist() == [[1, 1], [1, 1]]
    assert (np.diff(found.dynamic, axis=1) >= 1).all()
