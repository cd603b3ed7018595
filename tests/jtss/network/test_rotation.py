"""Turning a stamp: against numpy's quarter turns, against scipy's interpolation, and at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jtss.network import rotation
from jtss.network.rotation import copy_angles

rotate = jax.jit(rotation.rotate, static_argnames="side")
rotated_copies = jax.jit(rotation.rotated_copies, static_argnames="side")


def stamp(seed: int, side: int = 15) -> np.ndarray:
    return np.random.default_rng(seed).random((side, side, 2), np.float32)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_are_those_of_numpy(turns):
    image = stamp(turns)
    turned = rotate(jnp.asarray(image), jnp.float32(turns * np.pi / 2), 15)
    np.testing.assert_allclose(turned, np.rot90(image, turns), atol=1e-5)


@pytest.mark.parametrize("angle_deg", [7.0, 28.8, 133.0, 300.0])
def test_any_angle_agrees_with_scipy(angle_deg):
    image = stamp(1)
    turned = rotate(jnp.asarray(image), jnp.deg2rad(angle_deg), 9)
    expected = ndimage.rotate(image, angle_deg, axes=(1, 0), reshape=False, order=1)[3:12, 3:12]
    np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_the_central_pixel_stays():
    image = np.zeros((15, 15, 1), np.float32)
    image[7, 7] = 1
    for turned in rotated_copies(jnp.asarray(image), jnp.linspace(0, 6, 7), 9):
        assert turned[4, 4, 0] == 1


def test_beyond_the_edge_is_zero():
    turned = rotate(jnp.ones((9, 9, 1)), jnp.float32(np.pi / 4), 9)
    assert turned[0, 0, 0] == 0
    assert turned[4, 4, 0] == 1


def test_a_stamp_turned_there_and_back_is_smooth_light_again():
    offset = np.arange(31) - 15
    blob = np.exp(-((offset[:, None] - 2) ** 2 + (offset[None] + 3) ** 2) / 40)[..., None].astype(np.float32)
    there = rotate(jnp.asarray(blob), jnp.float32(0.7), 31)
    back = rotate(there, jnp.float32(-0.7), 15)
    np.testing.assert_allclose(back, blob[8:23, 8:23], atol=0.02)


def test_angles_of_evaluation_divide_the_circle():
    np.testing.assert_allclose(np.rad2deg(copy_angles(None, 6, 28.8)), np.arange(6) * 60, atol=1e-4)


def test_random_angles_stay_in_their_range_and_fill_it():
    keys = jax.random.split(jax.random.key(0), 2000)
    angles = np.rad2deg(jax.vmap(lambda key: copy_angles(key, 4, 28.8))(keys))
    departure = angles - np.arange(4) * 90
    assert np.abs(departure).max() <= 28.8 + 1e-3
    assert np.abs(departure).max() > 28
    assert abs(departure.mean()) < 0.5
    assert abs(np.corrcoef(departure[:, 0], departure[:, 1])[0, 1]) < 0.1
