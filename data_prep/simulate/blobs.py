"""Light as round Gaussians: stars, galaxies and trails are lists of blobs, and the PSF is a mixture of Gaussians.

A round Gaussian is a product of a column and a row, so an image of S blobs through a PSF of K Gaussians is one matrix
product [side, S K] @ [S K, side]: exact sub-pixel positions, wings included, no interpolation.
"""

from typing import NamedTuple

import numpy as np

MOFFAT_BETA = 2.9  # median of isolated ZTF stars

# A Moffat profile is a Gamma mixture of Gaussians: (1 + r^2/a^2)^-b ~ integral of t^(b-1) e^-t e^(-t r^2/a^2) dt.
# The trapezoid rule in log t with these nodes, moved along with b, is within 0.8 % of the peak everywhere for b = 2.9
# and of the profile out to 5 a; within 2 % of the peak for b from 2.2 to 4, 3 % from 2 to 5.
_LOG_NODES = -2.8 + 1.1 * np.arange(5)
_NODES_FOLLOW_BETA = 0.7
ALPHA_PER_FWHM = 0.5 / np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0)

# Effective number of noise pixels of a Moffat, 1 / integral of psf^2 = pi alpha^2 (2 beta - 1) / (beta - 1)^2.
NOISE_PIXELS_PER_FWHM2 = np.pi * ALPHA_PER_FWHM**2 * (2 * MOFFAT_BETA - 1) / (MOFFAT_BETA - 1) ** 2

# Sersic profiles as Gaussians, widths in effective radii and their shares of the light; least squares in flux.
DISC_SIGMAS, DISC_SHARES = np.array([0.20, 0.45, 0.85, 1.35]), np.array([0.027, 0.194, 0.434, 0.345])
BULGE_SIGMAS, BULGE_SHARES = np.array([0.06, 0.25, 0.80, 2.20]), np.array([0.073, 0.242, 0.352, 0.333])

# An elongated Gaussian is a round one smeared along its major axis: seven points of the smearing Gaussian.
_LINE_NODES = np.linspace(-2.1, 2.1, 7)
_LINE_SHARES = np.exp(-0.5 * _LINE_NODES**2) / np.exp(-0.5 * _LINE_NODES**2).sum()

BLOBS_PER_PRODUCT = 64  # 63 * 63 * 64 multiplications; OpenBLAS threads from 2^18


class Psf(NamedTuple):
    """Mixtures of K round Gaussians, [D, K] float32: widths in units of the FWHM, and weights that add up to 1."""

    sigmas: np.ndarray
    weights: np.ndarray


def moffat(beta: np.ndarray, core_only: bool = False) -> Psf:
    """The mixtures of D exposures with exponents `beta` [D].

    Args:
        core_only: leave the wings out, which drown in the noise of faint sources: 4 % of the light at an exponent
            of 2.9, 8 % at 2.5.
    """
    beta = np.asarray(beta, float)[:, None]
    nodes = np.exp(_LOG_NODES[2:] if core_only else _LOG_NODES)
    nodes = nodes * ((beta - 1) / (MOFFAT_BETA - 1)) ** _NODES_FOLLOW_BETA
    weights = nodes ** (beta - 1) * np.exp(-nodes)
    sigmas = 0.5 / np.sqrt((2.0 ** (1.0 / beta) - 1.0) * 2.0 * nodes)
    return Psf(sigmas.astype(np.float32), (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


class Blobs(NamedTuple):
    """S round Gaussians.

    Attributes:
        x, y: [S] offset from the middle of pixel (31, 31) before the exposure's own offset [pix].
        sigma: [S] width before the PSF, 0 for a point [pix].
        flux: [S, 3] flux in g, r, i, in units of magnitude 0.
        owner: [S] index of the object that they belong to, ascending.
    """

    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    flux: np.ndarray
    owner: np.ndarray


def merge(parts: list[Blobs]) -> Blobs:
    """All blobs of several lists, sorted by owner."""
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[-1], kind="stable")
    return Blobs(*(column[order] for column in columns))


def profile(centre: np.ndarray, width: np.ndarray, side: int) -> np.ndarray:
    """[D, side, S] Gaussians of peak 1 along one axis; `centre` and `width` [D, S] in pixels, float32."""
    pixel = np.arange(side, dtype=np.float32)
    scaled = pixel - centre[:, :, None]  # pixels innermost: quicker
    scaled *= (np.float32(np.sqrt(0.5)) / width)[:, :, None]
    scaled *= scaled
    np.negative(scaled, out=scaled)
    return np.exp(scaled, out=scaled).transpose(0, 2, 1)


def render(
    x: np.ndarray,
    y: np.ndarray,
    sigma: np.ndarray,
    flux: np.ndarray,
    fwhm: np.ndarray,
    side: int,
    psf: Psf,
    stretch: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Images of blobs seen through a PSF.

    Args:
        x, y, flux: [D, S] position [pix] (column, row) and total flux of each blob in each image.
        sigma: [S] width of the blobs before the PSF [pix].
        fwhm: [D] seeing [pix].
        side: of the image [pix].
        psf: its shape.
        stretch: [D] or one for all: the PSF is that much wider along x, and as much narrower along y.

    Returns:
        [D, side, side] float32.
    """
    x, y, sigma, flux, fwhm = (np.asarray(value, np.float32) for value in (x, y, sigma, flux, fwhm))
    stretch = np.asarray(stretch, np.float32)
    n_parts = psf.weights.shape[1]

    def widths(seeing: np.ndarray) -> np.ndarray:
        return np.sqrt((psf.sigmas * seeing[:, None])[:, :, None] ** 2 + sigma**2)

    wide, high = widths(fwhm * stretch), widths(fwhm / stretch)
    peak = psf.weights[:, :, None] * flux[:, None, :] / (np.float32(2 * np.pi) * wide * high)
    flat = len(fwhm), n_parts * len(sigma)
    columns, rows = (
        profile(np.repeat(centre[:, None], n_parts, axis=1).reshape(flat), width.reshape(flat), side)
        for centre, width in ((x, wide), (y, high))
    )
    rows *= peak.reshape(flat)[:, None, :]
    return outer_sum(rows, columns)


def outer_sum(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[D, side, side]: the sum over blobs of row times column profile; `rows` and `columns` [D, side, S].

    In blocks below the size from which OpenBLAS shares a product among threads: so the sum does not depend, to the last
    bit, on how many threads there are.
    """
    blocks = [slice(start, start + BLOBS_PER_PRODUCT) for start in range(0, max(rows.shape[2], 1), BLOBS_PER_PRODUCT)]
    first, *others = (rows[:, :, block] @ columns[:, :, block].transpose(0, 2, 1) for block in blocks)
    return sum(others, start=first)


def galaxy(
    x: np.ndarray,
    y: np.ndarray,
    radius: np.ndarray,
    axis_ratio: np.ndarray,
    angle: np.ndarray,
    bulge: np.ndarray,
    flux: np.ndarray,
    owner: np.ndarray,
) -> Blobs:
    """Blobs of G galaxies: an elongated exponential disc and a round de Vaucouleurs bulge.

    Args:
        x, y: [G] centre [pix].
        radius: [G] effective radius [pix].
        axis_ratio, angle: [G] of the disc; angle from the x axis [rad].
        bulge: [G] share of the light in the bulge.
        flux: [G, 3] total flux.
        owner: [G] object index.
    """
    n_galaxies, n_disc, n_line = len(x), len(DISC_SIGMAS), len(_LINE_NODES)
    major = radius[:, None, None] * DISC_SIGMAS[:, None]
    along = major * np.sqrt(1 - axis_ratio**2)[:, None, None] * _LINE_NODES  # [G, 4, 7]
    share = (1 - bulge)[:, None, None] * DISC_SHARES[:, None] * _LINE_SHARES
    disc = Blobs(
        x=(x[:, None, None] + along * np.cos(angle)[:, None, None]).ravel(),
        y=(y[:, None, None] + along * np.sin(angle)[:, None, None]).ravel(),
        sigma=np.broadcast_to(major * axis_ratio[:, None, None], along.shape).ravel(),
        flux=(share.reshape(n_galaxies, n_disc * n_line, 1) * flux[:, None, :]).reshape(-1, 3),
        owner=np.repeat(owner, n_disc * n_line),
    )
    n_bulge = len(BULGE_SIGMAS)
    core = Blobs(
        x=np.repeat(x, n_bulge),
        y=np.repeat(y, n_bulge),
        sigma=(radius[:, None] * BULGE_SIGMAS).ravel(),
        flux=(bulge[:, None, None] * BULGE_SHARES[:, None] * flux[:, None, :]).reshape(-1, 3),
        owner=np.repeat(owner, n_bulge),
    )
    return merge([disc, core])
