"""Min-max scaling: the range, NaN, constants, and what must not change it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jtss.scaling import centre_crop, min_max


def images(seed: int, n: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 20, (n, 9, 9, 2)).astype(np.float32)


def test_each_channel_of_each_image_spans_zero_to_one():
    scaled = min_max(images(0))
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled.min(axis=(1, 2)), 0)
    np.testing.assert_array_equal(scaled.max(axis=(1, 2)), 1)


def test_nan_stays_and_is_ignored():
    image = images(1)
    image[0, 2, 3, 1] = np.nan
    scaled = min_max(image)
    assert np.isnan(scaled).sum() == 1
    rest = np.delete(image[0, :, :, 1].ravel(), 2 * 9 + 3)
    np.testing.assert_allclose(
        np.delete(scaled[0, :, :, 1].ravel(), 2 * 9 + 3), (rest - rest.min()) / np.ptp(rest), rtol=1e-6
    )


def test_constant_becomes_zero_and_all_nan_stays_nan():
    image = np.stack([np.full((9, 9), 5.0), np.full((9, 9), np.nan)], axis=-1)
    scaled = min_max(image)
    assert np.all(scaled[..., 0] == 0)
    assert np.all(np.isnan(scaled[..., 1]))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_gain_and_pedestal_do_not_matter(seed, factor, shift):
    image = images(seed)
    np.testing.assert_allclose(min_max(image * np.float32(factor) + np.float32(shift)), min_max(image), atol=2e-4)


def test_scaling_before_cropping_does_not_matter():
    image = images(3)
    np.testing.assert_allclose(min_max(centre_crop(min_max(image), 5)), min_max(centre_crop(image, 5)), atol=1e-6)


def test_the_crop_of_21_is_rows_and_columns_21_to_41():
    index = np.arange(63)
    image = np.broadcast_to((index[:, None] * 100 + index)[..., None], (63, 63, 1))
    crop = centre_crop(image, 21)
    assert crop[0, 0, 0] == 2121
    assert crop[-1, -1, 0] == 4141
    assert crop[10, 10, 0] == 3131


def test_the_layout_in_memory_does_not_matter():
    image = images(4)
    expected = min_max(image)
    for other in (np.asfortranarray(image), image.transpose(3, 1, 2, 0).copy().transpose(3, 1, 2, 0)):
        assert not other.flags.c_contiguous
        np.testing.assert_array_equal(min_max(other), expected)
    np.testing.assert_array_equal(min_max(image[..., [1, 0]]), expected[..., ::-1])


def test_no_image_is_no_error():
    assert min_max(np.zeros((0, 3, 9, 9, 2), np.float16)).shape == (0, 3, 9, 9, 2)
