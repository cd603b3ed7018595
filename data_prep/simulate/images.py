"""Science, template and difference stamps of one object's exposures."""

from typing import NamedTuple

import numpy as np

from data_prep.simulate.blobs import Blobs, moffat, outer_sum, render
from data_prep.simulate.cadence import DIFFERENCE_NOISE, READ_VARIANCE, VARIANCE_PER_DN
from jtss.schema import STAMP_SIDE

CENTRE_PIX = STAMP_SIDE // 2
SATURATION_DN = 60000.0
WINGS_FLUX = 10 ** (-0.4 * 20.0)  # fainter sources show the core of the PSF only
RESIDUAL_FLUX = 10 ** (-0.4 * 19.0)  # fainter sources leave no visible residual
RING_SHARE = 0.0015  # of a bright star's light: the peak of the ringing that the deconvolution leaves
TYPICAL_OFFSET_PIX, BAD_OFFSET_PIX = 0.065, 0.15  # registration error of the subtraction, per axis
TYPICAL_BLUR, BAD_BLUR = 0.03, 0.06  # relative error of the PSF matching
TEMPLATE_LEVEL_DN = (-0.2, 0.4)  # minus the science level: mean and scatter
DIFFERENCE_LEVEL_DN = 0.2
COLUMN_NOISE_DN = 0.5  # the readout leaves faint stripes
RING_WAVE, RING_WIDTH_PIX = 2.5, 2.0

# Resampling and the matched filter of the subtraction correlate the noise of neighbours (first value) and of next
# neighbours (second), and shift it by parts of a pixel (third: the difference of the two neighbours): weights along x
# and along y, mean and scatter, fitted to the empty parts of real stamps.
SCIENCE_KERNEL = np.float32([((-0.03, 0.022), (-0.005, 0.012), (0, 0)), ((0.0, 0.015), (0.0, 0.012), (0, 0))])
DIFFERENCE_KERNEL = np.float32(
    [((0.02, 0.04), (-0.02, 0.026), (-0.012, 0.04)), ((0.02, 0.035), (-0.013, 0.022), (0.04, 0.05))]
)
TEMPLATE_KERNEL = np.float32([((0.11, 0.025), (-0.053, 0.018), (0, 0)), ((0.12, 0.025), (-0.053, 0.018), (0, 0))])


class Exposures(NamedTuple):
    """D exposures of one object, [D] each unless noted.

    Attributes:
        fid: filter. scale: DN per unit of flux, 10^(0.4 zero point). seeing, template_seeing: FWHM [pix].
        source_seeing: FWHM of what changed [pix]; a cosmic ray is sharper than the PSF.
        sky, noise_sky: as in `Visits` [DN]. template_noise: [DN].
        x, y: true position of the source minus the middle of pixel (31, 31) [pix].
        source, reference: flux of the point source now and in the reference.
        sign: 1, or -1 where the source got fainter.
        stretch, template_stretch: of the PSF along x. beta, template_beta: its exponent: the lower, the more wings.
        offset_x, offset_y, blur: registration error [pix] and relative PSF error of the subtraction.
        match: noise of the difference in units of the typical one. foreign: share of it that is not the science
        image's. subtracted: share of the template's noise that is in the difference.
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
    stretch: np.ndarray
    template_stretch: np.ndarray
    beta: np.ndarray
    template_beta: np.ndarray
    offset_x: np.ndarray
    offset_y: np.ndarray
    blur: np.ndarray
    match: np.ndarray
    foreign: np.ndarray
    subtracted: np.ndarray
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
    template, steady, change, residual = _light(blobs, exposures, shape)
    science = steady + change
    noise, steady_variance = _science_noise(science, exposures, streams)
    grain = np.stack([template_grain[fid] for fid in exposures.fid]) * _plane(exposures.template_noise)
    sky = _plane(exposures.sky)
    level = _white(streams, (2,))
    template += grain + sky + _plane(TEMPLATE_LEVEL_DN[0] + TEMPLATE_LEVEL_DN[1] * level[:, 0])
    change += residual + _plane(_attenuation(exposures, steady_variance)) * _filtered(
        noise, steady_variance, exposures.foreign, streams
    )
    change += _plane(DIFFERENCE_LEVEL_DN * level[:, 1]) - _plane(exposures.subtracted) * grain
    science += noise + sky
    images = np.empty((*science.shape, 3), np.float32)
    np.minimum(science, SATURATION_DN, out=images[..., 0])
    np.minimum(template, SATURATION_DN, out=images[..., 1])
    np.multiply(change, _plane(exposures.sign), out=images[..., 2])
    return images


def _white(streams: list[np.random.Generator], shape: tuple[int, ...]) -> np.ndarray:
    """[D, *shape] float32: unit noise, each row from its own stream."""
    noise = np.empty((len(streams), *shape), np.float32)
    for stream, row in zip(streams, noise, strict=True):
        stream.standard_normal(dtype=np.float32, out=row)
    return noise


def _plane(values: np.ndarray) -> np.ndarray:
    """[D, 1, 1] float32: one value per image."""
    return np.asarray(values, np.float32)[:, None, None]


def _light(blobs: Blobs, exposures: Exposures, shape: Shape) -> tuple[np.ndarray, ...]:
    """[D, 63, 63] each, without sky: the template; the same through the exposure's PSF; the change; its residuals."""
    side = STAMP_SIDE
    # What belongs where is decided by flux alone, not by the exposures: a stamp must not depend on the others.
    brightness = np.append(blobs.flux.max(axis=1), np.inf)  # last, the object's own point source
    x = CENTRE_PIX + exposures.x[:, None] + np.append(blobs.x, 0.0)
    y = CENTRE_PIX + exposures.y[:, None] + np.append(blobs.y, 0.0)
    sigma = np.append(blobs.sigma, 0.0)
    scale = exposures.scale[:, None]
    flux = np.concatenate([blobs.flux[:, exposures.fid - 1].T, exposures.reference[:, None]], axis=1) * scale
    wide, faint = brightness > WINGS_FLUX, brightness <= WINGS_FLUX
    # Template and science in one call: for a few blobs a call costs more than its arithmetic.
    seeing = np.concatenate([exposures.template_seeing, exposures.seeing])
    stretch = np.concatenate([exposures.template_stretch, exposures.stretch])
    beta = np.concatenate([exposures.template_beta, exposures.beta])
    whole, core = moffat(beta), moffat(beta, core_only=True)
    two_x, two_y, two_flux = (np.concatenate([value, value]) for value in (x, y, flux))
    images = render(two_x[:, wide], two_y[:, wide], sigma[wide], two_flux[:, wide], seeing, side, whole, stretch)
    images += render(two_x[:, faint], two_y[:, faint], sigma[faint], two_flux[:, faint], seeing, side, core, stretch)
    change = render(
        x[:, -1:] + shape.x,
        y[:, -1:] + shape.y,
        np.zeros(len(shape.x)),
        (exposures.source - exposures.reference)[:, None] * scale * shape.share,
        exposures.source_seeing,
        side,
        moffat(exposures.beta),
        exposures.stretch,
    )
    bright = brightness > RESIDUAL_FLUX
    residual = _residuals(x[:, bright], y[:, bright], sigma[bright], flux[:, bright], exposures)
    return *np.split(images, 2), change, residual


def _science_noise(light: np.ndarray, exposures: Exposures, streams) -> tuple[np.ndarray, np.ndarray]:
    """Noise of the science images [D, 63, 63], and the variance of their empty sky [D]."""
    sky_variance = VARIANCE_PER_DN * exposures.noise_sky + READ_VARIANCE
    deviation = np.maximum(light, 0)
    deviation *= np.float32(VARIANCE_PER_DN)
    deviation += _plane(sky_variance)
    np.sqrt(deviation, out=deviation)
    white = _white(streams, light.shape[1:])
    deviation *= correlated(white, kernels(streams, SCIENCE_KERNEL))
    stripes = _white(streams, (1, light.shape[2]))
    return deviation + np.float32(COLUMN_NOISE_DN) * stripes, sky_variance


def _attenuation(exposures: Exposures, variance: np.ndarray) -> np.ndarray:
    """[D] what the matched filter of the subtraction leaves of the science noise: `DIFFERENCE_NOISE` in all."""
    noise = DIFFERENCE_NOISE * np.minimum(exposures.match, 1.05)
    return np.sqrt(np.clip(noise**2 - (exposures.subtracted * exposures.template_noise) ** 2 / variance, 0.4, 1.1))


def _filtered(noise: np.ndarray, variance: np.ndarray, foreign: np.ndarray, streams) -> np.ndarray:
    """What the subtraction makes of the science noise [D, 63, 63]: smoothed, shifted, and a share of it replaced."""
    smooth = correlated(noise, kernels(streams, DIFFERENCE_KERNEL))
    smooth *= _plane(np.sqrt(1 - foreign**2))
    other = _white(streams, noise.shape[1:])
    other *= _plane(foreign * np.sqrt(variance))
    return smooth + other


def _residuals(x, y, sigma, flux, exposures: Exposures) -> np.ndarray:
    """What imperfect registration, PSF matching and deconvolution leave of bright sources: dipoles and rings."""
    both_x = np.concatenate([x + exposures.offset_x[:, None], x])
    both_y = np.concatenate([y + exposures.offset_y[:, None], y])
    seeing = np.concatenate([exposures.seeing * (1 + exposures.blur), exposures.seeing])
    twice, stretch, beta = (np.concatenate([value, value]) for value in (flux, exposures.stretch, exposures.beta))
    moved, there = np.split(render(both_x, both_y, sigma, twice, seeing, STAMP_SIDE, moffat(beta), stretch), 2)
    moved -= there
    points = sigma == 0
    columns, rows = (_ringing(np.asarray(centre[:, points], np.float32)) for centre in (x, y))
    rows *= (RING_SHARE / TYPICAL_BLUR * exposures.blur[:, None] * flux[:, points]).astype(np.float32)[:, None, :]
    moved += outer_sum(rows, columns)
    return moved


def _ringing(centre: np.ndarray) -> np.ndarray:
    """[D, 63, S] a wave of two and a half pixels that fades away from the centre [D, S]."""
    distance = np.arange(STAMP_SIDE, dtype=np.float32)[:, None] - centre[:, None, :]
    return np.cos(np.float32(RING_WAVE) * distance) * np.exp(distance**2 * np.float32(-0.5 / RING_WIDTH_PIX**2))


def template_grain(stream: np.random.Generator) -> np.ndarray:
    """[63, 63] float32 unit noise with the correlations of a resampled coadd."""
    white = _white([stream], (STAMP_SIDE, STAMP_SIDE))
    return correlated(white, kernels([stream], TEMPLATE_KERNEL))[0]


def kernels(streams: list[np.random.Generator], kind: np.ndarray) -> np.ndarray:
    """[D, 2, 3] float32: weights of the neighbours, the next neighbours and the shift, along x and along y."""
    return kind[..., 0] + kind[..., 1] * _white(streams, kind.shape[:-1])


# Which weight of a kernel stands where in the matrix of `_band`: by how far a column is to the right of its row.
_STEP = np.clip((np.arange(STAMP_SIDE) - np.arange(STAMP_SIDE)[:, None] + 3) % STAMP_SIDE, 0, 6)


def correlated(white: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Smooth noise [D, 63, 63] along both axes by kernels of five pixels; its variance stays; edges wrap.

    Args:
        weights: [D, 2, 3] as from `kernels`; the middle of a kernel weighs 1.
    """
    bands = _band(weights.reshape(-1, 3)).reshape(*weights.shape[:2], STAMP_SIDE, STAMP_SIDE)
    return bands[:, 1] @ white @ bands[:, 0].transpose(0, 2, 1)


def _band(weights: np.ndarray) -> np.ndarray:
    """[D, 63, 63] the matrix of a kernel [D, 3], of unit norm."""
    near, far, shift = weights.T
    norm = np.sqrt(1 + 2 * (near**2 + far**2 + shift**2))
    nothing, itself = np.zeros_like(near), np.ones_like(near)
    steps = np.stack([nothing, far, near - shift, itself, near + shift, far, nothing], axis=1)
    return np.take(steps / norm[:, None], _STEP, axis=1)
