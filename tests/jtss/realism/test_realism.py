"""`python -m jtss.experiments realism` from files to numbers."""

import csv
import json
from functools import partial

import jax
import numpy as np
import pytest

from data_prep.ledger import Ledger
from helpers.made_runs import TINY, make_run, write_data
from helpers.made_sequences import sequences, with_histories
from helpers.programs import jtss
from jtss import views
from jtss.config import named as config_named
from jtss.config import settings
from jtss.dataset import Writer
from jtss.network import network
from jtss.pretrained import published
from jtss.realism import two_sample, voting
from jtss.schema import CLASS_NAMES

FOUR = "AGN, SN, VS, asteroid"
COUNTS = [1] * 44 + [3, 4, 2]
LABEL = [i % 4 for i in range(44)] + [1, -1, 2]
LABELLED = [i for i, label in enumerate(LABEL) if label >= 0]
FIRST = settings.override(
    config_named.get("n1_enhanced"),
    ["stamp.crop=11", "stamp.copies=1", "encoder.filters=2,2,2,2,2", "encoder.units=4"],
)


TOLD = settings.override(config_named.get("n2_metadata"), ["head.units=4,4"])


PACKETS = ["stamp.channels=", "hide.stamps=0", "packet.rows=6", "temporal.units=4", "head.units=4", "head.dropout=0"]


def write_published(folder):
    """A network in the files of its publisher, that takes everything for VS."""
    shapes = jax.eval_shape(partial(network.init, published.IMAGES_ONLY), jax.random.key(0))
    arrays = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    arrays["params"]["head"]["logits"]["bias"][CLASS_NAMES.index("VS")] = 9
    named = jax.tree_util.tree_map_with_path(
        lambda keys, leaf: (published._their_name(published.IMAGES_ONLY, *(key.key for key in keys)), leaf), arrays
    )
    folder.mkdir()
    pairs = jax.tree.leaves(named, is_leaf=lambda node: isinstance(node, tuple))
    np.savez(folder / "weights.npz", **dict(pairs))


def first_candids():
    made = sequences(COUNTS)
    return made.candid[made.object_start[:-1]]


def write_votes(path, names, objects, classes=CLASS_NAMES):
    """Certain votes for the class `names[i]` of object i."""
    rows = [[first_candids()[i], *(int(name == names[i]) for name in classes)] for i in objects]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["candid", *classes], *rows])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("realism")
    none = [-1] * len(COUNTS)
    write_data(folder / "real.h5", COUNTS, label=LABEL, split=none)
    write_data(folder / "sim.h5", [1] * 90, label=[i % 3 for i in range(90)], split=[0] * 90, seed=1, prefix="SIM")
    make_run(folder / "always_sn", FIRST, folder / "sim.h5", favoured="SN")
    make_run(folder / "three", TINY, folder / "sim.h5", favoured="VS")
    make_run(folder / "two_told", TOLD, folder / "sim.h5", favoured="SN")
    (folder / "empty").mkdir()
    write_published(folder / "published")
    truth = [CLASS_NAMES[label] for label in LABEL]
    write_votes(folder / "right.csv", truth, range(len(COUNTS)))
    write_votes(folder / "some.csv", truth, LABELLED[4:])
    write_votes(folder / "others.csv", truth, [LABEL.index(-1)])
    return folder


@pytest.fixture
def call(folder, capsys, tmp_path):
    def call(*words, real="real.h5"):
        """Words with a dot are files of the folder; returns status, document (None where it failed), stdout, stderr."""
        arguments = [str(folder / word) if word in on_disk else word for word in words]
        status = jtss("realism", "--real", folder / real, *map(named, arguments), "--out", tmp_path / "out")
        document = json.loads((tmp_path / "out" / "realism.json").read_text()) if status == 0 else None
        return status, document, *capsys.readouterr()

    def named(word):
        name, equals, path = word.partition("=")
        return f"{name}={folder / path}" if equals else word

    on_disk = {path.name for path in folder.iterdir()}
    return call


@pytest.fixture
def _no_training(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("trained before everything was checked")

    monkeypatch.setattr(two_sample, "compare", refuse)


@pytest.mark.slow
def test_transfer_from_files_to_numbers(call, tmp_path):
    words = "--ckpt always_sn --ckpt three --predictions theirs=right.csv --predictions half=some.csv"  # each adds
    status, document, out, err = call(*words.split())
    assert (status, "lacks 4 of 46 labelled first detections, such as ZTF0" in err) == (0, True)
    first = document["transfer"]["first_detection"]
    assert (first["n_labelled"], first["n_common"]) == (46, 42)
    ours, theirs = first["models"]["always_sn"], first["models"]["theirs"]
    assert (ours["n_answered"], first["models"]["half"]["n_answered"]) == (46, 42)
    assert [ours["common"]["recall"][name]["value"] for name in CLASS_NAMES] == [0, 1, 0, 0, None]
    assert ours["common"]["balanced_accuracy"]["AGN, SN, VS"]["value"] == pytest.approx(1 / 3)
    assert theirs["common"]["balanced_accuracy"]["AGN, SN, VS, asteroid"]["value"] == 1
    assert [(each["model"], each["other"]) for each in first["differences"]] == [
        ("always_sn", "theirs"),
        ("always_sn", "half"),
    ]
    assert first["differences"][0]["AGN, SN, VS, asteroid"] == {"value": -0.75, "interval": [-0.75, -0.75]}
    assert "46 labelled objects (11 AGN, 12 SN, 12 VS, 11 asteroid)" in out
    assert "always_sn − theirs" in out


@pytest.mark.slow
def test_five_versions_beside_a_published_network_and_a_table(call):
    words = ("--ckpt", "always_sn", "--beside", "published", "table=right.csv")
    status, document, out, _ = call(*words)
    assert status == 0
    versions = document["transfer"]["versions"]
    assert list(versions) == ["as_is", "month", "day_one", "first", "hidden"]
    assert [list(models) for models in versions.values()] == [["always_sn", "published", "table"]] + [
        ["always_sn", "published"]
    ] * 4
    first = document["transfer"]["first_detection"]["models"]
    for name in ("always_sn", "published", "table"):
        came = versions["as_is"][name]
        assert came["recall"] == first[name]["common"]["recall"]
        assert came["balanced_accuracy"] == {FOUR: first[name]["common"]["balanced_accuracy"][FOUR]}
    assert versions["hidden"]["published"]["recall"]["VS"]["value"] == 1
    assert out.count("counters hidden") == 2
    differences = document["transfer"]["first_detection"]["differences"]
    assert [(each["model"], each["other"]) for each in differences] == [
        ("always_sn", "published"),
        ("always_sn", "table"),
    ]


def test_a_model_of_metadata_alone_reads_sequences_from_histories(call, folder):
    """Two objects' packets tell a detection at least 6 hours before, one tells of one too close, others nothing."""
    made = with_histories(sequences([1] * 30, label=[i % 3 for i in range(30)], seed=4), seed=4)
    with Writer(folder / "told.h5", survey="made", command="a test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    index, _ = views.recent(made, np.arange(30), np.zeros(30, int), 2)
    assert 0 < len(index) < 30
    status, document, out, _ = call("--ckpt", "two_told", real="told.h5")
    assert status == 0
    told = document["transfer"]["histories"]["two_told"]
    assert (told["n_detections"], told["n_objects"]) == (2, len(index))
    counts = np.bincount(made.label[index], minlength=3)
    assert [told["scores"]["recall"][name]["n_objects"] for name in CLASS_NAMES[:3]] == counts.tolist()
    assert [told["scores"]["recall"][name]["value"] for name in CLASS_NAMES[:3]] == [0, 1, 0]
    assert "Sequences from histories" in out


def test_a_model_of_packets_is_asked_by_its_latest_detections(call, folder):
    made = with_histories(sequences([1] * 30, label=[i % 4 for i in range(30)], seed=4), seed=4)
    with Writer(folder / "packets.h5", survey="made", command="a test") as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    of_packets = settings.override(config_named.get("any_gru"), PACKETS)
    make_run(folder / "packets", of_packets, folder / "sim.h5", favoured="SN")
    status, document, out, error = call("--ckpt", str(folder / "packets"), real="packets.h5")
    assert status == 0, error
    rows = document["transfer"]["detections_read"]["packets"]
    kinds = [(row["n_detections"], row["stamps"]) for row in rows[:3]]
    assert kinds == [(1, "with stamps"), (1, "without stamps"), (2, "with stamps")]
    told = voting.told(folder / "packets.h5")[made.label < 3]
    for row in rows:
        assert row["scores"]["n_objects"] == np.sum(told >= row["n_detections"])
    assert rows[0]["scores"]["recall"]["SN"]["value"] == 1
    assert "packets by its latest detections alone" in out


@pytest.mark.slow
def test_what_a_model_gets_wrong_is_listed_and_drawn_by_pair(call, tmp_path):
    _, document, out, _ = call("--ckpt", "always_sn", "three")
    wrong = {(each["true"], each["called"]): each["objects"] for each in document["transfer"]["mistakes"]["always_sn"]}
    assert {pair: len(objects) for pair, objects in wrong.items()} == {
        ("VS", "SN"): 12,
        ("AGN", "SN"): 11,
        ("asteroid", "SN"): 11,
    }
    assert set(wrong["VS", "SN"]) == {
        f"ZTF{i}" for i, label in enumerate(LABEL) if CLASS_NAMES[label] == "VS" and label >= 0
    }
    assert document["transfer"]["mistakes"]["three"] == [{"true": "SN", "called": "VS", "objects": {"ZTF44": 1.0}}]
    for pair in ("VS_called_SN", "AGN_called_SN", "asteroid_called_SN"):
        assert (tmp_path / "out" / f"always_sn_{pair}.png").read_bytes().startswith(b"\x89PNG")
        assert f"always_sn_{pair}.png" in out
    assert (tmp_path / "out" / "three_SN_called_VS.png").exists()


def test_the_few_sequences_are_listed_one_by_one(call):
    _, document, out, _ = call("--ckpt", "three")
    assert document["transfer"]["first_detection"] is None
    (only,) = document["transfer"]["sequences"]["three"]["objects"]  # another has no label, and another too few
    made = sequences(COUNTS)
    assert (only["object_id"], only["label"], only["predicted"]) == ("ZTF44", "SN", "VS")
    assert only["candid"] == made.candid[made.object_start[44] + 2]
    assert only["probabilities"] == {"AGN": 0, "SN": 0, "VS": 1}
    assert "three reads 3 detections; labelled objects that have them: 1" in out


@pytest.mark.slow
def test_the_table_has_the_numbers_of_the_document(call, tmp_path):
    _, document, _, _ = call("--ckpt", "always_sn", "--predictions", "theirs=right.csv")
    rows = list(csv.DictReader((tmp_path / "out" / "realism.csv").open()))
    for name, model in document["transfer"]["first_detection"]["models"].items():
        for label, score in model["common"]["recall"].items():
            row = [
                r
                for r in rows
                if (r["measure"], r["subject"], r["part"], r["class"]) == ("recall", name, "common", label)
            ]
            assert [float(r["value"]) for r in row] == ([score["value"]] if score["n_objects"] else [])
    differences = [row for row in rows if row["measure"] == "balanced accuracy difference"]
    assert {row["subject"] for row in differences} == {"always_sn - theirs"}


@pytest.mark.slow
def test_the_two_sample_test_from_files_to_numbers(call, monkeypatch, tmp_path):
    for name, value in (("IMAGE_STEPS", 2), ("VALUE_STEPS", 60), ("SHUFFLES", 1)):
        monkeypatch.setattr(two_sample, name, value)
    status, document, out, err = call("--simulated", "sim.h5")
    assert status == 0
    assert "asteroid is not compared: 11 labelled objects in" in err
    assert "bogus is not compared: 0 labelled objects in" in err
    assert "transfer" not in document
    classes = document["two_sample"]["classes"]
    assert {name: each["n_each"] for name, each in classes.items()} == {"AGN": 11, "SN": 12, "VS": 12}
    assert document["simulated"]["objects"] == {"AGN": 11, "SN": 12, "VS": 12}
    rows = list(csv.DictReader((tmp_path / "out" / "realism.csv").open()))
    areas = {(row["subject"], row["class"]): float(row["value"]) for row in rows if row["measure"].endswith(": auc")}
    assert len(areas) == 3 * (len(two_sample.VIEWS) + 2)  # the first packets tell nothing of the past
    assert all(each["sequences"] is None for each in classes.values())
    assert areas["metadata", "SN"] == classes["SN"]["metadata"]["auc"]["value"]
    assert "stamps, source masked" in out


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to measure: give --simulated, --model or --beside"),
        (("--simulated", "sim.h5", "--predictions", "x=others.csv"), "others.csv: has none of the 46 labelled first"),
        (("--simulated", "sim.h5", "--predictions", "x=none.csv"), "none.csv"),
        (("--simulated", "sim.h5", "--ckpt", "sim.h5"), "sim.h5"),
        (("--predictions", "x=right.csv", "x=some.csv"), "x is the name of more than one model"),
        (("--ckpt", "three", "--predictions", "three=some.csv"), "three is the name of more than one model"),
        (("--beside", "empty"), "empty/weights.npz"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_trained(call, words, message, tmp_path):
    status, _, out, err = call(*words)
    assert (status, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_class_that_real_alerts_lack_is_named(call, folder):
    write_data(folder / "two.h5", [1] * 20, label=[1, 2] * 10, split=[-1] * 20)
    status, document, out, err = call("--ckpt", "always_sn", real="two.h5")
    assert status == 0
    assert "two.h5: no labelled object of class AGN, asteroid: scores that need them are undefined" in err
    scored = document["transfer"]["first_detection"]["models"]["always_sn"]["common"]
    assert scored["balanced_accuracy"]["AGN, SN, VS"]["value"] is None
    assert scored["recall"]["SN"]["value"] == 1
    line = next(line for line in out.splitlines() if line.startswith("always_sn "))
    assert line.split()[1:5] == ["20", "–", "–", "100.0"]


@pytest.mark.usefixtures("_no_training")
def test_samples_without_a_class_in_common_are_refused(call, folder):
    write_data(folder / "bogus.h5", [1] * 20, label=[4] * 20, split=[0] * 20)
    status, _, _, err = call("--simulated", str(folder / "bogus.h5"))
    assert status == 2
    assert "bogus.h5: no labelled object of class AGN, SN, VS, asteroid" in err
    write_data(folder / "few.h5", [1] * 6, label=[0] * 6, split=[0] * 6)
    status, _, _, err = call("--simulated", str(folder / "few.h5"))
    assert status == 2
    assert "AGN is not compared: 11 labelled objects in" in err
    assert "have no class in common of which both have enough objects" in err


@pytest.mark.slow
def test_real_alerts_score_as_their_publisher_measured(ztf_dir, tmp_path):
    """The published images-only network on strong labels, to the two digits that were measured by other code."""
    from data_prep.build import build

    with open(ztf_dir / "labels.csv") as file:
        strong = [f"{row['objectId']},{row['label']}" for row in csv.DictReader(file) if row["grade"] == "strong"]
    (tmp_path / "labels.csv").write_text("\n".join(["objectId,label", *dict.fromkeys(strong)]) + "\n")
    build([ztf_dir / "alerts"], tmp_path / "real.h5", command="a test", labels_path=tmp_path / "labels.csv")
    network = ztf_dir / "golden" / "alerce_images_only"
    others = [f"theirs={network / 'predictions.csv'}", f"ours={network}"]
    assert jtss("realism", "--real", str(tmp_path / "real.h5"), "--beside", *others, "--out", str(tmp_path)) == 0
    document = json.loads((tmp_path / "realism.json").read_text())
    theirs = document["transfer"]["first_detection"]["models"]["theirs"]
    recall = [theirs["common"]["recall"][name]["value"] for name in CLASS_NAMES[:4]]
    np.testing.assert_allclose(recall, [0.46, 0.82, 0.92, 0.93], atol=0.006)
    for version, models in document["transfer"]["versions"].items():  # of images alone all are the same
        recall = [models["ours"]["recall"][name]["value"] for name in CLASS_NAMES[:4]]
        np.testing.assert_allclose(recall, [0.46, 0.82, 0.92, 0.935], atol=0.006, err_msg=version)
