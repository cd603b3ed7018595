"""Every module has its test, at the mirrored place: jtss/a/b.py → tests/jtss/a/test_b.py, or test_b_more.py."""

import ast
from pathlib import Path

import pytest

from helpers.places import ROOT

HALVES = ("jtss", "data_prep")
# of a line or two, to be called by name: what they open is tested
DOORS = {f"jtss/{name}.py" for name in ("__main__", "audit", "experiments", "models")} | {"data_prep/__main__.py"}
MODULES = sorted(
    path.relative_to(ROOT)
    for half in HALVES
    for path in (ROOT / half).rglob("*.py")
    if path.name != "__init__.py" and str(path.relative_to(ROOT)) not in DOORS
)
TESTS = sorted(path.relative_to(ROOT) for half in HALVES for path in (ROOT / "tests" / half).rglob("*.py"))


def is_of(test: Path, module: Path) -> bool:
    """test_STEM.py and test_STEM_more.py, in the mirrored folder."""
    return test.parent.parts[1:] == module.parent.parts and f"{test.stem}_".startswith(f"test_{module.stem}_")


def functions(path: Path) -> list[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_its_test(module):
    tests = [path for path in TESTS if is_of(path, module)]
    assert any(map(functions, tests)), f"there is no test in tests/{module.parent}/test_{module.stem}*.py"


@pytest.mark.parametrize("path", TESTS, ids=str)
def test_every_test_is_of_a_module(path):
    assert any(is_of(path, module) for module in MODULES), f"{path} is named after no module"
    names = functions(path)
    assert names, f"there is no test in {path}"
    assert len({*names}) == len(names), f"{path}: of two tests of one name the first is never run"
