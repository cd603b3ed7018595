"""Science, template and difference stamps of one object's exposures."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate.blobs import PSF_SIGMAS_PER_FWHM, Blobs, outer_sum, profile, render
from data_prep.simulate.cadence import DIFFERENCE_NOISE, READ_VARIANCE, VARIANCE_PER_DN
from jtss.schema import STAMP_SIDE

CENTRE_PIX = STAMP_SIDE // 2
SATURATION_DN = 60000.0
RESIDUAL_FLUX = 10 ** (-0.4 * 19.0)  # fainter sources leave no visible residual
RING_SHARE = 0.008  # of a bright star's light in the ringing that the deconvolution leaves
COLUMN_NOISE_DN = 0.5  # the readout leaves faint stripes
RING_WAVE, RING_WIDTH_PIX = 2.5, 2.0

# Template pixels are resampled: neighbours correlate by 0.22, next neighbours by -0.075, as measured.
TEMPLATE_KERNEL = np.array([-0.046, 0.12, 1.0, 0.12, -0.046], np.float32)
TEMPLATE_KERNEL /= np.sqrt((TEMPLATE_KERNEL**2).sum())


class Exposures(NamedTuple):
    """D exposures of one object, [D] each unless noted.

    Attributes:
        fid: filter. scale: DN per unit of flux, 10^(0.4 zero point). seeing, template_seeing: FWHM [pix].
        source_seeing: FWHM of what changed [pix]; a cosmic ray is sharper than the PSF.
        sky, noise_sky: as in `Visits` [DN]. template_noise: [DN].
        x, y: true position of the source minus the middle of pixel (31, 31) [pix].
        source, reference: flux of the point source now and in the reference.
        sign: 1, or -1 where the source got fainter.
        offset_x, offset_y, blur: registration error [pix] and relative PSF error of the subtraction.
        frames: in the reference image.
    """

    fid: np.ndarray
    scale: np.ndarray
    seeing: np.ndarray
    source_seeing: np.ndarray
    template_seeing: np.ndarray
    sky: np.ndarray
    noise_sky: np.ndarray
    template_noise: np.ndarray
    x: np.ndarray
    y: np.ndarray
    source: np.ndarray
    reference: np.ndarray
    sign: np.ndarray
    offset_x: np.ndarray
    offset_y: np.ndarray
    blur: np.ndarray
    frames: np.ndarray


class Shape(NamedTuple):
    """The transient source as P points: offsets [pix] and shares of its light; one point unless it is trailed."""

    x: np.ndarray
    y: np.ndarray
    share: np.ndarray


POINT = Shape(np.zeros(1), np.zeros(1), np.ones(1))


def stamps(
    blobs: Blobs,
    exposures: Exposures,
    shape: Shape,
    streams: list[np.random.Generator],
    template_grain: dict[int, np.ndarray],
) -> np.ndarray:
    """The three stamps of each exposure.

    Args:
        blobs: S constant sources around the object.
        exposures: D of them.
        shape: of the transient source.
        streams: D generators, one per exposure, so that a stamp does not depend on which others are made.
        template_grain: by filter, [63, 63] unit noise of the reference image: the same in all exposures.

    Returns:
        [D, 63, 63, 3] float32 [DN]; science, template, difference. As in ZTF's packets the difference is template minus
        science where the source got fainter, so that the source in it is always bright.
    """
    n, side = len(exposures.fid), STAMP_SIDE
    field = blobs.flux[:, exposures.fid - 1].T * exposures.scale[:, None]  # [D, S] DN
    x = CENTRE_PIX + exposures.x[:, None] + np.append(blobs.x, 0.0)
    y = CENTRE_PIX + exposures.y[:, None] + np.append(blobs.y, 0.0)
    sigma = np.append(blobs.sigma, 0.0)
    reference = (exposures.reference * exposures.scale)[:, None]
    source = (exposures.source * exposures.scale)[:, None]
    with_reference = np.concatenate([field, reference], axis=1)
    # The source now, minus the source then, is what the difference shows; the template shows the source then.
    template = render(x, y, sigma, with_reference, exposures.template_seeing, side)
    steady = render(x, y, sigma, with_reference, exposures.seeing, side)
    change = render(
        x[:, -1:] + shape.x, y[:, -1:] + shape.y, np.zeros(len(shape.x)), (source - reference) * shape.share,
        exposures.source_seeing, side,
    )  # fmt: skip
    bright = np.append(blobs.flux.max(axis=1) > RESIDUAL_FLUX, True)  # the same ones whichever exposures are made
    residual = _residuals(x[:, bright], y[:, bright], sigma[bright], with_reference[:, bright], exposures)
    white = np.stack([stream.standard_normal((side, side), np.float32) for stream in streams])
    science = steady + change
    steady_variance = VARIANCE_PER_DN * exposures.noise_sky + READ_VARIANCE
    variance = np.maximum(science, 0) * np.float32(VARIANCE_PER_DN) + steady_variance[:, None, None].astype(np.float32)
    noise = np.sqrt(variance) * white
    noise += np.stack([stream.normal(0, COLUMN_NOISE_DN, side) for stream in streams])[:, None, :].astype(np.float32)
    science += exposures.sky[:, None, None].astype(np.float32)
    grain = np.stack([template_grain[fid] for fid in exposures.fid]) * exposures.template_noise[:, None, None]
    grain = grain.astype(np.float32)
    level = np.array([stream.normal([-0.2, 0.02], [0.4, 0.2]) for stream in streams], np.float32)
    template += grain + (exposures.sky + level[:, 0])[:, None, None]
    change += residual + _attenuation(exposures, steady_variance) * noise - grain + level[:, 1, None, None]
    science += noise
    images = np.empty((n, side, side, 3), np.float32)
    images[..., 0] = np.minimum(science, SATURATION_DN)
    images[..., 1] = np.minimum(template, SATURATION_DN)
    images[..., 2] = change * exposures.sign[:, None, None].astype(np.float32)
    return images


def _attenuation(exposures: Exposures, variance: np.ndarray) -> np.ndarray:
    """What the matched filter of the subtraction leaves of the science noise, so that the difference has 0.97 of it."""
    kept = np.clip(DIFFERENCE_NOISE**2 - exposures.template_noise**2 / variance, 0.5, 1.0)
    return np.sqrt(kept).astype(np.float32)[:, None, None]


def _residuals(x, y, sigma, flux, exposures: Exposures) -> np.ndarray:
    """What imperfect registration, PSF matching and deconvolution leave of bright sources: dipoles and rings."""
    side = STAMP_SIDE
    moved = render(
        x + exposures.offset_x[:, None], y + exposures.offset_y[:, None], sigma, flux,
        exposures.seeing * (1 + exposures.blur), side,
    )  # fmt: skip
    moved -= render(x, y, sigma, flux, exposures.seeing, side)
    points = np.flatnonzero(sigma < PSF_SIGMAS_PER_FWHM[-1])
    width = np.full((len(flux), len(points)), RING_WIDTH_PIX, np.float32)
    sign = np.sign(exposures.blur)[:, None]
    columns, rows = (_ringing(c[:, points].astype(np.float32), width, side) for c in (x, y))
    rows *= (RING_SHARE * sign * flux[:, points]).astype(np.float32)[:, None, :] * np.float32(
        2 * np.pi * RING_WIDTH_PIX**2 / 8
    )
    moved += outer_sum(rows, columns)
    return moved


def _ringing(centre: np.ndarray, width: np.ndarray, side: int) -> np.ndarray:
    pixel = np.arange(side, dtype=np.float32)[:, None]
    return profile(centre, width, side) * np.cos(np.float32(RING_WAVE) * (pixel - centre[:, None, :]))


def template_grain(stream: np.random.Generator) -> np.ndarray:
    """[63, 63] float32 unit noise with the correlations of a resampled coadd."""
    margin = len(TEMPLATE_KERNEL) // 2
    white = stream.standard_normal((STAMP_SIDE + 2 * margin,) * 2, np.float32)
    smooth = sum(w * white[i : i + STAMP_SIDE] for i, w in enumerate(TEMPLATE_KERNEL))
    return sum(w * smooth[:, i : i + STAMP_SIDE] for i, w in enumerate(TEMPLATE_KERNEL))
