"""What differs comes first, what does not is within chance, and votes are by object."""

import numpy as np
import pytest

from data_prep.compare.samples import VALUE_NAMES
from data_prep.compare.tables import compare_pairs, compare_values, count, pairs_text, values_text
from helpers.made_comparisons import sample


def test_samples_of_one_distribution_differ_by_chance_alone():
    rows = compare_values(sample(80, 0), sample(200, 1), "SN")
    assert {row.name for row in rows} == set(VALUE_NAMES)
    assert np.mean([row.excess > 0 for row in rows]) < 0.12


def test_what_is_shifted_comes_first():
    real, simulated = sample(80, 0), sample(200, 1)
    simulated.values["chinr"] += 1.5
    simulated.values["noise_template"] *= 6
    rows = compare_values(real, simulated, "SN")
    assert [row.name for row in rows[:2]] == ["chinr", "noise_template"]
    assert rows[0].wasserstein == pytest.approx(1.5 / 1.35, abs=0.25)
    assert rows[0].quantiles[1][2] - rows[0].quantiles[0][2] == pytest.approx(1.5, abs=0.3)
    lines = values_text(rows).splitlines()
    assert [line.split()[0] for line in lines[1:4:2]] == ["chinr", "noise_template"]
    assert len(lines) == 1 + 2 * sum(row.excess > 0 for row in rows) < 20
    assert values_text([row for row in rows if row.excess <= 0]) == "no value beyond chance"


def test_what_is_missing_comes_first():
    real, simulated = sample(80, 0), sample(200, 1)
    simulated.values["sgscore1"][:120] = np.nan
    simulated.values["distnr"][3:] = np.nan  # too few are left for a distance
    first, second = compare_values(real, simulated, "SN")[:2]
    assert (first.name, first.missing) == ("distnr", (0, pytest.approx(197 / 200)))
    assert np.isnan(first.ks)
    assert (second.name, second.missing) == ("sgscore1", (0, pytest.approx(0.6)))
    assert second.objects == (80, 80)


def test_an_object_has_one_vote():
    """Ten alerts of each object change nothing; ten alerts of one object weigh as much as its one did."""
    real, once, often = sample(80, 0), sample(50, 1), sample(50, 1, alerts_each=10)
    for a, b in zip(compare_values(real, once, "SN"), compare_values(real, often, "SN"), strict=True):
        assert (a.name, a.ks, a.ks_chance) == (b.name, pytest.approx(b.ks), b.ks_chance)
    for a, b in zip(compare_pairs(real, once, "SN"), compare_pairs(real, often, "SN"), strict=True):
        assert (a.names, a.gap) == (b.names, pytest.approx(b.gap))
    assert count(often, "SN") == (500, 50)


def test_a_correlation_that_is_lost_comes_first():
    real, simulated = sample(80, 0), sample(200, 1)
    real.values["chinr"] = real.values["magnr"] + 0.3 * real.values["chinr"]
    rows = compare_pairs(real, simulated, "SN")
    assert rows[0].names == ("magnr", "chinr")
    assert rows[0].correlation == (pytest.approx(0.95, abs=0.03), pytest.approx(0, abs=0.2))
    assert rows[0].gap < -8
    lines = pairs_text(rows).splitlines()
    assert lines[1].startswith("magnr ~ chinr")
    assert len(lines) == 1 + sum(abs(row.gap) > 1.96 for row in rows) < 10
    assert pairs_text([row._replace(gap=gap) for row, gap in zip(rows, (1.9, -1.9, np.nan), strict=False)]) == (
        "no correlation beyond chance"
    )
