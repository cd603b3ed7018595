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


def tests_of(module: Path) -> list[Path]:
    """test_STEM.py and test_STEM_more.py."""
    return [path for path in TESTS if path.parent == Path("tests") / module.parent and _is_of(path.stem, module.stem)]


def _is_of(test: str, module: str) -> bool:
    return f"{test}_".startswith(f"test_{module}_")


def functions(path: Path) -> list[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_its_test(module):
    assert any(functions(path) for path in tests_of(module)), f"no tests/{module.parent}/test_{module.stem}*.py"


@pytest.mark.parametrize("path", TESTS, ids=str)
def test_every_test_is_of_a_module(path):
    if path.name == "conftest.py":
        return
    modules = [module for module in MODULES if path in tests_of(module)]
    assert modules, f"{path}: there is no module {path.parent.relative_to('tests')}/{path.stem.removeprefix('test_')}"
    assert functions(path), f"{path}: no test in it"


def test_names_of_tests_say_one_thing_each():
    for path in TESTS:
        names = functions(path)
        twice = {name for name in names if names.count(name) > 1}
        assert not twice, f"{path}: {', '.join(sorted(twice))} hides a test of the same name"
