"""Differences between two samples show where they were planted, and no network scores what it was trained on."""

import numpy as np
import pytest

from jtss import histories, schema
from jtss.metrics.intervals import auc, auc_interval
from jtss.realism import two_sample
from jtss.realism.samples import SIDE
from jtss.schema import CHANNEL_NAMES

N = 40
REAL = np.arange(2 * N) < N
NIGHT = np.arange(2 * N)  # one each


def made_crops(seed=0):
    """A source in noise, brighter in some objects than in others."""
    rng = np.random.default_rng(seed)
    peak = rng.uniform(5, 50, (2 * N, 1, 1, 3)) * np.exp(-(np.hypot(*np.mgrid[-15:16, -15:16]) ** 2) / 4)[..., None]
    crops = rng.normal(size=(2 * N, SIDE, SIDE, 3)) + peak
    return (crops / 64 + 0.1).astype(np.float16)


def test_a_view_shows_its_channels_and_its_region_alone():
    crops = made_crops()
    for channels, region in two_sample.VIEWS.values():
        shown = two_sample.view(crops, channels, region)
        hidden = ~(region[..., None] & np.isin(CHANNEL_NAMES, channels))
        np.testing.assert_array_equal(shown[:, hidden], 0)
        changed = np.where(hidden, 7, crops)
        np.testing.assert_array_equal(two_sample.view(changed, channels, region), shown)
        assert np.abs(shown[:, ~hidden]).max() > 1


def test_the_core_and_the_surroundings_are_the_whole():
    core, rest = two_sample.VIEWS["surroundings masked"][1], two_sample.VIEWS["source masked"][1]
    assert (core ^ rest).all()
    assert core[SIDE // 2, SIDE // 2]
    assert core[SIDE // 2].sum() == 11
    assert core.sum() == 81  # lattice points within 5 of one


def test_brightness_and_level_of_a_stamp_do_not_matter():
    """Neither do they for a classifier, which scales every stamp."""
    crops = made_crops().astype(np.float32)
    for what in two_sample.VIEWS.values():
        np.testing.assert_allclose(two_sample.view(3 * crops + 5, *what), two_sample.view(crops, *what), atol=2e-3)


def test_missing_pixels_are_the_lowest():
    crops = made_crops()
    crops[0, 3, 4] = np.nan
    for channels in (CHANNEL_NAMES, CHANNEL_NAMES[:1]):
        shown = two_sample.view(crops, channels, two_sample.WHOLE)
        assert np.isfinite(shown).all()
        assert (shown[0, 3, 4] <= shown[0].min(axis=(0, 1))).all()


def test_an_empty_stamp_is_even():
    shown = two_sample.view(np.full((1, SIDE, SIDE, 3), np.nan), CHANNEL_NAMES, two_sample.CORE)
    np.testing.assert_array_equal(shown, 0)


@pytest.mark.slow
def test_an_offset_of_some_pixels_is_found_in_its_channel(monkeypatch):
    planted = CHANNEL_NAMES.index("template")
    monkeypatch.setattr(two_sample, "IMAGE_STEPS", 80)
    crops = made_crops(seed=planted).astype(np.float32)
    crops[REAL, 3:5, :, planted] += 3 / 64  # a bad pair of rows, three times the noise brighter
    tests = two_sample.images(crops, REAL)
    areas = {name: test["auc"] for name, test in tests.items()}
    assert areas[f"{CHANNEL_NAMES[planted]} alone"]["value"] > 0.95
    assert areas["all channels"]["value"] > 0.9
    assert areas["source masked"]["value"] > 0.9
    clean = [f"{name} alone" for i, name in enumerate(CHANNEL_NAMES) if i != planted]
    for name in (*clean, "surroundings masked"):
        assert areas[name]["interval"][0] < 0.5, name


def made_metadata(seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (2 * N, len(schema.METADATA))).astype(np.float32)


@pytest.fixture
def _few_steps(monkeypatch):
    monkeypatch.setattr(two_sample, "VALUE_STEPS", 80)
    monkeypatch.setattr(two_sample, "SHUFFLES", 2)


@pytest.mark.usefixtures("_few_steps")
def test_a_shifted_value_is_named():
    values = made_metadata()
    values[REAL, 6] -= 0.7
    separation = two_sample.metadata(values, REAL, NIGHT)
    assert separation["auc"]["interval"][0] > 0.6
    ordered = sorted(separation["values"], key=lambda name: -separation["values"][name]["importance"])
    assert ordered[0] == "sigmapsf"
    assert separation["values"]["sigmapsf"]["importance"] > 0.2
    assert separation["values"]["sigmapsf"]["alone"] < 0.15
    assert separation["values"]["sigmapsf"]["median_real"] == pytest.approx(-0.2, abs=0.15)
    assert separation["values"]["sigmapsf"]["median_simulated"] == pytest.approx(0.5, abs=0.15)
    assert all(abs(separation["values"][name]["importance"]) < 0.1 for name in ordered[1:])


@pytest.mark.usefixtures("_few_steps")
@pytest.mark.parametrize("missing", [np.nan, schema.ZTF_MISSING])
def test_a_value_that_is_missing_more_often_is_named(missing):
    values = made_metadata(seed=1)
    values[REAL & (np.arange(2 * N) % 8 > 0), 14] = missing
    separation = two_sample.metadata(values, REAL, NIGHT)
    best = max(separation["values"], key=lambda name: separation["values"][name]["importance"])
    assert best == schema.METADATA_NAMES[14]
    assert separation["values"][best]["missing_real"] == 7 / 8
    assert separation["values"][best]["missing_simulated"] == 0
    assert 0 < separation["values"][best]["median_real"] < 1


@pytest.mark.usefixtures("_few_steps")
def test_equal_metadata_cannot_be_told_apart():
    values = made_metadata(seed=2)
    values[:, 3] = np.nan
    separation = two_sample.metadata(values, REAL, NIGHT)
    for name in ("auc", "balanced_accuracy"):
        lower, upper = separation[name]["interval"]
        assert lower < 0.5 < upper
    assert np.isnan(separation["values"][schema.METADATA_NAMES[3]]["alone"])


def test_separation_by_hand():
    logits, real = np.array([2.0, 1.0, -1.0, 0.5, -2.0]), np.array([True, True, True, False, False])
    separation = two_sample.separation(logits, real)
    assert separation["auc"]["value"] == pytest.approx(5 / 6)
    assert separation["balanced_accuracy"]["value"] == pytest.approx((2 / 3 + 1 / 2) / 2)


@pytest.mark.slow
def test_nineteen_of_twenty_intervals_hold_the_truth_where_nothing_differs():
    """With a quick linear classifier in place of the networks; without the widening it is six of seven."""
    rng, held = np.random.default_rng(0), 0
    sign = np.where(REAL, 1.0, -1.0)
    for _ in range(150):
        values, fold, logits = rng.normal(size=(2 * N, 5)), rng.permutation(N) % 5, np.empty(2 * N)
        for out in (np.tile(fold == index, 2) for index in range(5)):
            logits[out] = values[out] @ np.linalg.lstsq(values[~out], sign[~out])[0]
        lower, upper = two_sample.separation(logits, REAL)["auc"]["interval"]
        held += lower <= 0.5 <= upper
    assert 135 <= held <= 149


def noise(seed=0, side=9):
    return np.random.default_rng(seed).normal(size=(2 * N, side, side, 3)).astype(np.float32)


def test_orientations_are_the_eight_symmetries_of_the_square():
    image = noise()[:1]
    orientations = two_sample.orientations(image)[:, 0]
    assert orientations.shape[0] == len(np.unique(orientations, axis=0)) == 8
    for turned in (np.rot90(image, axes=(1, 2)), image[:, ::-1], image.swapaxes(1, 2)):
        again = two_sample.orientations(turned)[:, 0]
        np.testing.assert_array_equal(np.unique(again, axis=0), np.unique(orientations, axis=0))


def test_folds_share_both_kinds_evenly():
    real = np.arange(57) < 23
    fold = two_sample.folds(real, seed=1)
    for kind in (real, ~real):
        counts = np.bincount(fold[kind], minlength=two_sample.FOLDS)
        assert counts.max() - counts.min() <= 1
        assert counts.min() >= 4


def test_logits_do_not_depend_on_what_else_is_asked():
    network, inputs = two_sample.ValueSeparator(), np.random.default_rng(0).normal(size=(2, 50, 4)).astype(np.float32)
    params = two_sample.train(network, inputs, np.arange(50) < 25, steps=3, seed=0)
    whole = two_sample.logits(network, params, inputs)
    assert whole.shape == (2, 50)
    for view, row in ((0, 7), (1, 0), (1, 49)):
        alone = two_sample.logits(network, params, inputs[view : view + 1, row : row + 1])
        np.testing.assert_allclose(alone[0, 0], whole[view, row], rtol=1e-5, atol=1e-6)


def test_an_object_is_scored_by_a_network_that_did_not_see_it():
    """Values so wide that a network learns each by heart: it knows those that it saw, and not one of the others."""
    values = np.random.default_rng(3).normal(size=(1, 2 * N, 200)).astype(np.float32)
    network = two_sample.ValueSeparator()
    seen = two_sample.logits(network, two_sample.train(network, values, REAL, 100, seed=0), values)[0]
    unseen = two_sample.out_of_fold(network, values, REAL, steps=100)[0]
    assert auc(seen[REAL], seen[~REAL]) > 0.99
    lower, upper = auc_interval(unseen[REAL], unseen[~REAL])
    assert lower < 0.5 < upper


def test_a_pattern_is_found_in_every_orientation():
    images = noise()
    images[REAL, 1:4, 1:4] += 3
    logits = two_sample.out_of_fold(two_sample.ImageSeparator(), two_sample.orientations(images), REAL, steps=30)[0]
    assert auc(logits[REAL], logits[~REAL]) > 0.95


def test_nothing_is_found_where_nothing_is():
    images = two_sample.orientations(noise(seed=5))
    logits = two_sample.out_of_fold(two_sample.ImageSeparator(), images, REAL, steps=30)[0]
    lower, upper = auc_interval(logits[REAL], logits[~REAL])
    assert lower < 0.5 < upper


def test_variants_are_scored_by_the_same_networks():
    values = np.random.default_rng(4).normal(size=(1, 2 * N, 3)).astype(np.float32)
    values[0, REAL, 1] += 3
    other = values[:, :, ::-1]
    logits = two_sample.out_of_fold(two_sample.ValueSeparator(), values, REAL, 60, np.concatenate([values, -other]))
    np.testing.assert_array_equal(logits[0], logits[1])
    assert auc(logits[0, REAL], logits[0, ~REAL]) > 0.9
    assert auc(logits[2, REAL], logits[2, ~REAL]) < 0.1


def test_the_same_seed_gives_the_same_scores():
    values = np.random.default_rng(4).normal(size=(1, 2 * N, 3)).astype(np.float32)
    one, again, other = (
        two_sample.out_of_fold(two_sample.ValueSeparator(), values, REAL, 5, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("fraction", [0.2, 0.8])
def test_both_kinds_are_drawn_as_often(fraction):
    """However many there are of each, nothing to learn leaves the bias at even."""
    real = np.arange(200) < 200 * fraction
    params = two_sample.train(two_sample.ValueSeparator(), np.zeros((1, 200, 2), np.float32), real, 200, seed=0)
    asked = two_sample.logits(two_sample.ValueSeparator(), params, np.zeros((1, 1, 2), np.float32))
    assert abs(asked[0, 0]) < 0.05


def made_history(seed=0):
    return np.random.default_rng(seed).normal(size=(2 * N, len(histories.SUMMARY_NAMES)))


@pytest.mark.usefixtures("_few_steps")
def test_a_past_of_another_kind_is_named_whatever_its_tails():
    history = made_history()
    index = histories.SUMMARY_NAMES.index("share_detected")
    history[REAL, index] += 4
    history[3] *= 1e6
    separation = two_sample.sequences(history, REAL, NIGHT)
    assert separation["n_each"] == N
    assert separation["auc"]["interval"][0] > 0.6
    values = separation["values"]
    assert max(values, key=lambda name: values[name]["importance"]) == "share_detected"
    assert values["share_detected"]["alone"] > 0.95
    assert values["share_detected"]["median_real"] > 3


@pytest.mark.usefixtures("_few_steps")
def test_packets_that_tell_nothing_of_the_past_are_left_out():
    """They are more among the real ones here, which must not give the simulation away."""
    history = made_history(seed=1)
    history[: N // 2] = np.nan
    separation = two_sample.sequences(history, REAL, NIGHT)
    assert separation["n_each"] == N // 2
    assert separation["auc"]["interval"][0] < 0.5
    history[: N - two_sample.LEAST_PER_CLASS + 1] = np.nan
    assert two_sample.sequences(history, REAL, NIGHT) is None


def test_folds_of_nights_keep_a_night_together():
    night = np.concatenate([np.repeat([5, 6, 7], [20, 8, 2]), np.arange(100, 110), np.zeros(N, int)])
    fold = two_sample.folds_of_nights(REAL, night, seed=0)
    for each in np.unique(night[REAL]):
        assert len(set(fold[REAL & (night == each)])) == 1
    assert np.bincount(fold[REAL], minlength=two_sample.FOLDS).max() == 20
    np.testing.assert_array_equal(fold[~REAL], two_sample.folds(REAL, 0)[~REAL])
    assert np.bincount(fold[~REAL]).tolist() == [N // two_sample.FOLDS] * two_sample.FOLDS


@pytest.mark.usefixtures("_few_steps")
def test_a_night_that_is_recognised_is_not_recognised_elsewhere():
    """Two values shared by the objects of a night: networks that know other objects of it know it."""
    rng = np.random.default_rng(2)
    values = made_metadata(seed=3)
    night = np.concatenate([np.repeat(np.arange(4), N // 4), 100 + np.arange(N)])
    corner = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])
    values[REAL, 5:7] = corner[night[REAL]] + rng.normal(0, 0.02, (N, 2))
    values[REAL, 7] = values[REAL, 5]
    separation = two_sample.metadata(values, REAL, night)
    assert separation["auc"]["value"] > separation["other_nights"]["auc"]["value"] + 0.1
