"""Probabilities of subclasses: those of a class add up to its own, in whatever order a model has them."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jtss.config import named
from jtss.network import subclasses
from jtss.schema import CLASS_OF_SUBCLASS, SUBCLASS_NAMES

ANY = named.get("any_gru")
N_CLASSES, N_SUBCLASSES = len(ANY.classes), len(ANY.subclasses)


def turned(seed):
    """The same model with its classes and subclasses in another order."""
    rng = np.random.default_rng(seed)
    return replace(ANY, classes=tuple(rng.permutation(ANY.classes)), subclasses=tuple(rng.permutation(ANY.subclasses)))


def drawn(config, *shape, seed=0, scale=3.0):
    width = len(config.classes) + len(config.subclasses)
    return np.random.default_rng(seed).normal(0, scale, (*shape, width)).astype(np.float32)


def by_name(config, of_class, of_subclass):
    return dict(zip(config.classes, of_class.T, strict=True)), dict(zip(config.subclasses, of_subclass.T, strict=True))


@pytest.mark.parametrize("config", [ANY, turned(1), turned(2)])
def test_they_are_the_softmax_within_the_class_times_that_of_the_class(config):
    logits = drawn(config, 7)
    of_class, of_subclass = by_name(config, *map(np.asarray, subclasses.probabilities(config, logits)))
    odds = dict(zip((*config.classes, *config.subclasses), np.exp(logits.astype(float)).T, strict=True))
    all_classes = sum(odds[name] for name in config.classes)
    for name in config.classes:
        np.testing.assert_allclose(of_class[name], odds[name] / all_classes, rtol=1e-5)
    for name, members in SUBCLASS_NAMES.items():
        np.testing.assert_allclose(sum(of_subclass[each] for each in members), of_class[name], rtol=1e-5)
        for each in members:
            given = odds[each] / sum(odds[other] for other in members)
            np.testing.assert_allclose(of_subclass[each], of_class[name] * given, rtol=1e-5)


@pytest.mark.parametrize("name", SUBCLASS_NAMES)
def test_those_of_other_classes_change_no_bit_of_what_is_known_given_a_class(name):
    logits, other = drawn(ANY, 5), drawn(ANY, 5, seed=1)
    own = [i for i, each in enumerate(ANY.subclasses) if CLASS_OF_SUBCLASS[each] == name]
    other[:, [N_CLASSES + i for i in own]] = logits[:, [N_CLASSES + i for i in own]]
    given, given_other = (np.asarray(subclasses.log_given_class(ANY, each)) for each in (logits, other))
    np.testing.assert_array_equal(given[:, own], given_other[:, own])
    assert (np.delete(given, own, axis=1) != np.delete(given_other, own, axis=1)).all()


def test_after_every_row_and_however_certain_they_are_numbers():
    of_class, of_subclass = subclasses.probabilities(ANY, drawn(ANY, 2, 4, scale=200.0))
    assert (of_class.shape, of_subclass.shape) == ((2, 4, N_CLASSES), (2, 4, N_SUBCLASSES))
    assert np.isfinite(of_subclass).all()
    gradient = jax.grad(lambda logits: subclasses.log_given_class(ANY, logits).sum())(drawn(ANY, 3, scale=200.0))
    assert np.isfinite(gradient).all()


def test_a_part_of_the_subclasses_and_none():
    config = replace(ANY, classes=("VS", "AGN"), subclasses=("blazar", "eclipsing", "quasar"))
    of_class, of_subclass = subclasses.probabilities(config, drawn(config, 6))
    np.testing.assert_allclose(of_subclass[:, 1], of_class[:, 0], rtol=1e-6)  # the only one of its class
    np.testing.assert_allclose(of_subclass[:, 0] + of_subclass[:, 2], of_class[:, 1], rtol=1e-6)
    none = replace(config, subclasses=())
    of_class, of_subclass = subclasses.probabilities(none, drawn(none, 6))
    assert (of_class.shape, of_subclass.shape) == ((6, 2), (6, 0))
    np.testing.assert_array_equal(of_class, jax.nn.softmax(drawn(none, 6)))
