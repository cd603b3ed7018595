"""From the sky to arrays: alert packets or a simulated sky become one HDF5 file of sequences."""
