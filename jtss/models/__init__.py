"""Trained models that ship with the package: one file, one card, one sum each, in `files/`."""
