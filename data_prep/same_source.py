"""Objects that are one source under two ids."""

import numpy as np

from data_prep.packets.metadata import chord, unit_vectors

RADIUS_ARCSEC = 2.0  # what lies closer is one object to ZTF, whose ids have a radius of 1.5


def groups(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """[N] int: the same number for objects within `RADIUS_ARCSEC` of each other, in chains if need be.

    Args:
        ra, dec: [N] [deg]; an object without a position is alone.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    with np.errstate(invalid="ignore"):
        placed = np.flatnonzero((ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90))
    pairs = np.empty((0, 2), int)
    if placed.size:
        tree = cKDTree(unit_vectors(ra[placed], dec[placed]))
        pairs = placed[tree.query_pairs(chord(RADIUS_ARCSEC), output_type="ndarray")]
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(ra), len(ra)))
    return connected_components(links, directed=False)[1]
