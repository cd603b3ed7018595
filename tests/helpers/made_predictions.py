"""Predictions made for tests: honest ones, and those of a classifier that is better the more confident it is."""

import csv
from typing import NamedTuple

import numpy as np


class Predictions(NamedTuple):
    """True classes [N] and probabilities [N, 3], as `evaluation.Predictions` has them."""

    label: np.ndarray
    probabilities: np.ndarray


def honest(n=6000, seed=0, sharpened=1.0):
    """Labels drawn from probabilities that are then stated `sharpened` times too confident."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(max=2)
    stated = np.exp(sharpened * logits)
    return Predictions(labels, (stated / stated.sum(axis=1, keepdims=True)).astype(np.float32))


def classified(n=3000, seed=0, noise=1.0):
    """A classifier of three classes that is correct more often the more confident it is; the same for any seed."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    logits = 2.5 * np.eye(3)[label] + noise * rng.normal(size=(n, 3))
    p = np.exp(logits)
    return Predictions(label, (p / p.sum(axis=1, keepdims=True)).astype(np.float32))


HEAD = ("oid", "classifier_name", "classifier_version", "class_name", "probability", "ranking")


def write_table(path, rows, head=HEAD):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def classifier_rows(oid, chances, classifier="lc_classifier"):
    return [(oid, classifier, "1.0", name, p, i + 1) for i, (name, p) in enumerate(chances.items())]
