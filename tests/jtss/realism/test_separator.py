"""Networks that tell two samples apart: what they find, what they must not find, and that they never saw the object."""

import numpy as np
import pytest

from jtss.metrics.intervals import auc, auc_interval
from jtss.realism import two_sample

N = 40
REAL = np.arange(2 * N) < N


def noise(seed=0, side=9):
    return np.random.default_rng(seed).normal(size=(2 * N, side, side, 3)).astype(np.float32)


def test_orientations_are_the_eight_symmetries_of_the_square():
    image = noise()[:1]
    found = two_sample.orientations(image)[:, 0]
    assert found.shape[0] == len(np.unique(found, axis=0)) == 8
    for turned in (np.rot90(image, axes=(1, 2)), image[:, ::-1], image.swapaxes(1, 2)):
        again = two_sample.orientations(turned)[:, 0]
        np.testing.assert_array_equal(np.unique(again, axis=0), np.unique(found, axis=0))


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
    found = two_sample.out_of_fold(two_sample.ImageSeparator(), two_sample.orientations(images), REAL, steps=30)[0]
    assert auc(found[REAL], found[~REAL]) > 0.95


def test_nothing_is_found_where_nothing_is():
    images = two_sample.orientations(noise(seed=5))
    found = two_sample.out_of_fold(two_sample.ImageSeparator(), images, REAL, steps=30)[0]
    lower, upper = auc_interval(found[REAL], found[~REAL])
    assert lower < 0.5 < upper


def test_variants_are_scored_by_the_same_networks():
    values = np.random.default_rng(4).normal(size=(1, 2 * N, 3)).astype(np.float32)
    values[0, REAL, 1] += 3
    other = values[:, :, ::-1]
    found = two_sample.out_of_fold(two_sample.ValueSeparator(), values, REAL, 60, np.concatenate([values, -other]))
    np.testing.assert_array_equal(found[0], found[1])
    assert auc(found[0, REAL], found[0, ~REAL]) > 0.9
    assert auc(found[2, REAL], found[2, ~REAL]) < 0.1


def test_the_same_seed_gives_the_same_scores():
    values = np.random.default_rng(4).normal(size=(1, 2 * N, 3)).astype(np.float32)
    one, again, other = (
        two_sample.out_of_fold(two_sample.ValueSeparator(), values, REAL, 5, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_both_kinds_are_drawn_as_often(share):
    """However many there are of each, nothing to learn leaves the bias at even."""
    real = np.arange(200) < 200 * share
    params = two_sample.train(two_sample.ValueSeparator(), np.zeros((1, 200, 2), np.float32), real, 200, seed=0)
    asked = two_sample.logits(two_sample.ValueSeparator(), params, np.zeros((1, 1, 2), np.float32))
    assert abs(asked[0, 0]) < 0.05
