"""From blocks of packets to rows, keys and rejections: what the work of one process is."""

import numpy as np
import pytest

from data_prep.ledger import Rejection
from data_prep.packets.alerts import decode_block
from data_prep.packets.containers import read_blocks
from data_prep.packets.decode import ALERTS_PER_SLICE, REMARKS, decode
from data_prep.packets.stamps import scale
from data_prep.simulate.packets import encode_file, packet
from helpers.make_packets import CANDIDATE, NO_STAMPS, alert, images
from jtss.schema import METADATA_NAMES, STAMP_SIDE


@pytest.fixture
def blocks(tmp_path):
    """The blocks of a file of these records."""

    def blocks(*records):
        path = tmp_path / "some.avro"
        path.write_bytes(encode_file(list(records)))
        return list(read_blocks(path))

    return blocks


def remarks_of(key):
    return {name for bit, name in enumerate(REMARKS) if key["remarks"] >> bit & 1}


def test_a_row_is_what_the_packet_says(blocks):
    (decoded,) = decode(blocks(alert("ZTF18a", 7, ra=359.5, dec=-40.25, jd=2459001.5, fid=2)), pad_edges=False)
    (row,), (key,) = decoded.rows, decoded.keys
    assert (decoded.object_ids, decoded.n_read, decoded.rejections) == (["ZTF18a"], 1, [])
    assert (key["jd"], key["candid"], key["fid"]) == (2459001.5, 7, 2)
    np.testing.assert_array_equal(row["stamps"], scale(np.stack(images(7), axis=-1)).astype(np.float16))
    assert key["position"].tolist() == [359.5, -40.25]
    assert row["metadata"][METADATA_NAMES.index("magpsf")] == 18.5


def test_alerts_that_were_decoded_already_and_rejections_pass_through_in_order(blocks):
    given = blocks(alert("ZTF18a", 1), alert("ZTF18b", 2))
    lost = Rejection("not_avro", "no magic bytes", "there", n_alerts=3)
    alerts = [outcome for block in given for outcome in decode_block(block)]
    (decoded,) = decode([alerts[1], lost, alerts[0]], pad_edges=False)
    assert decoded.object_ids == ["ZTF18b", "ZTF18a"]
    assert (decoded.rejections, decoded.n_read) == ([lost], 5)
    (from_blocks,) = decode(given, pad_edges=False)
    np.testing.assert_array_equal(from_blocks.keys[::-1], decoded.keys)


def test_a_block_of_many_alerts_is_decoded_in_slices(blocks):
    stamps = [np.eye(STAMP_SIDE, dtype=np.float32)] * 3
    n = ALERTS_PER_SLICE + 2
    slices = decode(blocks(*(alert(f"ZTF{i}", i + 1, stamps) for i in range(n))), pad_edges=False)
    assert [len(part.rows) for part in slices] == [ALERTS_PER_SLICE, 2]
    assert [name for part in slices for name in part.object_ids] == [f"ZTF{i}" for i in range(n)]
    assert decode([], pad_edges=False) == []


def test_an_alert_at_the_edge_is_padded_to_classify_and_rejected_to_train(blocks):
    given = blocks(alert("ZTF18a", 1, images(1, (63, 40)), xpos=10.0), alert("ZTF18b", 2))
    (strict,), (padded,) = (decode(given, pad_edges=pad) for pad in (False, True))
    assert strict.object_ids == ["ZTF18b"]
    assert [(lost.reason, lost.object_id, lost.candid) for lost in strict.rejections] == [("stamp_shape", "ZTF18a", 1)]
    assert padded.rejections == []
    assert "padded_edge" in remarks_of(padded.keys[0])
    assert "padded_edge" not in remarks_of(padded.keys[1])
    assert np.isnan(padded.rows[0]["stamps"]).any()


def test_what_is_odd_is_remarked(blocks):
    flat, holed, filled = images(1), images(2), images(3)
    flat[1] = np.full((63, 63), 5, np.float32)
    holed[0][:3] = np.nan
    filled[2][0, 0] = -1e31
    records = [alert("flat", 1, flat), alert("holed", 2, holed), alert("filled", 3, filled), alert("plain", 4, fid=9)]
    less = {name: value for name, value in CANDIDATE.items() if name != "sgscore1"}
    (decoded,) = decode(blocks(*records, packet("less", 5, less, images(5))), pad_edges=False)
    found = dict(zip(decoded.object_ids, map(remarks_of, decoded.keys), strict=True))
    assert {name: remarks - {"missing_metadata"} for name, remarks in found.items()} == {
        "flat": {"constant_stamp"},
        "holed": {"nan_pixels"},
        "filled": {"fill_values"},
        "plain": {"unknown_filter"},
        "less": set(),
    }
    assert "missing_metadata" in found["less"]


def test_an_alert_without_stamps_is_a_rejection_with_its_name(blocks):
    (decoded,) = decode(blocks(alert("ZTF18a", 3, NO_STAMPS)), pad_edges=True)
    assert [(lost.reason, lost.object_id, lost.candid) for lost in decoded.rejections] == [
        ("missing_stamp", "ZTF18a", 3)
    ]
    assert (len(decoded.rows), decoded.n_read) == (0, 1)


def test_the_digest_tells_contents_apart(blocks):
    one, same, other = (
        decode(blocks(alert("ZTF18a", 1, images(seed))), pad_edges=False)[0].keys[0]["digest"] for seed in (1, 1, 2)
    )
    assert one == same != other
