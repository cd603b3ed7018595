"""From packets to sequences: the right numbers in the right place, whatever the number of processes."""

import errno
import io
import json
import os

import fastavro
import numpy as np
import pytest
from scipy.spatial import cKDTree

from data_prep import ingest as data_prep_ingest
from data_prep.infrared.crossmatch import AllWise
from data_prep.ingest import ingest, write_rejects
from data_prep.ledger import Rejection
from data_prep.packets.containers import read_blocks
from data_prep.packets.metadata import catalogue, unit_vectors
from data_prep.packets.stamps import scale
from data_prep.packets.walking import find
from data_prep.simulate.packets import alert_schema, encode_file
from data_prep.tasks import portions
from helpers.make_packets import CANDIDATE, alert, images, night, save, save_tar
from jtss import views
from jtss.schema import CHANNEL_NAMES, DETECTION, METADATA_NAMES, check


@pytest.fixture
def read(tmp_path):
    """Ingest records given as Avro files of their own, in this process."""

    def _read(records, **options):
        workdir = tmp_path / "work"
        workdir.mkdir()
        folder = save(tmp_path / "alerts", records)
        return ingest([folder], workdir=workdir, progress=False, **{"workers": 1} | options)

    return _read


def test_sequences_hold_what_the_packets_say(read):
    with read(night()) as ingested:
        (sequences,) = ingested.batches()
        assert ingested.ledger.as_dict()["dropped"] == {"within_6_hours": 1, "beyond_first_5": 1}
    check(sequences)
    assert sequences.object_id.tolist() == [f"ZTF18{name}" for name in "abcde"]
    assert sequences.candid[sequences.kind == DETECTION].tolist() == [15, 21]  # those that are dropped
    sequences = views.alerts(sequences)
    assert sequences.candid.tolist() == [10, 11, 12, 13, 14, 20, 22, 30, 31, 32]
    assert sequences.n_alerts.tolist() == [5, 2, 1, 1, 1]
    by_candid = {record["candid"]: record["candidate"] for record in night()}
    for row, candid in enumerate(sequences.candid):
        stamps = scale(np.stack(images(int(candid)), axis=-1)).astype(np.float16)
        np.testing.assert_array_equal(sequences.stamps[row], stamps)
        assert sequences.jd[row] == by_candid[candid]["jd"]
    known = {name: np.array([float(CANDIDATE[name])]) for name in CANDIDATE if name not in ("isdiffpos", "jd", "dec")}
    expected = catalogue(known | {"isdiffpos": np.ones(1), "dec": np.array([-39.0])})
    np.testing.assert_array_equal(sequences.metadata[8:9], expected)
    assert (sequences.label == -1).all()
    assert np.isnan(sequences.allwise).all()


def test_channels_are_science_template_difference(read):
    stamps = images(1)
    for level, stamp in enumerate(stamps):
        stamp[:] = np.linspace(0, 1, 63, dtype=np.float32) ** (level + 1)
    with read([alert(stamps=stamps)]) as ingested:
        (sequences,) = ingested.batches()
    for channel, level in zip(range(len(CHANNEL_NAMES)), (1, 2, 3), strict=True):
        np.testing.assert_allclose(sequences.stamps[0, 5, :, channel], np.linspace(0, 1, 63) ** level, atol=1e-3)


def test_batches_do_not_change_the_content(read):
    with read(night()) as ingested:
        (whole,) = ingested.batches()
        parts = list(ingested.batches(objects_per_batch=2))
    assert [part.n_objects for part in parts] == [2, 2, 1]
    for name in ("stamps", "metadata", "jd", "candid", "object_id"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))


def test_allwise_is_matched_at_the_first_kept_detection(read):
    """The later detection lies 3 arcsec off, nearer to another source."""
    magnitudes = np.array([[15, 14, 12, 9], [10, 10, 10, 10]], np.float32)
    allwise = AllWise(cKDTree(unit_vectors(np.array([150.0, 150.0]), np.array([2.0, 2.0 + 3 / 3600]))), magnitudes)
    records = [
        alert("ZTF18x", 2, jd=2459010.5, dec=2.0 + 3 / 3600),
        alert("ZTF18x", 1, jd=2459000.5, dec=2.0),
        alert("ZTF18y", 3, dec=2.1),
    ]
    with read(records) as ingested:
        (sequences,) = ingested.batches(allwise=allwise, labels={"ZTF18y": "SN", "ZTF18x": "TDE"})
    np.testing.assert_array_equal(sequences.allwise, [magnitudes[0], [np.nan] * 4])
    assert sequences.label.tolist() == [-1, 1]


@pytest.mark.parametrize("off", [{"ra": 370.0, "dec": 2.0}, {"ra": 190.0, "dec": 178.0}])
def test_a_position_off_the_sky_matches_nothing(read, off):
    """Each points, taken as an angle, at the one source."""
    allwise = AllWise(cKDTree(unit_vectors(np.array([10.0]), np.array([2.0]))), np.full((1, 4), 12, np.float32))
    with read([alert("ZTF18on", 1, ra=10.0, dec=2.0), alert("ZTF18off", 2, **off)]) as ingested:
        (sequences,) = ingested.batches(allwise=allwise)
    assert sequences.object_id.tolist() == ["ZTF18off", "ZTF18on"]
    assert np.isfinite(sequences.allwise[:, 0]).tolist() == [False, True]


def test_an_object_that_lost_every_alert_is_still_known(read):
    edge = alert("ZTF18edge", 5, stamps=images(5, (63, 40)))
    with read([*night(), edge]) as ingested:
        lost = ingested.dropped_by_object()
        rejections = {r.candid: r for r in ingested.rejections()}
    assert "ZTF18edge" not in ingested.object_ids
    assert lost == {"ZTF18edge": {"stamp_shape": 1}, "ZTF18a": {"beyond_first_5": 1}, "ZTF18b": {"within_6_hours": 1}}
    assert rejections[5].source.endswith("ZTF18edge_5.avro")
    assert rejections[5].detail == "63 x 40 pixels, expected 63 x 63"
    assert rejections[21].source.endswith("ZTF18b_21.avro")


def test_edges_are_padded_to_classify(read):
    """At xpos = 9 the image has 8 pixels left of the source's, so 23 columns are missing there."""
    stamps = images(5, (63, 40))
    with read([alert("ZTF18edge", 5, stamps=stamps, xpos=9.0), *night()], pad_edges=True) as ingested:
        (sequences,) = ingested.batches()
        assert ingested.objects_with("padded_edge") == {"ZTF18edge"}
        assert ingested.objects_with("nan_pixels") == set()  # the packet has none
        assert ingested.ledger.notes == {"padded_edge": 1, "history_not_given": 13, "history_detections": 2}
    padded = sequences.stamps[sequences.stamp_row[sequences.candid == 5][0]]
    assert np.isnan(padded[:, :23]).all()
    assert np.isfinite(padded[:, 23:]).all()


def test_remarks_are_counted_for_kept_detections_only(read):
    """The sixth detection of A is odd in every way, but not kept."""
    odd = images(15)
    odd[0][:3], odd[1][:] = np.nan, 7.0
    records = [record for record in night() if record["candid"] != 15]
    records += [alert("ZTF18a", 15, stamps=odd, jd=2459030.5, fid=9), alert("ZTF18f", 40, stamps=odd, magpsf=-999.0)]
    with read(records) as ingested:
        odd_ones = {"nan_pixels": 1, "constant_stamp": 1, "missing_metadata": 1}
        assert ingested.ledger.notes == odd_ones | {"history_not_given": 13}


def test_a_candid_that_two_objects_share_is_noted(read):
    with read([alert("ZTF18a", 7), alert("ZTF18b", 7), alert("ZTF18c", 8)]) as ingested:
        assert ingested.ledger.as_dict()["kept"] == 3
        assert ingested.ledger.notes == {"candid_under_several_objects": 1, "history_not_given": 3}


def test_the_bar_counts_bytes_to_the_last(tmp_path, monkeypatch):
    bars = []

    class Bar(data_prep_ingest.tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options, file=io.StringIO())
            bars.append(self)

    monkeypatch.setattr(data_prep_ingest, "tqdm", Bar)
    save(tmp_path / "alerts", night())
    (tmp_path / "alerts" / "readme.txt").write_text("not read")
    ingest([tmp_path / "alerts"], workdir=tmp_path, workers=1).__exit__()
    size = sum(path.stat().st_size for path in (tmp_path / "alerts").glob("*.avro"))
    assert [(bar.n, bar.total) for bar in bars] == [(size, size)]


def test_a_full_disk_is_named(read, monkeypatch):
    def full(_descriptor, _data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"work/rows: cannot grow beyond 0.0 GB \(No space left on device\)"):
        read(night())


def test_two_processes_give_what_one_gives(tmp_path):
    files = {"a.avro": encode_file(night()[:7]), "b.avro": encode_file(night()[7:], "deflate"), "c.avro": b"junk"}
    archive = save_tar(tmp_path / "night.tar.gz", files)
    results = []
    for n_workers in (1, 2):
        workdir = tmp_path / str(n_workers)
        workdir.mkdir()
        with ingest([archive], workdir=workdir, workers=n_workers, progress=False) as ingested:
            (sequences,) = ingested.batches()
            results.append((ingested.ledger.as_dict(), list(ingested.rejections()), sequences))
    (one_ledger, one_rejections, one), (two_ledger, two_rejections, two) = results
    assert one_ledger == two_ledger
    assert one_rejections == two_rejections
    assert [r.source.split("!")[-1] for r in one_rejections] == ["c.avro", "a.avro", "b.avro"]
    for name in ("stamps", "metadata", "jd", "candid", "fid", "object_id", "object_start"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_large_schemas_fill_a_task(tmp_path):
    """Each block carries the schema of its file: 40 of 1 MB are five tasks, not one."""
    schema = json.dumps(alert_schema() | {"doc": "x" * (1 << 20)}).encode()
    for i in range(40):
        with (tmp_path / f"{i}.avro").open("wb") as file:
            fastavro.writer(file, json.loads(schema), [alert(candid=i + 1)])
    sizes = [sum(len(block.schema_json) for block in task) for task in portions(read_blocks(tmp_path))]
    assert len(sizes) == 5
    assert max(sizes) < 10 << 20


def test_files_that_cannot_be_looked_at_do_not_stop_the_count(tmp_path):
    """A link to a name too long stands for one into a folder that is closed to us: `Path.is_file` raises for both."""
    save(tmp_path, [alert()])
    (tmp_path / "long.avro").symlink_to("y" * 300)
    assert data_prep_ingest._size(find(tmp_path)) == (tmp_path / "ZTF18aaaaaaa_1.avro").stat().st_size


def test_a_missing_path_is_named_before_anything_is_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ingest([save(tmp_path / "alerts", night()), tmp_path / "nowhere"], workdir=tmp_path, workers=1)


def test_real_alerts_lose_nothing_but_edges_and_the_rule(ztf_dir, tmp_path):
    paths = sorted((ztf_dir / "alerts").glob("ZTF18*.avro"))[:150]
    with ingest(paths, workdir=tmp_path, workers=1, progress=False) as ingested:
        assert ingested.ledger.read == 150
        assert set(ingested.ledger.dropped) <= {"stamp_shape", "within_6_hours", "beyond_first_5"}
        (sequences,) = map(views.alerts, ingested.batches())
    limits = {"fwhm": (0.5, 100), "magpsf": (10, 23), "sigmapsf": (0, 0.5), "diffmaglim": (14, 23), "classtar": (0, 1)}
    limits |= {"isdiffpos": (0, 1), "ndethist": (1, 9000), "non_detections": (-20, 9000), "dec": (-35, 90)}
    for name, (low, high) in limits.items():
        values = sequences.metadata[:, METADATA_NAMES.index(name)]
        assert ((values >= low) & (values <= high)).all(), name


def test_an_account_that_does_not_balance_is_an_error(read, monkeypatch):
    """Also under python -O, which leaves out every assert."""
    spool = data_prep_ingest.Spool
    sources = spool.sources
    monkeypatch.setattr(spool, "sources", lambda self: list(sources(self))[1:])
    with pytest.raises(RuntimeError, match="2 alerts read, 1 of them kept or dropped"):
        read([alert(candid=1), alert("ZTF18b", 2)])


class Rejected:
    """What was ingested, as far as `write_rejects` asks, of a temporary file that cannot be read to its end."""

    def __init__(self, error=None):
        self.error = error

    def rejections(self):
        yield Rejection("bad_jd", "jd nan", "here.avro", "ZTF18a", 7)
        if self.error:
            raise self.error


def test_rejects_name_the_file_at_fault(tmp_path, monkeypatch):
    path = tmp_path / "rejects.jsonl"
    with pytest.raises(OSError, match="temporary") as failed:
        write_rejects(path, Rejected(OSError(errno.EIO, "Input/output error", "temporary")))
    assert "rejects.jsonl" not in str(failed.value)
    monkeypatch.setattr(data_prep_ingest, "REJECTIONS_AT_ONCE", 1)
    write_rejects(path, Rejected())
    assert [json.loads(line)["candid"] for line in path.read_text().splitlines()] == [7]

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"^{path} cannot be written: No space left on device$"):
        write_rejects(path, Rejected())
    assert os.listdir(tmp_path) == ["rejects.jsonl"]
