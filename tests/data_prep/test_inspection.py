"""The summary of a data set counts right, and sees damage; the gallery draws."""

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

from data_prep.__main__ import main
from data_prep.inspection import draw
from data_prep.ledger import Ledger
from helpers.made_files import some_sequences, write
from helpers.made_sequences import sequences, with_histories
from helpers.unread import run_unread
from jtss.dataset import Writer
from jtss.schema import DETECTION, LIMIT, METADATA_NAMES

AGN, SN = 0, 1
TRAIN, TEST = 0, 2


@pytest.fixture
def data_set(tmp_path):
    """Five objects: two AGN and one SN for training, one SN for test, one unlabelled."""
    sequences = some_sequences([1, 3, 5, 2, 4])
    sequences.label[:] = [AGN, AGN, SN, SN, -1]
    sequences.subclass[:] = [7, 9, 0, 0, -1]
    sequences.metadata[:] = 1
    sequences.metadata[:3, METADATA_NAMES.index("classtar")] = np.nan
    sequences.metadata[:6, METADATA_NAMES.index("sgscore1")] = -999
    sequences.allwise[:2] = 12.0
    ledger = Ledger()
    ledger.keep(15)
    ledger.drop("stamp_shape", 4)
    path = tmp_path / "data.h5"
    with Writer(path, survey="ZTF", command="made by a test") as writer:
        writer.append(sequences)
        writer.finish(split=np.array([TRAIN, TRAIN, TRAIN, TEST, -1], np.int8), ledger=ledger.as_dict())
    return path


def test_summary_counts_right(data_set, capsys):
    assert main(["inspect", str(data_set)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["AGN", "train", "2", "1", "1", "0", "0"] in lines
    assert ["SN", "train", "1", "1", "1", "1", "1"] in lines
    assert ["SN", "test", "1", "1", "0", "0", "0"] in lines
    assert ["unlabelled", "none", "1", "1", "1", "1", "0"] in lines
    assert ["subclass", "train", "validation", "test", "none"] in lines
    start = lines.index(["subclass", "train", "validation", "test", "none"])
    assert lines[start + 1 : start + 6] == [
        ["SN", "Ia", "1", "0", "1", "0"],
        ["quasar", "1", "0", "0", "0"],
        ["blazar", "1", "0", "0", "0"],
        ["unknown", "0", "0", "0", "1"],
        [],
    ]
    assert ["classtar", "20.0%"] in lines
    assert ["sgscore1", "40.0%"] in lines
    assert ["fwhm", "0.0%"] in lines
    assert ["AllWISE", "60.0%", "of", "objects"] in lines
    assert ["stamp_shape", "4"] in lines


def test_histories_are_counted_beside_the_alerts(tmp_path, capsys):
    """Objects are counted by their alerts, and what is missing by the kind of row."""
    made = with_histories(sequences((1, 3, 5), label=[0, 0, 1]))
    made.metadata[made.kind == DETECTION, METADATA_NAMES.index("sgscore1")] = np.nan
    made.metadata[made.kind != LIMIT, METADATA_NAMES.index("fwhm")] = 2.0
    write(tmp_path / "data.h5", [made], np.array([TRAIN, TRAIN, TEST], np.int8))
    assert main(["inspect", str(tmp_path / "data.h5")]) == 0
    lines = capsys.readouterr().out.splitlines()
    n_told, n_limits = (int(np.sum(made.kind == kind)) for kind in (DETECTION, LIMIT))
    assert min(n_told, n_limits) > 0
    assert lines[0].endswith(f"3 objects of ZTF; 9 alerts with stamps, {n_told} detections without, {n_limits} limits")
    words = [line.split() for line in lines]
    assert ["AGN", "train", "2", "1", "1", "0", "0"] in words
    assert ["of", "alerts", "detections", "limits"] in words
    assert ["fwhm", "0.0%", "0.0%", "100.0%"] in words
    assert ["sgscore1", "0.0%", "100.0%", "100.0%"] in words
    assert ["diffmaglim", "0.0%", "0.0%", "0.0%"] in words


def test_the_gallery_does_not_see_histories(tmp_path):
    made = sequences((2, 1, 3), label=[0, 1, 1])
    for name, each in (("alone", made), ("both", with_histories(made))):
        write(tmp_path / f"{name}.h5", [each], made.split)
        draw(tmp_path / f"{name}.h5", tmp_path / f"{name}.png")
    np.testing.assert_array_equal(imread(tmp_path / "alone.png"), imread(tmp_path / "both.png"))


def test_a_reader_that_has_seen_enough_ends_it_quietly(data_set):
    assert run_unread("-m", "data_prep", "inspect", data_set) == (0, "")


@pytest.mark.parametrize("column", ["stamps", "metadata", "candid", "split"])
def test_damage_is_seen(data_set, capsys, column):
    with h5py.File(data_set, "r+") as file:
        file[column][-1] = file[column][0] + 1
    assert main(["inspect", str(data_set)]) == 2
    assert "data.h5: damaged" in capsys.readouterr().err


def test_what_is_no_data_set_is_named(tmp_path, capsys):
    (tmp_path / "text.h5").write_text("no")
    h5py.File(tmp_path / "other.h5", "w").close()
    for name, message in (
        ("nowhere.h5", "no such file"),
        ("text.h5", "not a readable HDF5 file"),
        ("other.h5", "schema version None, this program reads 4"),
    ):
        assert main(["inspect", str(tmp_path / name)]) == 2
        error = capsys.readouterr().err
        assert f"{name}: {message}" in error
        assert error.count("\n") == 1


def test_gallery_draws_each_class(data_set, tmp_path, capsys):
    """Three classes (unlabelled is one) make a taller picture than one; the NaN of one stamp show blue."""
    picture = tmp_path / "gallery.png"
    assert main(["inspect", str(data_set), "--gallery", str(picture)]) == 0
    pixels = imread(picture)[..., :3]
    with h5py.File(data_set, "r+") as file:
        file["label"][:] = file["subclass"][:] = -1
    draw(data_set, tmp_path / "one.png")
    assert pixels.shape[0] > 2 * imread(tmp_path / "one.png").shape[0]
    blue = (np.abs(pixels - [0x1F / 255, 0x77 / 255, 0xB4 / 255]) < 0.01).all(axis=-1)
    assert 0.0001 < blue.mean() < 0.1
