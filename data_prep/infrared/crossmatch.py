"""Matches on the sky: the magnitudes of AllWISE sources."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_prep import remote
from data_prep.infrared import allwise, hats, services
from data_prep.packets.metadata import angles, chord, unit_vectors, within
from jtss.errors import InputError
from jtss.schema import ALLWISE_BANDS, MATCH_RADIUS_ARCSEC

if TYPE_CHECKING:
    from scipy.spatial import cKDTree  # SciPy is imported on use: most alerts are read without a catalogue

ROUNDING_DEG = 1e-4  # of 2π or π/2 in a float32
MAGNITUDE_LIMITS = (-10.0, 40.0)  # beyond: a stand-in for a missing value, such as -999 or 99.9


class AllWise(NamedTuple):
    """A catalogue ready for matching: a tree over K unit vectors, and [K, 4] float32 W1 to W4 [mag].

    `remark` says where the sources are from, where they were chosen by the positions to match.
    """

    tree: "cKDTree"
    magnitudes: np.ndarray
    radius_arcsec: float = MATCH_RADIUS_ARCSEC
    remark: str = ""


class OnDemand:
    """A catalogue of the whole sky, of which the sources near given positions are fetched.

    Attributes:
        near: of ra, dec [N] [deg] and a radius [arcsec], the columns of `allwise.read` and a remark.
        fetched: what `around` gave last.
    """

    def __init__(self, name: str, near: Callable, radius_arcsec: float) -> None:
        self.name, self.near, self.radius_arcsec = name, near, radius_arcsec
        self.fetched: AllWise | None = None

    def around(self, ra: np.ndarray, dec: np.ndarray) -> AllWise:
        columns, remark = self.near(ra, dec, self.radius_arcsec)
        self.fetched = _catalogue(self.name, columns, self.radius_arcsec, remark)
        return self.fetched


def path_of(catalogue: str | Path | None) -> Path | None:
    """The file or folder here that a catalogue is; None where it is a service, elsewhere, or None."""
    return None if catalogue is None or services.parse(str(catalogue)) else remote.path_of(catalogue)


def load(catalogue: str | Path, radius_arcsec: float = MATCH_RADIUS_ARCSEC) -> AllWise | OnDemand:
    """Open a catalogue with the columns ra, dec and W1 to W4 (or w1mpro to w4mpro), in any case.

    Right ascensions may run from 0 to 360 or from -180 to 180 degrees. A magnitude such as -999 or 99.9 is missing.

    Args:
        catalogue: what `allwise.read` reads, or the URL of one such file, which is read now; a HATS catalogue (`hats`)
            or a service (`services`), of which the sources near the objects are read when these are known. Units count
            where they are stated.
        radius_arcsec: of a match.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: as `allwise.read`, or a position off the sky; names the file, what it has and what was expected.

    AllWISE Source Catalog.
    """
    if service := services.parse(str(catalogue)):
        return OnDemand(str(catalogue), partial(services.near, service), radius_arcsec)
    with remote.here(catalogue) as path:
        if path.is_dir() and (partitions := hats.dataset_of(path)):
            return OnDemand(str(path), partial(hats.near, partitions), radius_arcsec)
        name = remote.masked(catalogue) if remote.is_url(catalogue) else str(path)
        return _catalogue(name, allwise.read(path), radius_arcsec)


def around(catalogue: AllWise | OnDemand, ra: np.ndarray, dec: np.ndarray) -> AllWise:
    """The catalogue with all sources that objects at ra, dec [N] [deg] may match.

    Raises:
        InputError, OSError: as `services.near` and `hats.near`.
    """
    return catalogue.around(ra, dec) if isinstance(catalogue, OnDemand) else catalogue


def _catalogue(path: str, columns: dict[str, np.ndarray], radius_arcsec: float, remark: str = "") -> AllWise:
    from scipy.spatial import cKDTree

    ra, dec = columns["ra"], columns["dec"]
    bad = ~((ra >= -180 - ROUNDING_DEG) & (ra <= 360 + ROUNDING_DEG) & (np.abs(dec) <= 90 + ROUNDING_DEG))
    if bad.any():
        at = int(bad.argmax())
        raise InputError(
            f"{path}: {bad.sum()} of {len(ra)} rows lack a position with ra in [-180, 360], dec in [-90, 90] degrees,"
            f" first row {at + 1}: ra {ra[at]:g}, dec {dec[at]:g}"
        )
    magnitudes = np.stack([within(columns[band], *MAGNITUDE_LIMITS) for band in ALLWISE_BANDS], axis=-1)
    return AllWise(cKDTree(unit_vectors(ra, dec)), magnitudes.astype(np.float32), radius_arcsec, remark)


def counted(n_matched: int, n_without: int, n_objects: int) -> str:
    """How many objects are matched to a source with a magnitude, and to one that has none that can be used."""
    text = f"{n_matched} of {n_objects} objects matched"
    return f"{text}, {n_without} more matched, without usable magnitudes" if n_without else text


def report(catalogue: AllWise | OnDemand, n_matched: int, n_without: int, n_objects: int, n_ambiguous: int = 0) -> str:
    """What a match came to, in a line: to be said whenever a catalogue was given.

    Args:
        n_matched, n_without, n_objects: as in `counted`.
        n_ambiguous: objects with several sources within the radius.
    """
    if isinstance(catalogue, OnDemand):
        if catalogue.fetched is None:
            return f"AllWISE: {counted(n_matched, n_without, n_objects)}"
        catalogue = catalogue.fetched
    n_none = n_objects - n_matched - n_without
    text = (
        f'AllWISE: {counted(n_matched, n_without, n_objects)}; by {catalogue.radius_arcsec:g}", {n_ambiguous} with'
        f" several sources there, of which the nearest counts; {n_none} without a source"
    )
    text += f"; {catalogue.remark}" if catalogue.remark else ""
    if n_matched or not n_objects:
        return text
    if n_without:
        return f"{text}; so that colours count as missing: magnitudes are expected within {MAGNITUDE_LIMITS} mag"
    if not catalogue.tree.n:
        return f"{text}; " + ("no source is near the objects" if catalogue.remark else "the catalogue is empty")
    ra, dec = angles(catalogue.tree.data)
    return (
        f"{text}; so that colours count as missing; the {catalogue.tree.n} sources were taken to lie at"
        f" ra {ra.min():.4g} to {ra.max():.4g}, dec {dec.min():.4g} to {dec.max():.4g} degrees:"
        f" is that their unit, and the part of the sky of the alerts?"
    )


def match(catalogue: AllWise, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """W1 to W4 of the nearest source within the catalogue's radius.

    Args:
        ra_deg, dec_deg: [N] positions [deg]; NaN where unknown.

    Returns:
        [N, 4] float32 [mag]; NaN where there is no match, or no magnitude.

    TSC §IV-A.
    """
    return magnitudes(catalogue, sources(catalogue, ra_deg, dec_deg))


def magnitudes(catalogue: AllWise, nearest: np.ndarray) -> np.ndarray:
    """[N, 4] float32 [mag]: W1 to W4 of what `sources` gives."""
    values = np.full((len(nearest), len(ALLWISE_BANDS)), np.nan, np.float32)
    values[nearest >= 0] = catalogue.magnitudes[nearest[nearest >= 0]]
    return values


def sources(catalogue: AllWise, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """[N] int64: the row in the catalogue of the nearest source within its radius, -1 where there is none."""
    nearest = np.full(len(ra_deg), -1)
    known = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    if len(known) and catalogue.tree.n:
        distance, row = catalogue.tree.query(unit_vectors(ra_deg[known], dec_deg[known]))
        nearest[known] = np.where(distance <= chord(catalogue.radius_arcsec), row, -1)
    return nearest


def n_sources(catalogue: AllWise, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """[N] int64: how many sources are within the catalogue's radius."""
    count = np.zeros(len(ra_deg), np.int64)
    known = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    if len(known) and catalogue.tree.n:
        places, radius = unit_vectors(ra_deg[known], dec_deg[known]), chord(catalogue.radius_arcsec)
        count[known] = catalogue.tree.query_ball_point(places, radius, return_length=True)
    return count
