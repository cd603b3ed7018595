"""Compiled programs that tests keep: old ones go, those that others remove meanwhile do no harm."""

import importlib.util
import os
import sys
from pathlib import Path

from helpers import programs


def test_old_programs_go_whole_or_half_written(tmp_path):
    (tmp_path / "compiled").mkdir()
    old, half, new, other = (
        tmp_path / "compiled" / name for name in ("jit_f-1-cache", "jit_f-2-cache.77", "jit_f-3-cache", "notes")
    )
    for path in (old, half, new, other):
        path.write_bytes(b"program")
    for path in (old, half, other):
        os.utime(path, (0, 0))
    programs.remove_old(tmp_path)
    assert sorted((tmp_path / "compiled").iterdir()) == sorted([new, other])


def test_a_program_that_another_process_removes_meanwhile_does_no_harm(tmp_path, monkeypatch):
    gone, old = tmp_path / "jit_f-1-cache", tmp_path / "jit_f-2-cache"
    old.write_bytes(b"program")
    os.utime(old, (0, 0))
    monkeypatch.setattr(Path, "rglob", lambda folder, pattern: iter([gone, old]))
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    programs.remove_old(tmp_path)
    assert not old.exists()


def test_tests_run_with_a_jax_that_writes_programs_in_another_way(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax._src.lru_cache", None)
    spec = importlib.util.spec_from_file_location("programs_of_another_jax", programs.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.LRUCache is None
    module.keep_compiled()
