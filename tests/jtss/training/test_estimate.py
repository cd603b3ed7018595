"""How long trainings take: what is measured once, and how it scales."""

from dataclasses import replace

import pytest

from jtss.config import named
from jtss.training import estimate


@pytest.fixture
def timed(monkeypatch):
    """Work that takes 64 s; and how often any is timed."""
    asked = []
    monkeypatch.setattr(estimate, "_seconds", lambda work: asked.append(work) or 64.0)
    estimate._stamp_seconds.cache_clear()
    estimate._step_seconds.cache_clear()
    yield asked
    estimate._stamp_seconds.cache_clear()
    estimate._step_seconds.cache_clear()


def changed(config, **stamp):
    return replace(config, stamp=replace(config.stamp, **stamp))


def test_a_crop_is_timed_once_whatever_is_done_with_it(timed):
    config = named.get("n1_enhanced")
    for copies in (4, 6):
        for range_deg in (0, 28.8, 360):
            estimate.training_seconds(changed(config, copies=copies, rotation_range_deg=range_deg), 10, 100)
    assert len(timed) == 1
    estimate.training_seconds(changed(config, crop=21), 10, 100)
    assert len(timed) == 2


def test_time_is_proportional_to_stamps_and_steps(timed):
    one = changed(named.get("n1_enhanced"), copies=1)
    batch, every = one.training.batch_size, one.training.validate_every
    assert estimate.training_seconds(one, 10, 0) == 10 * batch  # a second for each stamp
    assert estimate.training_seconds(changed(one, copies=3), 10, 0) == 3 * 10 * batch
    assert estimate.training_seconds(one, 10, 40 * every) == 10 * (batch + 10)


def test_of_networks_without_images_the_shortest_is_timed_for_all(timed):
    left = [(named.get(f"n{n}_metadata"), 10) for n in (3, 2, 4)]
    assert estimate.grid_seconds(left, 100) == 3 * 10 * 64 / estimate.STEPS
    assert len(timed) == 1
    assert estimate.grid_seconds([], 100) == 0
