"""Saved states: what goes in comes out; damage is found, named and passed over; a full disk costs nothing saved."""

import errno
import os
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from helpers import small_disk
from helpers.made_states import LIKE, assert_equal, flip_a_bit, made_state
from helpers.made_training import TINY
from jtss.config.settings import override
from jtss.runs.states import RunError, States
from jtss.training import step as training

# Orbax leaves coroutines behind where the disk makes it fail
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MADE_WITH = {
    "config.json": {"temporal": {"kernel": 3}, "classes": ["AGN", "SN"]},
    "provenance.json": {"data_hash": "ab"},
}


@pytest.fixture
def saved(tmp_path) -> States:
    """Steps 4 and 8 are saved."""
    saved = States(tmp_path / "checkpoints", MADE_WITH)
    for step in (4, 8):
        saved.save(made_state(step))
    return saved


def listing(saved: States) -> list[str]:
    return sorted(os.listdir(saved.path))


def test_what_was_saved_comes_back_to_the_bit(saved):
    found = saved.restore(LIKE)
    assert_equal(found.state, 8)
    assert found.warnings == []


def test_nothing_saved_is_no_error(tmp_path):
    empty = States(tmp_path / "checkpoints", MADE_WITH)
    assert empty.restore(LIKE) == (None, [])
    assert not empty.path.exists()


def test_a_restored_state_can_be_donated(saved):
    state = saved.restore(LIKE).state
    more = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf + leaf, state), donate_argnums=0)(state)
    np.testing.assert_array_equal(jax.tree.leaves(more)[-1], 2 * jax.tree.leaves(made_state(8))[-1])


def test_the_template_decides_where_the_arrays_are(saved):
    everywhere = jax.sharding.NamedSharding(jax.make_mesh((1,), ("batch",)), jax.sharding.PartitionSpec())
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere), LIKE)
    assert {leaf.sharding for leaf in jax.tree.leaves(saved.restore(like).state)} == {everywhere}


def test_two_states_are_kept_and_a_saved_one_is_not_written_again(saved):
    before = (saved.path / "8" / "SHA256SUMS").stat().st_mtime_ns
    saved.save(made_state(8))
    assert (saved.path / "8" / "SHA256SUMS").stat().st_mtime_ns == before
    saved.save(made_state(12))
    assert listing(saved) == ["12", "8"]


def test_a_flipped_bit_in_any_file_is_found_and_the_state_before_is_used(saved):
    for path in sorted(path for path in (saved.path / "8").rglob("*") if path.stat().st_size and path.is_file()):
        content = path.read_bytes()
        flip_a_bit(path)
        found = saved.restore(LIKE)
        assert_equal(found.state, 4)
        (warning,) = found.warnings
        assert f"{saved.path / '8'}: " in warning
        assert path.relative_to(saved.path / "8").as_posix() in warning or path.name == "SHA256SUMS"
        assert "step 4 is used instead" in warning
        path.write_bytes(content)
    assert saved.restore(LIKE).warnings == []


def test_reading_leaves_a_damaged_state_where_it_is(saved):
    flip_a_bit(saved.path / "8" / "made_with.json")
    (saved.path / ".12.partial").mkdir()
    saved.restore(LIKE)
    assert listing(saved) == [".12.partial", "4", "8"]


def test_training_goes_on_from_the_state_before(saved):
    """The damaged state is set aside, so that its step can be saved again; what a killed process left is removed."""
    for _ in range(2):
        flip_a_bit(saved.path / "8" / "made_with.json")
        (saved.path / ".12.partial" / "state").mkdir(parents=True)
        assert_equal(saved.restore(LIKE).state, 4)
        saved.clear_after(4)
        assert listing(saved) == ["4", "8.damaged"]
        saved.save(made_state(8))
        assert_equal(saved.restore(LIKE).state, 8)


def test_states_after_the_one_asked_for_are_passed_over_and_make_way_only_when_told(saved):
    saved.save(made_state(12))
    found = saved.restore(LIKE, at=11)
    assert_equal(found.state, 8)
    assert found.warnings == []
    assert saved.restore(LIKE, at=7).state is None
    flip_a_bit(saved.path / "8" / "made_with.json")
    assert saved.restore(LIKE, at=11).state is None
    assert listing(saved) == ["12", "8"]
    saved.clear_after(12)
    assert listing(saved) == ["12", "8"]
    saved.clear_after(4)
    assert listing(saved) == ["8.damaged"]


def test_without_a_good_state_each_is_named_and_nothing_is_moved(saved):
    flip_a_bit(saved.path / "8" / "made_with.json")
    (saved.path / "4" / "SHA256SUMS").unlink()
    with pytest.raises(RunError, match=r"no state can be used \(8: made_with.json changed; 4: SHA256SUMS is missing\)"):
        saved.restore(LIKE)
    assert listing(saved) == ["4", "8"]


def test_a_state_made_with_other_settings_is_refused_naming_both_sides(saved):
    now = {"config.json": {"temporal": {"kernel": 2}, "classes": ["AGN"]}, "provenance.json": {"data_hash": "cd"}}
    message = (
        "8 was made with other settings: temporal.kernel: checkpoint 3, config.json 2; "
        "classes: checkpoint (AGN, SN), config.json (AGN); data_hash: checkpoint ab, provenance.json cd"
    )
    with pytest.raises(RunError) as refused:
        States(saved.path, now).restore(LIKE)
    assert message in str(refused.value)


def test_a_state_of_another_shape_is_refused(saved):
    wider = override(TINY, ["head.units=65,64"])
    with pytest.raises(
        RunError, match=r"8 cannot be restored \(another version of jtss may have saved it\): "
    ) as refused:
        saved.restore(jax.eval_shape(partial(training.init_state, wider)))
    assert "\n" not in str(refused.value)


def test_a_save_that_fails_leaves_nothing_and_harms_nothing(saved, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for place in ("shutil.disk_usage", "jtss.files.write_sums"):
        with monkeypatch.context() as patched:
            patched.setattr(place, full)
            with pytest.raises(RunError) as failed:
                saved.save(made_state(12))
        message = "12 cannot be saved: No space left on device; the last good state is step 8"
        assert str(failed.value) == f"{saved.path}/{message}"
        assert listing(saved) == ["4", "8"]
    saved.save(made_state(12))
    assert_equal(saved.restore(LIKE).state, 12)


def test_an_old_state_that_cannot_go_does_not_make_the_new_one_unsaved(saved, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "4")

    monkeypatch.setattr("jtss.runs.states._remove", refused)
    with pytest.raises(RunError) as failed:
        saved.save(made_state(12))
    message = "step 12 is saved, but old states cannot go: [Errno 13] Permission denied: '4'"
    assert str(failed.value) == f"{saved.path}: {message}"
    assert_equal(saved.restore(LIKE).state, 12)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")
def test_all_that_leads_to_a_state_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    """Of the arrays, in folders d/, Orbax takes care."""
    flushed, rename = [], Path.rename
    monkeypatch.setattr("os.fsync", lambda descriptor: flushed.append(Path(os.readlink(f"/proc/self/fd/{descriptor}"))))

    def check(partial, target):
        there = {path for path in (partial, *partial.rglob("*")) if path.is_dir() or path.parent.name != "d"}
        assert there <= set(flushed)
        assert {"made_with.json", "SHA256SUMS", "_METADATA", "manifest.ocdbt", "d"} <= {path.name for path in there}
        flushed.clear()
        return rename(partial, target)

    saved = States(tmp_path / "checkpoints", MADE_WITH)
    with monkeypatch.context() as patched:
        patched.setattr("jtss.runs.states.Path.rename", check)
        saved.save(made_state(4))
    assert flushed == [saved.path]


FILL_A_DISK = """
import shutil, sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from helpers import made_states
from jtss.runs import states

saved = states.States(Path(sys.argv[1], "checkpoints"), {})
if sys.argv[2] == "unforeseen":  # as where a quota, or another process, takes the room
    shutil.disk_usage = lambda path: SimpleNamespace(free=2**40)
filler = open(Path(sys.argv[1], "filler"), "wb", buffering=0)
step = 0
try:
    while True:
        step += 4
        saved.save(made_states.made_state(step))
        with suppress(OSError):
            filler.write(bytes(2**18))
except states.RunError as error:
    assert saved.steps()[0] == step - 4, saved.steps()
    print(error)
filler.truncate(0)
found = saved.restore(made_states.LIKE)
assert found.warnings == []
made_states.assert_equal(found.state, step - 4)
saved.save(made_states.made_state(step))
made_states.assert_equal(saved.restore(made_states.LIKE).state, step)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["foreseen", "unforeseen"])
def test_a_full_disk_is_said_and_the_last_state_is_intact(tmp_path, kind):
    done = small_disk.run(6_000_000, tmp_path, sys.executable, "-c", FILL_A_DISK, tmp_path, kind)
    assert done.returncode == 0, done.stderr
    assert "cannot be saved: No space left on device; the last good state is step" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert kind == "unforeseen" or not done.stderr
