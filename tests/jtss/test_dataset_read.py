"""From the file to the model's arrays: the file and memory agree, and a file that does not fit is refused."""

import os
import re
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import replace
from itertools import product
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.audit.audit import audit
from data_prep.inspection import summary
from helpers import without_locks
from helpers.made_files import write
from helpers.made_sequences import sequences, with_histories
from helpers.places import ROOT
from jtss import dataset, schema
from jtss.config import named
from jtss.config.settings import override
from jtss.metrics.properties import properties
from jtss.network import inputs
from jtss.schema import ALERT, LIMIT
from jtss.training import batches

DEMO = named.get("demo")
COUNTS = (3, 1, 5, 4, 3, 2, 3, 3, 4)
LABELS = (0, 1, 2, 0, 1, 2, 1, 2, 4)
SUBCLASSES = (8, 1, 6, -1, 0, 2, -1, 3, -1)
SPLITS = (0, 0, 0, 1, 0, 1, 1, 1, 0)


@pytest.fixture(scope="module")
def made():
    return sequences(COUNTS, label=LABELS, subclass=SUBCLASSES, split=SPLITS)


@pytest.fixture
def path(tmp_path, made):
    write(tmp_path / "f.h5", [made], made.split)
    return tmp_path / "f.h5"


def test_the_file_gives_back_what_was_written_whatever_the_batches(path, made, monkeypatch):
    monkeypatch.setattr(dataset, "OBJECTS_PER_READ", 4)
    parts = list(dataset.read(path))
    assert [batch.n_objects for batch in parts] == [4, 4, 1]
    for batch in parts:
        schema.check(batch)
    joined = schema.join(parts)
    for name in schema.COLUMNS:
        np.testing.assert_array_equal(getattr(joined, name), getattr(made, name))


@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_histories_come_back_whatever_the_batches_and_the_hash_does_not_see_them(counts, per_read, seed):
    written = [with_histories(sequences(each, seed=seed + i), seed + i) for i, each in enumerate(counts)]
    whole = schema.join(written)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        hashes = [write(Path(folder, f"{i}.h5"), each, whole.split) for i, each in enumerate((written, [whole]))]
        patch.setattr(dataset, "OBJECTS_PER_READ", per_read)
        patch.setattr(dataset, "NUMBERS_PER_READ", 3)  # the check goes through the rows in pieces
        parts = list(dataset.read(Path(folder, "0.h5")))
    assert hashes[0] == hashes[1]
    assert [part.n_objects for part in parts[:-1]] == [per_read] * (len(parts) - 1)
    joined = schema.join(parts)
    for name in schema.COLUMNS:
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_what_the_papers_models_read_does_not_see_histories(tmp_path, made):
    """Of memory and of the file: examples, properties, counts, and the stamps that are read batch by batch."""
    both = with_histories(made)
    write(tmp_path / "made.h5", [made], made.split)
    write(tmp_path / "both.h5", [both], made.split)
    for one, other in zip(inputs.examples(made, DEMO), inputs.examples(both, DEMO), strict=True):
        np.testing.assert_array_equal(one, other)
    long_enough = np.flatnonzero(made.n_alerts >= 3)
    for one, other in zip(*(properties(schema.take(each, long_enough), 3) for each in (made, both)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert dataset.count(tmp_path / "both.h5", DEMO, "train") == dataset.count(tmp_path / "made.h5", DEMO, "train")
    taken = []
    for name, stream in product(("made.h5", "both.h5"), (False, True)):
        source = batches.prepare(tmp_path / name, DEMO, stream=stream, say=lambda _: None).source
        taken.append(jax.tree.leaves(source.take(np.arange(3).reshape(1, 1, 3))))
    for leaves in taken[1:]:
        for one, other in zip(taken[0], leaves, strict=True):
            np.testing.assert_array_equal(one, other)


def test_examples_are_the_first_n_detections_of_those_who_have_them(made):
    chosen = inputs.examples(made, DEMO)
    assert chosen.index.tolist() == [i for i, count in enumerate(COUNTS) if count >= 3]
    assert chosen.stamps.shape == (7, 3, 31, 31, 2)
    third = made.object_start[2]
    np.testing.assert_array_equal(chosen.dynamic[1, :, 1:], made.metadata[third : third + 3, :9])
    np.testing.assert_array_equal(chosen.static[1, :14], made.metadata[third + 2, 9:23])
    assert chosen.label.tolist() == [0, 2, 0, 1, 1, 2, -1]  # bogus is no class of this config


def test_labels_follow_the_order_of_the_configs_classes(made):
    turned = inputs.examples(made, override(DEMO, ["classes=bogus,VS,SN,AGN"]))
    assert turned.label.tolist() == [3, 1, 3, 2, 2, 1, 0]


def test_stamps_are_cropped_scaled_again_and_without_nan(made):
    stamps = made.stamps.copy()
    stamps[0, 31, 30, 0] = np.nan
    chosen = inputs.examples(replace(made, stamps=stamps), DEMO).stamps
    assert chosen.dtype == np.float16
    assert np.all(np.isfinite(chosen))
    assert chosen[0, 0, 15, 14, 0] == 0
    assert chosen[..., 0].min() == 0
    assert chosen[..., 0].max() == 1
    crop = made.stamps[1, 16:47, 16:47, 1].astype(np.float32)
    np.testing.assert_allclose(chosen[0, 1, ..., 1], (crop - crop.min()) / np.ptp(crop), atol=1e-3)


@pytest.mark.parametrize("channels", ["science,template", "difference,science", ""])
def test_pixels_that_no_network_sees_are_not_copied(made, channels):
    config = override(DEMO, [f"stamp.channels={channels}", "stamp.crop=9"])
    rows = [list(range(start, start + 3)) for start in made.object_start[:-1][made.n_alerts >= 3]]
    tracemalloc.start()
    chosen = inputs.examples(made, config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * made.stamps[rows].nbytes
    np.testing.assert_array_equal(
        chosen.stamps, inputs.source_crops(made.stamps[rows], config.stamp).astype(np.float16)
    )


def test_an_unlabelled_object_has_no_class(made):
    assert inputs.examples(sequences((3,)), DEMO).label.tolist() == [-1]


def test_load_keeps_labelled_objects_of_training_and_validation(path):
    splits = batches.load(path, config=DEMO)
    assert sorted(splits["train"].label) == [0, 1, 2]
    assert sorted(splits["validation"].label) == [0, 1, 2]


def test_a_class_without_examples_is_refused_before_training(path):
    message = (
        "no train object of class asteroid with 3 detections or more (config demo needs every one of AGN, asteroid)"
    )
    with pytest.raises(dataset.DataError, match=re.escape(message)):
        batches.load(path, config=override(DEMO, ["classes=AGN,asteroid"]))


def test_a_flipped_value_is_found(path):
    with h5py.File(path, "r+") as file:
        file["metadata"][3, 4] = 1.5
    with pytest.raises(dataset.DataError, match="damaged: content hash"):
        list(dataset.read(path))


def _remove_jd(file):
    del file["jd"]


def _rename_feature(file):
    names = list(file.attrs["feature_names"])
    file.attrs["feature_names"] = ["psfmag", *names[1:]]


def _cut_metadata(file):
    values = file["metadata"][:, :-1]
    del file["metadata"]
    file["metadata"] = values


def _shift_starts(file):
    file["object_start"][1] = 0


def _coarsen_jd(file):
    values = file["jd"][:].astype(np.float32)
    del file["jd"]
    file["jd"] = values


def _make_label_a_group(file):
    del file["label"]
    file.create_group("label")


def _number_class_names(file):
    file.attrs["class_names"] = 5


def _unknown_label(file):
    file["label"][0] = 7


def _unknown_kind(file):
    file["kind"][4] = 3


def _alert_without_stamps(file):
    file["kind"][np.flatnonzero(file["kind"][:] != ALERT)[0]] = ALERT


def _swapped_stamps(file):
    file["stamp_row"][np.flatnonzero(file["kind"][:] == ALERT)[:2]] = [1, 0]


def _a_stamp_lost(file):
    file["stamps"].resize(len(file["stamps"]) - 1, axis=0)


def _no_stamps_at_all(file):
    del file["stamps"]
    file["stamps"] = np.float16(0)


def _an_object_of_limits(file):
    """The second object's one alert becomes a limit, and the rest fits that."""
    kind = file["kind"][:]
    first, end = file["object_start"][1:3]
    kind[first:end] = LIMIT
    file["kind"][:], file["stamp_row"][:] = kind, schema.stamp_rows(kind)
    file["stamps"].resize(int(np.sum(kind == ALERT)), axis=0)


def _rename_subclass(file):
    file.attrs["subclass_names"] = [*schema.SUBCLASSES[:-1], "BL Lac"]


def _unknown_subclass(file):
    file["subclass"][4] = 10


def _subclass_of_another_class(file):
    file["subclass"][4] = 7


def _age(file):
    file.attrs["schema_version"] = 3


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove_jd, "jd missing"),
        (_rename_feature, "feature_names"),
        (_cut_metadata, "metadata has shape"),
        (_shift_starts, "object_start does not divide"),
        (_coarsen_jd, "jd has dtype float32, expected float64"),
        (_make_label_a_group, "label missing"),
        (_number_class_names, "class_names .5,., expected"),
        (_unknown_label, "label 7, expected -1 to 4"),
        (_unknown_kind, "kind 3, expected 0 to 2"),
        (_rename_subclass, "subclass_names .*BL Lac.*expected .*blazar"),
        (_unknown_subclass, "subclass: 10, expected -1 to 9"),
        (_subclass_of_another_class, "subclass: quasar for an object of class SN, expected AGN"),
        (_alert_without_stamps, "stamp_row does not number the alerts among the rows"),
        (_swapped_stamps, "stamp_row does not number the alerts among the rows"),
        (_a_stamp_lost, "27 stamps for 28 alerts"),
        (_no_stamps_at_all, r"stamps has shape \(\), expected"),
        (_an_object_of_limits, "object ZTF1 has no alert, expected one or more"),
        (_age, "schema version 3, this program reads 4; rebuild it with: test"),
    ],
)
@pytest.mark.parametrize("reader", [dataset.attributes, lambda path: next(dataset.read(path)), summary, audit])
def test_a_file_that_breaks_the_contract_is_refused_by_name_by_all_alike(tmp_path, made, damage, message, reader):
    path = tmp_path / "f.h5"
    write(path, [with_histories(made)], made.split)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(dataset.DataError, match=message) as error:
        reader(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_being_written_is_named(path):
    code = f"from jtss import dataset\ntry: dataset.attributes({str(path)!r})\nexcept dataset.DataError as e: print(e)"
    with h5py.File(path, "r+"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == f"{path}: another program has it open for writing\n", done.stderr


WRITE_AND_READ = """
import sys
sys.path.insert(0, "tests")
from helpers.made_files import SPLIT, some_sequences, write
from jtss import dataset
for step in (lambda: dataset.attributes(sys.argv[1]), lambda: write(sys.argv[2], [some_sequences([1])], SPLIT[:1])):
    try:
        step()
        print("done")
    except (dataset.DataError, OSError) as error:
        print(error)
"""


def test_a_file_system_without_locks_is_named_with_its_remedy_and_nothing_left_behind(path, tmp_path):
    environment, out = without_locks.environment(tmp_path), tmp_path / "out"
    out.mkdir()

    def lines(**variables):
        command = [sys.executable, "-c", WRITE_AND_READ, str(path), str(out / "new.h5")]
        variables = environment | variables
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=variables).stdout.splitlines()

    reading, writing = lines()
    for line, name in ((reading, path), (writing, out / "new.h5")):
        assert re.match(f"{name}: .*knows no locks.*HDF5_USE_FILE_LOCKING=FALSE", line)
    assert os.listdir(out) == []
    assert lines(HDF5_USE_FILE_LOCKING="FALSE") == ["done", "done"]
    assert os.listdir(out) == ["new.h5"]


def test_no_file_and_no_hdf5_file(tmp_path):
    with pytest.raises(dataset.DataError, match="no such file"):
        dataset.attributes(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(dataset.DataError, match="not a readable HDF5 file"):
        dataset.attributes(tmp_path / "text.h5")


def test_a_file_whose_structure_is_damaged_is_named(path):
    """The heap of its texts, which HDF5 reads only with the first of them."""
    content = path.read_bytes()
    assert b"GCOL" in content
    path.write_bytes(content.replace(b"GCOL", b"gone"))
    for look in (dataset.attributes, lambda path: list(dataset.read(path))):
        with pytest.raises(dataset.DataError, match=r"f.h5: damaged: "):
            look(path)
