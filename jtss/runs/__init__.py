"""What a training leaves behind: directory, checkpoints, seeds, provenance."""
