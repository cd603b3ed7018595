"""What a made network looks at is what the pictures point to, and nothing else."""

import numpy as np
import pytest

from jtss.network.parts import Batch
from jtss.reports.explanation import occlusion


def one(n=2, size=11, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    return Batch(
        rng.random((1, n, size, size, channels)).astype(np.float32),
        rng.normal(size=(1, n, 3)).astype(np.float32),
        rng.normal(size=(1, 4)).astype(np.float32),
    )


def network(score):
    """Two classes; `score` of a batch is the log-odds of the second."""

    def ask(batch):
        assert len(batch.stamps) == len(batch.dynamic) == len(batch.static) <= occlusion.AT_ONCE
        p = 1 / (1 + np.exp(-score(batch)))
        return np.stack([1 - p, p], axis=1)

    return ask


def test_a_network_that_looks_at_one_pixel_is_seen_through():
    given = one()
    given.stamps[0, 1, 2, 8, 0] = 5.0
    ask = network(lambda batch: batch.stamps[:, 1, 2, 8, 0] - 2)
    occluded = occlusion.occlusion(ask, given, 1, side=3, step=2)
    np.testing.assert_array_equal(occluded.places, [0, 2, 4, 6, 8])
    assert (occluded.drop[0] == 0).all()
    assert (occluded.drop[1, 1] == 0).all()
    rows, columns = np.nonzero(occluded.drop[1, 0])
    assert {(occluded.places[r], occluded.places[c]) for r, c in zip(rows, columns, strict=True)} == {
        (0, 6),
        (0, 8),
        (2, 6),
        (2, 8),
    }
    grey = np.median(given.stamps[0, 1, :, :, 0])
    expected = 1 / (1 + np.exp(-3)) - 1 / (1 + np.exp(2 - grey))
    np.testing.assert_allclose(occluded.drop[1, 0, rows, columns], expected, rtol=1e-5)
    pixels = occlusion.per_pixel(occluded, 11)
    assert pixels.shape == (2, 2, 11, 11)
    assert pixels[1, 0, 2, 8] == pixels.max() == pytest.approx(expected)
    assert pixels[1, 0, 8:, :6].max() == 0


def test_the_patch_does_not_change_the_object_and_covers_every_pixel():
    given, before = one(size=10), one(size=10)
    occluded = occlusion.occlusion(network(lambda batch: batch.stamps.sum(axis=(1, 2, 3, 4))), given, 0, side=4, step=3)
    assert occluded.places.tolist() == [0, 3, 6]
    np.testing.assert_array_equal(given.stamps, before.stamps)
    assert np.isfinite(occlusion.per_pixel(occluded, 10)).all()
    assert occlusion.occlusion(network(lambda b: b.static[:, 0]), one(size=3), 0).places.tolist() == [0]  # all of it


def test_a_linear_network_gives_back_its_terms():
    """Log-odds that are a sum: each value's change is its own term, and the terms of both groups stay apart."""
    dynamic, static = np.array([0.5, 0.0, -1.0]), np.array([2.0, 0.0, -0.3, 0.1])
    given = one()
    ask = network(lambda batch: (batch.dynamic @ dynamic).sum(axis=1) + batch.static @ static)
    ablated = occlusion.ablation(ask, given, 1)
    np.testing.assert_allclose(ablated.dynamic, given.dynamic[0].sum(axis=0) * dynamic, atol=1e-6)
    np.testing.assert_allclose(ablated.static, given.static[0] * static, atol=1e-6)
    other = occlusion.ablation(ask, given, 0)
    np.testing.assert_allclose(other.static, -ablated.static, atol=1e-6)


def test_log_odds_of_a_certain_prediction_stay_finite():
    p = np.array([[1.0, 1e-9, 1e-9], [1.0, 0.0, 0.0], [0.5, 0.25, 0.25]], np.float32)
    log_odds = occlusion.log_odds(p, 0)
    np.testing.assert_allclose(log_odds, [-np.log(2e-9), -np.log(occlusion.LEAST), 0], rtol=1e-6)
