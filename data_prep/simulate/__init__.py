"""A seeded physical model of ZTF alert sequences, so that everything runs without a download.

`simulate` writes the HDF5 file that `build` writes from packets; `archive.simulate_packets`, apart because it needs
fastavro, writes the packets themselves.
"""

from data_prep.simulate.cache import cached_path
from data_prep.simulate.dataset import simulate, simulate_chunk

__all__ = ["cached_path", "simulate", "simulate_chunk"]
