"""The simulator as a whole: the same sky for the same seed, by either road, with believable metadata."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from data_prep.simulate import dataset, simulate, simulate_chunk
from data_prep.simulate.dataset import chunks
from jtss import views
from jtss.schema import ALERT, CLASS_NAMES, COLUMNS, LIMIT, METADATA_NAMES, NO_CANDID, STAMP_SIDE, check

N_OBJECTS, SEED = 60, 8  # a seed with edges, masks and fill values among its alerts


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "all.h5"
    content_hash = simulate(path, N_OBJECTS, SEED, CLASS_NAMES, workers=1, progress=False)
    return path, content_hash


def without_pixels(tasks):
    """The sequences of chunks with stamps of zeros, which are most of the work and change nothing else."""

    def zeros(observed, rows):
        return np.zeros((len(rows), STAMP_SIDE, STAMP_SIDE, 3), np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "take_stamps", zeros)
        return [simulate_chunk(task)[0] for task in tasks]


@pytest.fixture(scope="module")
def chunk():
    """128 objects each of AGN, SN, VS: metadata [M, 26], label and detection number [M], AllWISE [N, 4]."""
    parts = without_pixels(chunks(384, 11, ("AGN", "SN", "VS"), "paper"))
    for part in parts:
        check(part)
    return list(map(views.alerts, parts))


def by_class(parts, name):
    """{class: [M] values of a metadata column}."""
    column = METADATA_NAMES.index(name)
    values = {}
    for part in parts:
        label = CLASS_NAMES[part.label[0]]
        values[label] = np.append(values.get(label, []), part.metadata[:, column])
    return values


def test_seed_decides_and_workers_do_not(simulated, tmp_path):
    _, content_hash = simulated
    assert simulate(tmp_path / "two.h5", N_OBJECTS, SEED, CLASS_NAMES, workers=2, progress=False) == content_hash
    assert simulate(tmp_path / "other.h5", N_OBJECTS, SEED + 1, CLASS_NAMES, workers=1, progress=False) != content_hash


def test_chunks_do_not_depend_on_each_other():
    first, second = chunks(130, 5, ("AGN", "SN"), "paper")[:2]
    alone = simulate_chunk(second)[0]
    simulate_chunk(first)
    np.testing.assert_array_equal(simulate_chunk(second)[0].stamps, alone.stamps)
    (blind,) = without_pixels([second])
    for name in COLUMNS.keys() - {"stamps"}:
        np.testing.assert_array_equal(getattr(blind, name), getattr(alone, name), err_msg=name)


def test_classes_share_the_objects_and_ids_are_in_order(simulated):
    with h5py.File(simulated[0]) as file:
        labels, names, candid = file["label"][:], file["object_id"].asstr()[:], file["candid"][:]
        counts = np.add.reduceat(file["kind"][:] == ALERT, file["object_start"][:-1])
        is_limit = file["kind"][:] == LIMIT
    assert np.bincount(labels).tolist() == [12] * 5
    assert sorted(set(names)) == list(names)
    assert len(set(candid[~is_limit])) == np.sum(~is_limit)
    assert set(candid[is_limit]) == {NO_CANDID}
    assert counts.max() <= 5
    assert set(counts[labels >= CLASS_NAMES.index("asteroid")]) == {1}


@pytest.mark.parametrize("classes", [(), ("AGN", "QSO"), ("SN", "SN")])
def test_odd_classes_are_refused(classes):
    with pytest.raises(ValueError, match="expected"):
        chunks(10, 0, classes, "paper")


def test_too_few_objects_are_refused():
    with pytest.raises(ValueError, match="at least one of each"):
        chunks(2, 0, ("AGN", "SN", "VS"), "paper")


def test_hdf5_needs_no_astronomy_library(tmp_path):
    code = (
        "import sys; from data_prep.simulate import simulate;"
        f"simulate({str(tmp_path / 'f.h5')!r}, 3, 0, workers=1, progress=False);"
        "found = {'astropy', 'fastavro', 'cramjam', 'jax', 'pyarrow'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_most_objects_reach_three_detections(chunk):
    counts = np.concatenate([np.diff(part.object_start) for part in chunk])
    assert np.mean(counts >= 3) > 0.7
    assert np.mean(counts == 5) > 0.4
    assert counts.min() >= 1


def test_sequences_keep_six_hours(chunk):
    for part in chunk:
        same_object = np.ones(len(part.jd) - 1, bool)
        same_object[part.object_start[1:-1] - 1] = False
        assert np.diff(part.jd)[same_object].min() >= 0.25


def test_supernovae_only_brighten_and_the_rest_does_both(chunk):
    positive = by_class(chunk, "isdiffpos")
    assert positive["SN"].mean() == 1
    assert 0.25 < positive["AGN"].mean() < 0.75
    assert 0.15 < positive["VS"].mean() < 0.75


def test_neighbours_are_sorted_and_missing_ones_are_marked(chunk):
    distance = np.stack([np.concatenate(list(by_class(chunk, f"distpsnr{k}").values())) for k in (1, 2, 3)])
    score = np.stack([np.concatenate(list(by_class(chunk, f"sgscore{k}").values())) for k in (1, 2, 3)])
    known = distance != -999
    assert np.all((distance[known] >= 0) & (distance[known] <= 30))
    both = known[0] & known[1] & known[2]
    assert np.all(np.diff(distance[:, both], axis=0) >= 0)
    np.testing.assert_array_equal(score == -999, ~known)
    assert 0 < np.mean(~known[2]) < 0.2
    assert np.mean(~known[0]) < 0.05
    assert np.all((score[known] >= 0) & (score[known] <= 1))
    assert 0.1 < np.mean(score[1] == 0.5) < 0.6


def test_counterparts_are_where_they_should_be(chunk):
    distance = by_class(chunk, "distpsnr1")
    assert np.median(distance["AGN"]) < 0.3
    assert np.median(distance["VS"]) < 0.4
    assert 1 < np.median(distance["SN"]) < 5


def test_magnitude_error_follows_the_limit(chunk):
    magnitude, limit, error = (
        np.concatenate(list(by_class(chunk, name).values())) for name in ("magpsf", "diffmaglim", "sigmapsf")
    )
    near = np.abs(limit - magnitude - 0.7) < 0.3
    bright = limit - magnitude > 3
    assert np.median(error[bright]) < 0.07 < 0.13 < np.median(error[near]) < 0.23
    assert error.max() < 0.3  # five sigma, and a floor


def test_history_counts_what_has_been(chunk):
    detections, exposures = (np.concatenate(list(by_class(chunk, n).values())) for n in ("ndethist", "ncovhist"))
    assert np.all((detections >= 1) & (detections <= exposures))
    jd = np.concatenate(
        [part.jd for name in ("AGN", "SN", "VS") for part in chunk if CLASS_NAMES[part.label[0]] == name]
    )
    early, late = exposures[jd < 2458450], exposures[jd > 2460300]
    assert np.median(late) > 5 * np.median(early)


def test_infrared_colours_separate_nuclei_from_stars_but_not_fully(chunk):
    colour = {}
    for part in chunk:
        colour.setdefault(CLASS_NAMES[part.label[0]], []).append(part.allwise[:, 0] - part.allwise[:, 1])
    colour = {name: np.concatenate(parts) for name, parts in colour.items()}
    assert np.isnan(colour["SN"]).mean() > 0.2 > np.isnan(colour["AGN"]).mean()
    assert abs(np.nanmedian(colour["VS"])) < 0.1
    assert np.nanmedian(colour["AGN"]) > 0.6
    assert np.nanmean(colour["AGN"] < 0.6) > 0.05
    assert np.nanmean(colour["VS"] > 0.5) > 0.005


def given_away(values, label):
    """Values [M] that one class has and others hardly: [(value, index of the class)]."""
    distinct, index = np.unique(values, return_inverse=True)
    counts = np.zeros((len(distinct), label.max() + 1), int)
    np.add.at(counts, (index, label), 1)
    often = counts.max(axis=1) > 0.02 * np.bincount(label).min()
    pure = counts.max(axis=1) > 0.7 * counts.sum(axis=1)
    return [(distinct[i], int(counts[i].argmax())) for i in np.flatnonzero(often & pure)]


def guessed(values, label):
    """Accuracy of the best guess of the class from the fortieth in which a value lies."""
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, 41)[1:-1]))
    counts = np.zeros((len(edges) + 1, label.max() + 1))
    np.add.at(counts, (np.searchsorted(edges, values), label), 1)
    return counts.max(axis=1).sum() / counts.sum()


def test_no_value_gives_the_class_away():
    """Of first alerts, five classes alike: none is known from a single value of metadata, nor from a limit of one."""
    parts = without_pixels(chunks(1600, 11, CLASS_NAMES, "paper"))
    label = np.concatenate([part.label for part in parts])
    values = np.concatenate([views.first(part, np.arange(part.n_objects), 0).metadata for part in parts])
    counted = ("ndethist", "ncovhist", "non_detections", "sgscore1", "sgscore2", "sgscore3")  # or votes of a forest
    for column, name in enumerate(METADATA_NAMES):
        assert guessed(values[:, column], label) < 0.6, name
        assert name in counted or not given_away(values[:, column], label), name
    fwhm = values[:, METADATA_NAMES.index("fwhm")]
    assert given_away(np.where(label == 4, np.maximum(fwhm, 1.2), fwhm), label) == [(1.2, 4)]  # as a limit would
    assert guessed(np.where(label == 1, fwhm + 9, np.where(label == 2, -fwhm, fwhm)), label) > 0.6
