"""The colours of pictures and pages."""

import re

from jtss import schema
from jtss.reports.colours import CLASS_COLOURS


def test_every_class_has_a_colour_of_its_own():
    assert {*CLASS_COLOURS} == {*schema.CLASS_NAMES}
    assert len({*CLASS_COLOURS.values()}) == len(CLASS_COLOURS)
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in CLASS_COLOURS.values())
