"""Who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = {"jtss", "jtss.schema", "jtss.scaling"}  # what both halves may know
ARROWS = ("rotation", "encoder", "temporal", "model", "training")


def imports(path: Path) -> set[str]:
    """Names of the modules that a file imports, with `from a import b` as both a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def within(names: set[str], *roots: str) -> set[str]:
    return {name for name in names if name.split(".")[0] in roots}


@pytest.mark.parametrize("path", modules("jtss"), ids=lambda path: path.stem)
def test_the_classifier_knows_nothing_of_the_sky_and_of_command_lines(path):
    assert not within(imports(path), "data_prep", "astropy", "fastavro", "cramjam", "train", "evaluate")
    assert path.stem == "__main__" or not within(imports(path), "argparse")


@pytest.mark.parametrize("path", modules("data_prep"), ids=lambda path: "-".join(path.parts[-2:]))
def test_data_preparation_knows_only_the_contract_of_the_classifier(path):
    own = {name for name in within(imports(path), "jtss") if name.rsplit(".", 1)[0] not in SHARED - {"jtss"}}
    assert own <= SHARED | {"jtss.__version__"}
    assert not within(imports(path), "jax", "flax", "optax", "orbax", "train", "evaluate")


@pytest.mark.parametrize("path", modules("data_prep/simulate"), ids=lambda path: path.stem)
def test_the_simulated_sky_needs_no_astronomical_package(path):
    if path.stem != "packets":
        assert not within(imports(path), "astropy", "fastavro", "cramjam")


def test_the_contract_imports_nothing_of_ours():
    for name in ("schema", "scaling"):
        assert not within(imports(ROOT / "jtss" / f"{name}.py"), "jtss", "data_prep")


def test_model_code_imports_downwards_only():
    for i, name in enumerate(ARROWS):
        higher = {f"jtss.{other}" for other in ARROWS[i + 1 :]}
        assert not imports(ROOT / "jtss" / f"{name}.py") & higher


def test_nothing_loads_a_pickle():
    for path in [*modules("jtss"), *modules("data_prep"), ROOT / "train.py", ROOT / "evaluate.py"]:
        assert not within(imports(path), "pickle", "dill", "joblib", "cloudpickle"), path
        assert "allow_pickle=True" not in path.read_text()


@pytest.mark.parametrize("module", ["train", "data_prep.simulate", "data_prep.__main__", "jtss.predict"])
def test_training_and_simulating_do_without_the_packages_for_packets(module):
    """A machine with a GPU may lack them."""
    absent = "".join(f"sys.modules[{name!r}] = None; " for name in ("astropy", "fastavro", "cramjam"))
    done = subprocess.run([sys.executable, "-c", f"import sys; {absent}import {module}"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("folder", "higher"), [("jtss", "jtss.reports"), ("jtss", "jtss.experiments"), ("jtss/reports", "jtss.experiments")]
)
def test_what_is_built_on_the_classifier_is_not_needed_by_it(folder, higher):
    """The classifier does without reports and experiments, reports without experiments."""
    for path in (ROOT / folder).glob("*.py"):
        assert not {name for name in imports(path) if name.startswith(higher)}, path
