"""The network of the paper: inputs, rotated copies, stamp encoder and temporal model."""
