"""What differs between two configurations."""

import json

from jtss.config import named
from jtss.config.settings import differences, override, to_dict

CONFIG = named.get("demo")


def differing(*assignments: str) -> list[str]:
    changed = json.loads(json.dumps(to_dict(override(CONFIG, list(assignments)))))
    return differences(to_dict(CONFIG), changed, ("here", "there"))


def test_a_config_and_its_json_do_not_differ():
    assert differing() == []


def test_each_differing_setting_is_named_with_both_sides():
    assert differing("temporal.kernel=2", "classes=AGN,SN", "training.seed=5") == [
        "classes: here (AGN, SN, VS), there (AGN, SN)",
        f"temporal.kernel: here {CONFIG.temporal.kernel}, there 2",
        f"training.seed: here {CONFIG.training.seed}, there 5",
    ]


def test_a_setting_that_one_side_lacks_is_named():
    values = to_dict(CONFIG)
    older = {name: value for name, value in values.items() if name != "n_detections"}
    assert differences(older, values, ("checkpoint", "config.json")) == [
        "n_detections: checkpoint has none, config.json 3"
    ]
    assert differences(values, older, ("a", "b")) == ["n_detections: a 3, b has none"]


def test_what_is_said_of_the_origin_is_no_setting():
    values = to_dict(CONFIG)
    assert differences(values, {**values, "origin": "elsewhere", "paper_accuracy": "1"}, ("a", "b")) == []
