"""Labelled alerts that others have published as arrays, to data sets of ours."""
