"""The grid of a stamp and a point source on it, for tests of simulated stamps."""

import numpy as np

from data_prep.simulate.blobs import MOFFAT_BETA, moffat, render
from jtss.schema import STAMP_SIDE

SIDE, MIDDLE = STAMP_SIDE, STAMP_SIDE // 2
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
RADIUS = np.hypot(COLUMNS - MIDDLE, ROWS - MIDDLE)
TYPICAL = moffat(np.array([MOFFAT_BETA]))


def point(fwhm, x=MIDDLE, y=MIDDLE, flux=1.0, psf=TYPICAL):
    return render(np.array([[x]]), np.array([[y]]), np.zeros(1), np.array([[flux]]), np.array([fwhm]), SIDE, psf)[0]
