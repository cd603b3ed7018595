"""Tables of AllWISE sources as people have them: six columns of however many there are."""

from pathlib import Path

import numpy as np

from data_prep import tables
from data_prep.tables import Wanted
from jtss.schema import ALLWISE_BANDS

WHAT = "AllWISE catalogue"
# Our name of each column, AllWISE's own, and VizieR's.
WANTED = {
    "ra": Wanted("angle", (("ra", "raj2000"),)),
    "dec": Wanted("angle", (("dec", "dej2000"),)),
} | {
    band: Wanted("magnitude", ((band.lower(), f"{band.lower()}mpro", f"{band.lower()}mag"),)) for band in ALLWISE_BANDS
}


def read(path: Path) -> dict[str, np.ndarray]:
    """Positions and magnitudes of K sources.

    Args:
        path: what `tables.read` reads; units count where they are stated.

    Returns:
        ra, dec [deg] and W1 to W4 [mag], each [K] float64; NaN = missing.

    Raises:
        FileNotFoundError, InputError: as `tables.read`.
    """
    return tables.read(path, WANTED, WHAT)
