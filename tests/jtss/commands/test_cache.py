"""Compiled programs are kept and found again; a folder that is damaged, full or closed stops nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.places import ROOT
from jtss.commands import cache

PROGRAM = """
import hashlib, sys
import jax, jax.numpy as jnp, numpy as np
from jax._src import monitoring
from jtss.commands import cache as compilation
counts = {}
monitoring.register_event_listener(lambda event, **_: counts.update({event: counts.get(event, 0) + 1}))
compilation.LEAST_SECONDS = 0
compilation.enable()

@jax.jit
def program(x):
    return jax.lax.scan(lambda carry, row: (jnp.tanh(carry @ x + row), carry.sum()), x[0], x)[1]

x = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
found = hashlib.md5(np.asarray(program(x)).tobytes()).hexdigest()
print(found, counts.get("/jax/compilation_cache/cache_hits", 0))
"""


def run(cache, **environment):
    """(hash of the result, programs found in the cache, stderr) of a process of its own."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    given = base | {"XDG_CACHE_HOME": str(cache), "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, hits = done.stdout.split()
    return found, int(hits), done.stderr


def files(cache):
    return sorted(cache.rglob("*-cache"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that one process has filled, and what that process computed."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, run(cache)


def test_a_second_process_finds_the_program_and_gets_the_same_bits(filled):
    cache, (first, hits, err) = filled
    assert (hits, err) == (0, "")
    assert files(cache)
    second, hits, err = run(cache)
    assert hits == len(files(cache)) > 0
    assert (second, err) == (first, "")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [lambda content: content[: len(content) // 2], lambda content: b""])
def test_a_damaged_program_is_made_again(tmp_path, fault):
    first, _, _ = run(tmp_path)
    for path in files(tmp_path):
        path.write_bytes(fault(path.read_bytes()))
    names = files(tmp_path)
    assert run(tmp_path) == (first, 0, "")
    assert files(tmp_path) == names
    assert run(tmp_path) == (first, len(names), "")


def test_a_folder_that_cannot_be_made_stops_nothing(filled, tmp_path):
    (tmp_path / "file").write_text("")
    found, hits, err = run(tmp_path / "file")
    assert (found, hits) == (filled[1][0], 0)
    assert err.startswith("compiled programs are not kept: ")
    assert len(err.splitlines()) == 1


def test_a_full_disk_stops_nothing(capsys, monkeypatch, tmp_path):
    import jax

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "LEAST_FREE", 2**80)
    before = jax.config.jax_enable_compilation_cache, jax.config.jax_compilation_cache_dir
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        cache.enable()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_enable_compilation_cache", before[0])
        jax.config.update("jax_compilation_cache_dir", before[1])
    assert "MiB free on the disk" in capsys.readouterr().err


def test_jax_own_variables_come_first(filled, tmp_path):
    run(tmp_path / "unused", JAX_ENABLE_COMPILATION_CACHE="0")
    run(tmp_path / "unused", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert not (tmp_path / "unused").exists()


def test_the_folder_is_named_after_the_machine(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    here = cache.folder()
    assert here.parent == Path("/somewhere/jtss")
    assert cache.folder() == here
    monkeypatch.setattr(cache.os, "sched_getaffinity", lambda _: range(1000))
    assert cache.folder() != here
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder().parent == Path.home() / ".cache" / "jtss"
