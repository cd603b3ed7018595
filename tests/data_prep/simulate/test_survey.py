"""Observed objects: their stamps against what was measured of them."""

import numpy as np
import pytest

from data_prep.simulate import survey
from data_prep.simulate.blobs import (
    moffat,
)
from data_prep.simulate.defects import MASKED_SHARE
from helpers.made_stamps import MIDDLE, RADIUS, point
from jtss.schema import CLASS_NAMES

SCIENCE, TEMPLATE, DIFFERENCE = range(3)


def flux_by_psf(observed, row, image, channel):
    """Least-squares flux [DN] of a point source of known place and PSF on a flat background."""
    exposed = observed.exposures
    template = channel == TEMPLATE
    seeing = (exposed.template_seeing if template else exposed.seeing)[row]
    beta = (exposed.template_beta if template else exposed.beta)[[row]]
    psf = point(seeing, MIDDLE + exposed.x[row], MIDDLE + exposed.y[row], psf=moffat(beta))
    near = np.isfinite(image[..., channel]) & (RADIUS < 6)
    design = np.stack([psf[near], np.ones(near.sum())], axis=1)
    return np.linalg.lstsq(design, image[near, channel], rcond=None)[0][0]


def whole(observed, n=60):
    """Rows of kept alerts without masked pixels near the middle, and their stamps."""
    rows = np.flatnonzero(observed.alerts.kept)[:n]
    images = survey.take_stamps(observed, rows)
    clean = np.isfinite(images[:, RADIUS < 6].sum(axis=(1, 2)))
    return rows[clean], images[clean]


@pytest.fixture(scope="module", params=range(4), ids=CLASS_NAMES[:4])
def observed(request):
    return survey.observe(np.random.SeedSequence(17, spawn_key=(request.param,)), request.param, 40)


def test_difference_flux_is_the_magnitude_by_the_zero_point(observed):
    rows, images = whole(observed, 150)
    flux = np.array([flux_by_psf(observed, row, image, DIFFERENCE) for row, image in zip(rows, images, strict=True)])
    columns = {name: observed.columns[name][rows] for name in ("magzpsci", "magpsf", "sigmapsf")}
    excess = columns["magzpsci"] - 2.5 * np.log10(np.maximum(flux, 1)) - columns["magpsf"]
    # What lifted an alert above the limit is in its pixels, too: no bias.
    assert abs(np.median(excess)) < 0.04
    # What subtraction leaves of the steady light, most of it at stars, and trails, are not in the error.
    most = 0.6 if CLASS_NAMES[observed.label] == "VS" else 0.8
    assert np.mean(np.abs(excess) < np.maximum(3 * columns["sigmapsf"], 0.25)) > most


def test_change_is_bright_in_the_difference_and_has_its_sign_in_the_other_two(observed):
    rows, images = whole(observed)
    assert np.mean(images[:, RADIUS < 2.5, DIFFERENCE].sum(axis=1) > 0) > 0.95
    change = np.array(
        [
            flux_by_psf(observed, row, image, SCIENCE) - flux_by_psf(observed, row, image, TEMPLATE)
            for row, image in zip(rows, images, strict=True)
        ]
    )
    assert np.mean((change > 0) == (observed.columns["isdiffpos"][rows] == 1)) > 0.9


def test_template_has_no_supernova_and_no_asteroid(observed):
    if CLASS_NAMES[observed.label] not in ("SN", "asteroid"):
        assert np.all(observed.exposures.reference > 0)
        return
    assert np.all(observed.exposures.reference == 0)
    rows, _ = whole(observed)
    without = observed._replace(exposures=observed.exposures._replace(source=0 * observed.exposures.source))
    full, empty = survey.take_stamps(observed, rows), survey.take_stamps(without, rows)
    np.testing.assert_array_equal(full[..., 1], empty[..., 1])
    assert np.nanmedian(np.nanmax(full[..., 2] - empty[..., 2], axis=(1, 2))) > 10


def test_a_stamp_does_not_depend_on_the_others(observed):
    rows = np.arange(12)
    np.testing.assert_array_equal(
        survey.take_stamps(observed, rows)[[2, 7]], survey.take_stamps(observed, rows[[2, 7]])
    )


def test_masks_are_shared_by_the_three_stamps(observed):
    images = survey.take_stamps(observed, np.flatnonzero(observed.alerts.kept))
    missing = np.isnan(images)
    some = missing.any(axis=(1, 2, 3))
    assert 0.02 < some.mean() < 2.5 * MASKED_SHARE
    filled = np.abs(images[..., 1]) > 1e30
    np.testing.assert_array_equal(missing[..., 0], missing[..., 2])
    np.testing.assert_array_equal(missing[..., 0], missing[..., 1] | filled)
    assert np.mean(missing[some].mean(axis=(1, 2, 3)) > 0.5) < 0.05
