"""The BTSbot training set to a data set: as packets do, without what the form lacks, and nothing lost in silence."""

import json

import h5py
import numpy as np
import pytest
from pyarrow import csv, parquet

from data_prep.build import build
from data_prep.catalogues import labelling
from data_prep.inspection import summary
from data_prep.published.btsbot import CUT, SET, import_set
from data_prep.simulate import detections
from data_prep.simulate.archive import simulate_packets
from data_prep.simulate.packets import encode_file
from helpers import made_btsbot
from helpers.make_packets import alert, images
from jtss.errors import InputError
from jtss.schema import ALERT, METADATA_NAMES, SPLIT_NAMES

RB = METADATA_NAMES.index("rb")
SN = {"label": 1, "source_set": "trues", "split": "train", "N": 1, "is_SN": True}


class Imported:
    """A data set, its attributes, and what was dropped."""

    def __init__(self, folder, files, name="out.h5", **options) -> None:
        self.path = path = folder / name
        rejects = folder / f"{name}.jsonl"
        options = {"command": "a test", "rejects_path": rejects, "progress": False} | options
        triplets, candidates = zip(*((each.triplets, each.candidates) for each in files), strict=True)
        self.built = import_set(triplets, candidates, path, **options)
        self.columns, self.attributes = read(path)
        self.ledger = json.loads(self.attributes["ledger"])
        self.rejects = [json.loads(line) for line in rejects.read_text().splitlines()]
        assert self.ledger["read"] == sum(len(each.records) for each in files)
        assert self.ledger["read"] == self.ledger["kept"] + len(self.rejects)

    @property
    def content(self) -> str:
        return self.built.content_hash

    @property
    def names(self) -> list[str]:
        return self.columns["object_id"].tolist()


def read(path) -> tuple[dict, dict]:
    with h5py.File(path) as file:
        columns = {name: file[name].asstr()[:] if name == "object_id" else file[name][:] for name in file}
        return columns, dict(file.attrs)


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """Simulated packets with masks, fill values and stamps at the edge, and their labels."""
    folder = tmp_path_factory.mktemp("sky") / "packets"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detections, "EDGE_SHARE", 0.05)
        simulate_packets(folder, 30, 8, workers=1, progress=False)
    return folder


@pytest.fixture(scope="module")
def published(sky, tmp_path_factory):
    return made_btsbot.write(tmp_path_factory.mktemp("set"), made_btsbot.read_records(sky / "alerts"))


@pytest.fixture(scope="module")
def imported(sky, published, tmp_path_factory):
    tables = {f"{name}_path": sky / f"{name}.csv" for name in ("labels", "allwise")}
    return Imported(tmp_path_factory.mktemp("imported"), [published], seed=3, **tables)


def test_it_is_what_build_makes_of_the_same_packets(sky, published, imported, tmp_path):
    """All but rb, which the form lacks, and pixels, which it has divided by a number: to the rounding of float16."""
    (tmp_path / "all.avro").write_bytes(encode_file(published.records))
    tables = {f"{name}_path": sky / f"{name}.csv" for name in ("labels", "allwise")}
    build([tmp_path / "all.avro"], tmp_path / "built.h5", command="a test", workers=1, seed=3, **tables)
    columns, attributes = read(tmp_path / "built.h5")
    for name in columns.keys() - {"stamps", "metadata"}:
        np.testing.assert_array_equal(imported.columns[name], columns[name], err_msg=name)
    others = [i for i in range(len(METADATA_NAMES)) if i != RB]
    found = imported.columns["metadata"]
    assert found[:, others].tobytes() == columns["metadata"][:, others].tobytes()
    assert np.isnan(found[:, RB]).all()
    is_missing = np.isnan(columns["stamps"])
    assert is_missing.any()
    np.testing.assert_array_equal(np.isnan(imported.columns["stamps"]), is_missing)
    found, expected = (made["stamps"][~is_missing].astype(np.float32) for made in (imported.columns, columns))
    assert np.all(np.abs(found - expected) <= np.spacing(np.float16(expected)))
    assert (found != expected).mean() < 0.01
    ledger = json.loads(attributes["ledger"])
    assert {name: imported.ledger[name] for name in ("read", "kept", "dropped")} == {
        name: ledger[name] for name in ("read", "kept", "dropped")
    }
    assert imported.ledger["dropped"]["stamp_shape"] > 5
    own = ("missing_metadata", "without rb, which the set lacks", "fill_values")
    assert imported.ledger["notes"]["without rb, which the set lacks"] == imported.ledger["kept"]
    common = [{k: v for k, v in notes.items() if k not in own} for notes in (imported.ledger["notes"], ledger["notes"])]
    assert common[0] == common[1]


def test_the_file_says_whose_data_they_are(imported, published):
    lines = imported.attributes["origin"].splitlines()
    assert lines[0] == SET
    assert f"{published.triplets.name}, {published.triplets.stat().st_size} bytes" in lines[1]
    assert (imported.attributes["survey"], imported.attributes["command"]) == ("ZTF", "a test")
    assert f"  by a test\n  from {SET}\n  from {published.triplets.name}, " in summary(imported.path)


def test_order_and_parts_change_nothing(sky, published, imported, tmp_path):
    records = published.records
    parts = [
        made_btsbot.write(tmp_path, records[first::2], name=f"part{first}", dtype="<f4", seed=9) for first in (0, 1)
    ]
    tables = {f"{name}_path": sky / f"{name}.csv" for name in ("labels", "allwise")}
    again = Imported(tmp_path, parts, seed=3, **tables)
    assert again.content == imported.content


def test_what_knows_the_future_is_not_read(sky, published, imported, tmp_path):
    """Nor anything else that has no place in a data set; what has one changes it."""
    tables = {f"{name}_path": sky / f"{name}.csv" for name in ("labels", "allwise")}
    rows = made_btsbot.read_table(published.candidates)
    unread = ("drb", "new_drb", "nmtchps", "jdstarthist", "programid", "chipsf", "scorr")
    for change, is_seen in ((made_btsbot.FUTURE, False), (unread, False), (("sigmapsf",), True)):
        path = tmp_path / f"{change[0]}.csv"
        made_btsbot.write_table(path, [row | dict.fromkeys(change, "0.625") for row in rows])
        other = Imported(tmp_path, [published._replace(candidates=path)], f"{change[0]}.h5", seed=3, **tables)
        assert (other.content != imported.content) == is_seen, change


def few(folder, said: dict[str, dict], per_object: int = 1, **options) -> made_btsbot.Files:
    """Objects with some alerts nights apart, far from each other."""
    records = [
        alert(name, 1000 * i + k + 1, images(i), jd=2459000.7 + k, ra=10.0 + i)
        for i, name in enumerate(said)
        for k in range(per_object)
    ]
    return made_btsbot.write(folder, records, said, **options)


def test_objects_without_their_first_alerts_are_left_out_and_counted(tmp_path):
    said = {"ZTF18whole": SN, "ZTF18cut": SN | {"N": 100}, "ZTF18other": SN}
    imported = Imported(tmp_path, [few(tmp_path, said, per_object=3)])
    assert imported.names == ["ZTF18other", "ZTF18whole"]
    assert imported.ledger["dropped"] == {CUT: 3}
    assert {(lost["objectId"], lost["reason"]) for lost in imported.rejects} == {("ZTF18cut", CUT)}
    assert "may not begin with its first" in imported.rejects[0]["detail"]
    assert imported.rejects[0]["file"].startswith(f"{tmp_path}/train_cand.csv, row ")
    assert "labelled objects that lost every alert: 1 (ZTF18cut SN)" in imported.built.warnings


def test_a_hundred_rows_are_too_many_and_ninety_nine_are_not(tmp_path):
    whole = few(tmp_path, {"ZTF18whole": SN | {"N": ""}}, per_object=99, name="whole")
    cut = few(tmp_path, {"ZTF18cut": SN | {"N": ""}}, per_object=100, name="cut")
    imported = Imported(tmp_path, [whole, cut])
    assert imported.names == ["ZTF18whole"]
    assert imported.ledger["dropped"] == {CUT: 100, "beyond_first_5": 94}
    assert (imported.columns["kind"] == ALERT).sum() == 5
    assert len(imported.columns["kind"]) == 99  # the others are detections without stamps


def test_labels_of_the_set_and_of_a_file_that_goes_before_them(tmp_path):
    said = {
        "ZTF18a": SN,
        "ZTF18b": SN | {"source_set": "extIas"},
        "ZTF18c": SN | {"source_set": "extIas"},
        "ZTF18d": SN | {"source_set": "vars", "is_SN": False, "label": 0},
        "ZTF18e": SN | {"source_set": "vars", "is_SN": False, "label": 0},
        "ZTF18f": SN,
    }
    labels = tmp_path / "labels.csv"
    labels.write_text("objectId,label,subclass\nZTF18c,AGN,\nZTF18d,VS,RR Lyrae\nZTF18f,TDE,\n")
    files = few(tmp_path, said)
    own, better = Imported(tmp_path, [files]), Imported(tmp_path, [files], "better.h5", labels_path=labels)
    assert own.columns["label"].tolist() == [1, 1, 1, -1, -1, 1]
    assert own.columns["subclass"].tolist() == [-1, 0, 0, -1, -1, -1]
    assert own.ledger["notes"]["objects with label vars, not a class"] == 2
    assert better.columns["label"].tolist() == [1, 1, 0, 2, -1, -1]
    assert better.columns["subclass"].tolist() == [-1, 0, -1, 2, -1, -1]
    assert better.ledger["notes"]["objects with label TDE, not a class"] == 1
    assert not any("not of their class" in note for note in better.ledger["notes"])
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/btsbot/labels.csv", labels.read_bytes())
    elsewhere = Imported(tmp_path, [files], "elsewhere.h5", labels_path="memory://btsbot/labels.csv")
    assert elsewhere.columns["label"].tolist() == better.columns["label"].tolist()


def test_labels_of_catalogues_take_any_form_and_deny_what_the_set_says(tmp_path):
    """A row for each piece of evidence; a tidal disruption, and what is in dispute, are no supernovae."""
    said = {f"ZTF18aaaaaa{letter}": SN for letter in "abcd"}
    (tmp_path / "bts.csv").write_text(
        "ZTFID,IAUID,type\nZTF18aaaaaaa,a,SN Ia\nZTF18aaaaaab,b,TDE\nZTF18aaaaaac,c,SN II\nZTF18aaaaaad,d,-\n"
    )
    (tmp_path / "tns.csv").write_text("internal_names,name,type\nZTF18aaaaaaa,a,SN Ia\nZTF18aaaaaac,c,AGN\n")
    given = [("bts", tmp_path / "bts.csv"), ("tns", tmp_path / "tns.csv")]
    labelling.write(tmp_path / "labels.csv", labelling.collect(given, {}, None))
    table = csv.read_csv(tmp_path / "labels.csv")
    table = table.rename_columns(["class" if name == "label" else name for name in table.column_names])
    parquet.write_table(table, tmp_path / "labels.parquet")
    files = few(tmp_path, said)
    of_csv = Imported(tmp_path, [files], labels_path=tmp_path / "labels.csv")
    other = {"labels_path": tmp_path / "labels.parquet", "columns": {"label": "class"}}
    assert Imported(tmp_path, [files], "parquet.h5", **other).content == of_csv.content
    assert of_csv.columns["label"].tolist() == [1, -1, -1, 1]
    assert of_csv.columns["subclass"].tolist() == [0, -1, -1, -1]
    notes = of_csv.ledger["notes"]
    assert [notes[f"objects with label {name}, not a class"] for name in ("other", "conflict")] == [1, 1]


def test_splits_of_the_set_are_kept_by_object(tmp_path):
    said = {f"ZTF18{i}": SN | {"split": split} for i, split in enumerate(["train", "val", "test", "test", ""])}
    said |= {"ZTF18v": SN | {"source_set": "vars", "split": "test", "is_SN": False}}
    imported = Imported(tmp_path, [few(tmp_path, said)])
    assert [SPLIT_NAMES[i] if i >= 0 else "" for i in imported.columns["split"]] == [
        *("train", "validation", "test", "test"),
        *("", ""),
    ]
    assert imported.ledger["notes"]["labelled objects without split"] == 1
    assert imported.built.remarks == ("splits as the set has them, for test / validation: SN 2 / 1",)


def test_one_source_under_two_ids_is_in_one_split(tmp_path):
    said = {name: SN | {"split": split} for name, split in (("ZTF18a", "train"), ("ZTF19b", "test"))}
    records = [alert("ZTF18a", 1), alert("ZTF19b", 2, dec=2.0 + 1 / 3600)]
    imported = Imported(tmp_path, [made_btsbot.write(tmp_path, records, said)])
    assert imported.columns["split"].tolist() == [0, 0]
    assert imported.ledger["notes"]["objects moved to the split of the same source"] == 1
    assert "no object of SN for test" in imported.built.warnings


def test_tables_without_splits_get_ours(imported):
    assert {*imported.columns["split"].tolist()} == {0, 1, 2}
    assert imported.built.remarks[0].startswith("splits of sequences: ")


def changed(files: made_btsbot.Files, change) -> made_btsbot.Files:
    """The files with rows of the table changed by `change`, in place."""
    rows = made_btsbot.read_table(files.candidates)
    for number, row in enumerate(rows):
        change(number, row)
    made_btsbot.write_table(files.candidates, rows)
    return files


def test_rows_that_are_no_alerts_are_counted_by_reason(tmp_path):
    faults = [("objectId", ""), ("jd", ""), ("jd", "2.0"), ("isdiffpos", "up"), ("fid", ""), ("ra", "")]

    def break_it(number, row):
        if number < len(faults):
            row.update([faults[number]])

    said = {f"ZTF18{i}": SN for i in range(8)}
    files = changed(few(tmp_path, said), break_it)
    imported = Imported(tmp_path, [files])
    assert imported.ledger["dropped"] == {"bad_object_id": 1, "bad_jd": 2, "bad_isdiffpos": 1}
    assert imported.ledger["notes"]["unknown_filter"] == 1
    assert imported.ledger["kept"] == 4


def test_rows_without_images_are_counted(tmp_path):
    files = few(tmp_path, {"ZTF18a": SN}, per_object=4)
    stored = np.load(files.triplets, mmap_mode="r+")
    stored[0], stored[1, ..., 2] = 0, np.nan
    stored.flush()
    assert Imported(tmp_path, [files]).ledger["dropped"] == {"all_nan_stamp": 2}


def test_copies_are_counted_with_a_candid_and_without(tmp_path):
    """A candid that is rounded says nothing: several nights have the same, and a copy has the same time."""
    records = [alert("ZTF18a", candid, jd=2459000.7 + candid) for candid in (1, 2, 3, 3)]
    exact = made_btsbot.write(tmp_path, records, {"ZTF18a": SN})
    rounded = made_btsbot.write(tmp_path, records, {"ZTF18a": SN}, name="rounded")
    changed(rounded, lambda _, row: row.update(candid="2.45141e+18"))
    one, other = Imported(tmp_path, [exact]), Imported(tmp_path, [rounded], "rounded.h5")
    assert one.ledger["dropped"] == {"duplicate_candid": 1}
    assert other.ledger["dropped"] == {"within_6_hours": 1}
    assert other.columns["candid"].tolist() == [0, 0, 0]
    assert (other.ledger["notes"]["without_candid"], one.ledger["notes"].get("without_candid")) == (3, None)
    for name in ("jd", "kind", "metadata", "stamps"):
        np.testing.assert_array_equal(one.columns[name], other.columns[name])


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    one, other = few(tmp_path, {"ZTF18a": SN}, name="a"), few(tmp_path, {"ZTF18b": SN}, per_object=2, name="b")
    cases = [
        ([one.triplets], [other.candidates], "has 1 triplets and .* 2 rows; expected as many, row by row"),
        ([one.triplets, other.triplets], [one.candidates], "2 files of triplets and 1 of candidates; expected"),
        ([one.triplets] * 2, [one.candidates, other.candidates], "a_triplets.npy: given twice"),
        ([one.triplets, other.triplets], [tmp_path / "x" / ".." / "a_cand.csv", one.candidates], "given twice"),
    ]
    (tmp_path / "x").mkdir()
    for triplets, candidates, message in cases:
        with pytest.raises(InputError, match=message):
            import_set(triplets, candidates, tmp_path / "out.h5", command="a test", progress=False)
    with pytest.raises(InputError, match="this file is read as well"):
        import_set([one.triplets], [one.candidates], one.candidates, command="a test", force=True, progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "x", "a_triplets.npy", "a_cand.csv", "b_triplets.npy", "b_cand.csv",
    }  # fmt: skip


def test_nothing_is_written_where_nothing_is_kept(tmp_path):
    files = few(tmp_path, {"ZTF18a": SN | {"N": 200}})
    with pytest.raises(InputError, match=rf"not written, for no alert was kept:[\s\S]*{CUT}"):
        import_set([files.triplets], [files.candidates], tmp_path / "out.h5", command="a test", progress=False)
    assert not (tmp_path / "out.h5").exists()


def test_the_published_example_of_the_form(ztf_dir, tmp_path):
    """One real object, a Galactic outburst: 16 alerts of 8 nights, two in most; candids were rounded."""
    sample = ztf_dir / "extra" / "btsbot_ZTF23abdsfms"
    pixels = np.load(sample.with_suffix(".npz"))["stamps_sci_tmpl_diff"]
    np.save(tmp_path / "triplets.npy", pixels)
    rows = made_btsbot.read_table(sample.with_suffix(".csv"))
    files = made_btsbot.Files(tmp_path / "triplets.npy", sample.with_suffix(".csv"), rows)
    imported = Imported(tmp_path, [files])
    assert imported.ledger["dropped"] == {"within_6_hours": 4, "beyond_first_5": 7}
    assert (imported.ledger["notes"]["without_candid"], imported.ledger["notes"]["history_not_given"]) == (5, 16)
    assert imported.ledger["notes"]["objects with label no bright transient, not a class"] == 1
    is_alert = imported.columns["kind"] == ALERT
    by_time = sorted(range(len(rows)), key=lambda i: float(rows[i]["jd"]))
    assert imported.columns["jd"].tolist() == [float(rows[i]["jd"]) for i in by_time]
    first = [i for i, kept in zip(by_time, is_alert, strict=True) if kept]
    assert np.all(np.diff([float(rows[i]["jd"]) for i in first]) >= 0.25)
    low, high = (extreme(pixels[first], axis=(1, 2), keepdims=True) for extreme in (np.min, np.max))
    np.testing.assert_allclose(imported.columns["stamps"], (pixels[first] - low) / (high - low), atol=2.5e-4)
    for name in set(METADATA_NAMES) & set(rows[0]) - {"isdiffpos"}:
        found = imported.columns["metadata"][is_alert, METADATA_NAMES.index(name)]
        np.testing.assert_array_equal(found, np.float32([float(rows[i][name]) for i in first]), err_msg=name)
    assert (imported.columns["metadata"][:, METADATA_NAMES.index("isdiffpos")] == 1).all()
