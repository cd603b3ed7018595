"""Pictures: they are drawn, they show what they are given, and they leave no global state behind."""

import subprocess
import sys

import numpy as np
import pytest

from helpers.made_sequences import CLASSES
from helpers.read_pictures import has_colour, pixels
from jtss.metrics import classification
from jtss.reports import colours, figures


@pytest.mark.parametrize("confusion", [np.diag([5, 3, 0]), np.zeros((3, 3), int), np.full((3, 3), 10**6)])
def test_confusion_is_drawn_with_or_without_objects(confusion):
    assert pixels(figures.confusion_figure(confusion, CLASSES)).std() > 5


def test_confusion_colours_follow_the_rates_not_the_counts():
    one, many = np.array([[9, 1], [1, 9]]), np.array([[9, 1], [1000, 9000]])
    dark = [pixels(figures.confusion_figure(matrix, ("AGN", "SN"))).mean() for matrix in (one, many)]
    assert dark[0] == pytest.approx(dark[1], abs=1.0)


def test_reliability_is_drawn_with_empty_bins_and_with_none_filled():
    p = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    png = figures.reliability_figure(classification.reliability(p, np.zeros(50, int)))
    assert has_colour(png, colours.BLUE)
    figures.reliability_figure(classification.reliability(np.zeros((0, 3)), np.zeros(0, int)))


def test_learning_curve_with_validation_at_some_steps_only():
    step = np.arange(1, 101)
    seldom = np.where(step % 25 == 0, 0.5, np.nan)
    png = figures.learning_figure(step, 1 / step, seldom, seldom, 50)
    assert has_colour(png, colours.BLUE)
    assert has_colour(png, colours.VERMILION)


def test_pyplot_is_never_imported():
    code = "import sys, jtss.reports.figures, jtss.reports.stamps; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
