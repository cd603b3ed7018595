"""Who may import whom: the floors of the house."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.places import ROOT

# Rooms of jtss, each a package or a file, floor by floor: who stands higher may import who stands lower, not the other
# way round; on one floor in one direction only.
FLOORS = (
    {
        "errors",
        "schema",
        "views",
        "histories",
        "scaling",
        "devices",
        "backend",
        "exits",
        "invocation",
        "files",
        "version",
    },
    {"dataset", "config"},
    {"network", "metrics"},
    {"runs", "inference"},
    {"training", "pretrained"},
    {"reports", "realism"},
    {"paper"},
    {"serving", "export"},
    {"api", "commands"},
    {"__main__", "audit", "experiments", "models"},  # doors: python -m jtss.models
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
CONTRACT = {"errors", "schema", "histories", "scaling", "files", "dataset", "version"}  # what data_prep sees of jtss
SEES_BOTH = {"serving", "api", "commands"}


def modules(package: str) -> dict[str, Path]:
    """Dotted name → file."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


OURS = modules("jtss") | modules("data_prep")


def imports(path: Path, *, at_once: bool = False) -> set[str]:
    """Modules that a file imports, ours by their dotted name and others by their root; `at_once`: not on use."""
    tree, named = ast.parse(path.read_text()), set()
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= {name if name in OURS else node.module for name in whole}
    return {name if name in OURS else name.split(".")[0] for name in named}


def room(module: str) -> str:
    """The room of jtss that a module is in: jtss.reports.page → reports."""
    return [*module.split("."), ""][1]


def arrows(package: str, *, at_once: bool) -> dict[str, set[str]]:
    """Dotted name → modules of ours that it imports."""
    return {name: imports(path, at_once=at_once) & set(OURS) for name, path in modules(package).items()}


def ring(graph: dict[str, set[str]]) -> list[str]:
    """A way from a node back to itself, empty where there is none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for target in sorted(graph.get(node, ())):
            if found := walk(target, [*way, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def test_a_ring_is_found():
    assert ring({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert ring({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_every_room_has_its_floor():
    assert {room(name) for name in modules("jtss")} - {""} <= set(FLOOR)


def test_imports_go_downwards():
    for name, targets in arrows("jtss", at_once=False).items():
        assert "jtss" not in targets, f"{name} imports the whole package, which stands on top"
        for target in targets:
            if target.startswith("jtss.") and room(name):
                assert FLOOR[room(target)] <= FLOOR[room(name)], f"{name} imports {target}, which stands higher"


@pytest.mark.parametrize("package", ["jtss", "data_prep"])
def test_no_ring_of_modules(package):
    assert ring(arrows(package, at_once=True)) == []


@pytest.mark.parametrize("package", ["jtss", "data_prep"])
def test_no_ring_of_rooms(package):
    """Rooms are packages, and files that are in none. Imports on use count: they would hide a ring, not open it."""
    graph: dict[str, set[str]] = {}
    for name, targets in arrows(package, at_once=False).items():
        own = room(name)
        others = {room(target) for target in targets if target.startswith(f"{package}.")} - {own}
        if own != "__main__":
            graph.setdefault(own, set()).update(others)
    assert ring(graph) == []


@pytest.mark.parametrize("name", modules("jtss"))
def test_only_commands_services_and_the_api_see_the_sky(name):
    of_the_sky = {"data_prep", "astropy", "fastavro", "cramjam", "train", "evaluate"}
    roots = {target.split(".")[0] for target in imports(OURS[name])}
    assert room(name) in SEES_BOTH or not roots & of_the_sky
    assert room(name) in {"commands"} or "argparse" not in roots


@pytest.mark.parametrize("name", modules("data_prep"))
def test_data_preparation_knows_only_the_contract_of_the_classifier(name):
    targets = imports(OURS[name])
    if name == "data_prep.__main__":  # the door of `python -m data_prep`
        return
    assert {room(target) for target in targets if target.startswith("jtss.")} <= CONTRACT
    assert not targets & {"jax", "flax", "optax", "orbax", "train", "evaluate"}


@pytest.mark.parametrize("name", modules("data_prep/simulate"))
def test_the_simulated_sky_needs_no_astronomical_package(name):
    if name.rsplit(".", 1)[-1] != "packets":
        assert not imports(OURS[name]) & {"astropy", "fastavro", "cramjam"}


def test_the_contract_imports_nothing_of_ours():
    for name in ("jtss.schema", "jtss.scaling", "jtss.errors"):
        assert not {target for target in imports(OURS[name]) if target.startswith(("jtss", "data_prep"))}


def test_one_room_opens_data_files_and_one_those_of_models():
    with_hdf5 = {name for name, path in OURS.items() if "h5py" in imports(path)}
    assert {room(name) for name in with_hdf5} == {"dataset", "pretrained"}
    assert not any("h5py" in imports(ROOT / door) for door in ("train.py", "evaluate.py"))


def test_nothing_loads_a_pickle():
    for path in [*OURS.values(), ROOT / "train.py", ROOT / "evaluate.py"]:
        assert not imports(path) & {"pickle", "dill", "joblib", "cloudpickle"}, path
        assert "allow_pickle=True" not in path.read_text()


def loaded(statement: str, absent: tuple[str, ...] = ()) -> set[str]:
    """Roots of the modules that a new interpreter has after a statement, where some cannot be imported."""
    code = "import sys; " + "".join(f"sys.modules[{name!r}] = None; " for name in absent)
    code += f"{statement}; print(*{{name.split('.')[0] for name, module in sys.modules.items() if module}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["train", "data_prep.simulate", "data_prep.__main__", "jtss.training.trainer", "benchmarks.gpu.work"]
)
def test_training_and_simulating_do_without_the_packages_for_packets(module):
    """A machine with a GPU may lack them."""
    loaded(f"import {module}", absent=("astropy", "fastavro", "cramjam"))


def test_applying_a_network_loads_no_optimizer_and_no_checkpoints():
    everything = "; ".join(f"import {name}" for name in modules("jtss/inference"))
    loaded_then = loaded(f"{everything}; from jtss.pretrained import load; load.load_model('n3_best')")
    assert not loaded_then & {"optax", "orbax", "tensorstore", "matplotlib", "scipy", "astropy", "pyarrow"}
