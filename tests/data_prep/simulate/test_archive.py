"""A simulated sky as alert packets."""

import io
import json

import fastavro
import h5py
import numpy as np
import pytest

from data_prep import labels as data_prep_labels
from data_prep.build import build
from data_prep.infrared import crossmatch
from data_prep.ingest import ingest
from data_prep.simulate import archive, detections, simulate
from data_prep.simulate.archive import simulate_packets, stream_packets
from data_prep.simulate.objects import SKIES
from jtss.schema import CLASS_NAMES, COLUMNS

N_OBJECTS, SEED = 60, 8  # a seed with masks and fill values among its alerts


@pytest.mark.parametrize("sky", SKIES)
def test_packets_built_give_the_same_arrays(tmp_path, monkeypatch, sky):
    """With histories: also alerts at the edge, whose packets are dropped, but of which later ones tell."""
    monkeypatch.setattr(detections, "EDGE_SHARE", 0.05)
    path = tmp_path / "all.h5"
    simulate(path, N_OBJECTS, SEED, CLASS_NAMES, sky=sky, workers=1, progress=False)
    simulate_packets(tmp_path / "packets", N_OBJECTS, SEED, CLASS_NAMES, sky=sky, workers=1, progress=False)
    (tmp_path / "work").mkdir()
    read = ingest([tmp_path / "packets" / "alerts"], workdir=tmp_path / "work", workers=1, progress=False)
    allwise = crossmatch.load(tmp_path / "packets" / "allwise.csv")
    labels = data_prep_labels.load(tmp_path / "packets" / "labels.csv")
    subclasses = data_prep_labels.load_subclasses(tmp_path / "packets" / "labels.csv")
    (built,) = read.batches(N_OBJECTS, allwise, labels, subclasses)
    with h5py.File(path) as file:
        for name in COLUMNS.keys() - {"split"}:  # drawn when the file is finished
            stored = file[name].asstr()[:] if name == "object_id" else file[name][:]
            np.testing.assert_array_equal(getattr(built, name), stored, err_msg=name)
        ledger = json.loads(file.attrs["ledger"])
    counted = read.ledger.as_dict()
    assert {name: counted[name] for name in ("read", "kept", "dropped")} == {
        name: ledger[name] for name in ("read", "kept", "dropped")
    }
    assert counted["dropped"].keys() == {"within_6_hours", "stamp_shape"}
    assert counted["notes"]["nan_pixels"] > 0
    assert counted["notes"]["history_detections"] > counted["dropped"]["within_6_hours"]
    for name in ("history_detections", "history_limits"):
        assert counted["notes"][name] == ledger["notes"][name]


def test_the_two_roads_lead_to_one_content(tmp_path):
    by_file = simulate(tmp_path / "all.h5", N_OBJECTS, SEED, CLASS_NAMES, workers=1, progress=False)
    simulate_packets(tmp_path / "packets", N_OBJECTS, SEED, CLASS_NAMES, workers=1, progress=False)
    tables = {f"{name}_path": tmp_path / "packets" / f"{name}.csv" for name in ("labels", "allwise")}
    options = {"command": "test", "seed": SEED, "workers": 1} | tables
    assert build([tmp_path / "packets" / "alerts"], tmp_path / "built.h5", **options).content_hash == by_file


def test_the_same_packets_come_in_the_order_of_time(tmp_path):
    settings = {"n_objects": 20, "seed": SEED, "classes": CLASS_NAMES, "workers": 1, "progress": False}
    simulate_packets(tmp_path / "packets", **settings)
    in_files = [
        record for path in (tmp_path / "packets").glob("alerts/*") for record in fastavro.reader(path.open("rb"))
    ]
    (streamed,) = zip(*(fastavro.reader(io.BytesIO(one)) for one in stream_packets(**settings)), strict=True)
    times = [record["candidate"]["jd"] for record in streamed]
    assert times == sorted(times)
    assert len(streamed) == len(in_files) > 40
    by_candid = {record["candid"]: record for record in in_files}
    for record in streamed:
        assert record == by_candid[record["candid"]]


def test_packets_are_not_mixed_with_other_files(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(FileExistsError, match="not empty"):
        simulate_packets(tmp_path, 3, 0, progress=False)


@pytest.mark.parametrize("exists", [True, False])
def test_packets_are_written_whole_or_not_at_all(tmp_path, monkeypatch, exists):
    """Interrupted in the second of two chunks."""
    folder, made = tmp_path / "packets", []

    def interrupted(chunk):
        if made:
            raise KeyboardInterrupt
        made.append(archive.PacketChunk(b"", [], []))
        return made[0]

    if exists:
        folder.mkdir()
    monkeypatch.setattr(archive, "packet_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate_packets(folder, 2, 0, ("AGN", "SN"), workers=1, progress=False)
    assert made
    assert list(tmp_path.rglob("*")) == [folder] * exists
