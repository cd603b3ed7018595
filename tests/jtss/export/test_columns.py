"""The plan by which metadata come from raw columns."""

import numpy as np

from helpers.made_exported import OF_ONE, OF_THREE, model
from jtss import schema
from jtss.export.columns import DYNAMIC_SOURCES, STATIC_SOURCES, of_model, takes_999


def test_each_value_has_its_source_in_the_order_of_the_model():
    made = model(OF_THREE)
    for plan, names, sources in zip(
        of_model(OF_THREE, made.statistics),
        (OF_THREE.metadata.dynamic, OF_THREE.metadata.static),
        (DYNAMIC_SOURCES, STATIC_SOURCES),
        strict=True,
    ):
        n_plain = len(plan.source)
        assert len(plan.order) == len(names)
        for name, place in zip(names, plan.order, strict=True):
            if name.startswith("has_"):
                assert place >= n_plain
            else:
                assert sources[plan.source[place]] == schema.DERIVED_FROM.get(name, name)
                assert plan.is_logarithm[place] == name.startswith("log_")
                assert plan.is_absolute[place] == name.startswith("abs_")


def test_a_bit_counts_what_the_model_reads_in_either_group():
    """has_counters stands among the dynamic values, and ndethist is read as a static one as well."""
    plan, _ = of_model(OF_THREE, model(OF_THREE).statistics)
    bit = plan.members[:, OF_THREE.metadata.dynamic.index("has_counters") - 4]
    assert {DYNAMIC_SOURCES[source] for source in plan.source[bit == 1]} == {"ndethist"}
    assert bit.sum() == 2  # the number and its logarithm


def test_without_dynamic_values_the_plan_is_empty():
    plan, _ = of_model(OF_ONE, model(OF_ONE).statistics)
    assert plan.order.shape == (0,)


def test_a_lower_limit_takes_the_code_of_a_missing_value():
    assert takes_999("distpsnr1")
    assert not takes_999("magpsf")
    assert np.isin(schema.ZTF_MISSING, -999)
