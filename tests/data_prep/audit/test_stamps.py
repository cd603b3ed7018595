"""Near-duplicates are seen whatever was done to them; what merely looks alike, or holds nothing, is none."""

import numpy as np
import pytest

from data_prep.audit import stamps as audit_stamps
from data_prep.audit.columns import read
from helpers.made_audits import TEST, TRAIN, VALIDATION, alarms, audited, clean, of_split, write
from jtss.dataset import open_checked
from jtss.scaling import min_max
from jtss.schema import CHANNEL_NAMES

RNG = np.random.default_rng(0)
SCIENCE = CHANNEL_NAMES.index("science")


def rows(made) -> tuple[int, int]:
    """The first detection of a training object, and the second of a test object."""
    return 2 * of_split(made, TRAIN)[2], 2 * of_split(made, TEST)[1] + 1


@pytest.mark.parametrize("channel", range(3))
def test_the_same_bytes_are_seen_in_each_channel(tmp_path, channel):
    made = clean()
    one, other = rows(made)
    made.stamps[other, ..., channel] = made.stamps[one, ..., channel]
    (finding,) = alarms(audited(tmp_path, made))
    assert finding.text.startswith(f"objects with a {CHANNEL_NAMES[channel]} stamp that also occurs, byte for byte, in")
    assert set(finding.examples) == {f"ZTF{other // 2} (test)", f"ZTF{one // 2} (train)"}


def noisier(stamps):
    return stamps + 0.15 * stamps.std() * RNG.normal(size=stamps.shape)


@pytest.mark.parametrize(
    "change",
    [
        lambda stamps: 0.7 * stamps + 0.1,
        noisier,
        lambda stamps: np.rot90(stamps),
        lambda stamps: np.rot90(stamps, 3)[::-1],
        lambda stamps: np.round(stamps, 2),
        lambda stamps: np.where(np.arange(63)[:, None, None] < 5, np.nan, stamps),
        lambda stamps: stamps + 5 * np.exp(-np.hypot(*np.mgrid[-31:32, -31:32]) / 4)[..., None],
    ],
    ids=["scaled", "noisier", "turned", "mirrored", "rounded", "edge lost", "source added"],
)
@pytest.mark.parametrize("split", [VALIDATION, TEST])
def test_near_duplicates_are_seen(tmp_path, change, split):
    made = clean()
    one, other = 2 * of_split(made, TRAIN)[2], 2 * of_split(made, split)[1] + 1
    made.stamps[other] = min_max(change(made.stamps[one].astype(np.float32)))
    (finding,) = alarms(audited(tmp_path, made))
    name = {VALIDATION: "validation", TEST: "test"}[split]
    assert finding.text == f"objects of {name} whose science stamp is a near-duplicate of one of train"
    pair, value = finding.examples[0].split(", correlation ")
    assert pair == f"ZTF{other // 2} ({name}) and ZTF{one // 2} (train)"
    assert float(value) >= 0.9


def test_duplicates_within_a_split_or_an_object_are_no_leak(tmp_path):
    made = clean()
    trained = of_split(made, TRAIN)
    made.stamps[2 * trained[1]] = made.stamps[2 * trained[0]]
    made.stamps[1::2] = made.stamps[::2]
    made.split[of_split(made, VALIDATION)[0]] = -1
    assert not alarms(audited(tmp_path, made))


@pytest.mark.parametrize(
    "blank",
    [
        np.zeros((63, 63, 3)),
        np.full((63, 63, 3), np.nan),
        np.where(np.arange(63)[:, None, None] < 50, np.nan, RNG.random((63, 63, 3))),
        np.eye(63)[..., None].repeat(3, axis=-1),
    ],
    ids=["constant", "all missing", "mostly missing", "few pixels"],
)
def test_stamps_that_hold_nothing_are_no_duplicates(tmp_path, blank):
    made = clean()
    made.stamps[::2] = blank
    assert not alarms(audited(tmp_path, made))


def test_bright_stars_look_alike_but_are_no_duplicates(tmp_path):
    """One profile and hardly any noise: plain images correlate to better than 0.999."""
    made = clean(n_objects=96)
    profile = np.exp(-(np.hypot(*np.mgrid[-31:32, -31:32]) ** 2) / 50)[..., None]
    made.stamps[:] = min_max(profile + 0.002 * RNG.normal(size=made.stamps.shape))
    images = made.stamps[:2, ..., SCIENCE].reshape(2, -1).astype(np.float32)
    assert np.corrcoef(images)[0, 1] > 0.999
    assert not alarms(audited(tmp_path, made))


def test_only_the_most_alike_of_too_many_pairs_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_stamps, "MOST_VERIFIED", 2)
    made = clean()
    tested = of_split(made, TEST)[:4]
    for index, trained in zip(tested, of_split(made, TRAIN), strict=False):
        made.stamps[2 * index] = np.rot90(made.stamps[2 * trained])
    report = audited(tmp_path, made)
    (finding,) = alarms(report)
    assert finding.count == 2
    assert any(
        "of 4 pairs of similar stamps only the 2 most similar were compared" in line.text for line in report.findings
    )


def test_how_stamps_are_read_does_not_matter(tmp_path, monkeypatch):
    path = write(tmp_path / "made.h5", clean())
    with open_checked(path) as file:
        columns = read(file)
        whole = audit_stamps.collect(file["stamps"], columns)
        monkeypatch.setattr(audit_stamps, "ROWS_PER_READ", 5)  # the first of which are all for training
        pieces = audit_stamps.collect(file["stamps"], columns)
    for name in ("rows", "split", "hashes", "busy", "held_out"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    np.testing.assert_allclose(whole.turned, pieces.turned, atol=1e-5)
    np.testing.assert_allclose(whole.turned[0], whole.numbers[whole.held_out], atol=1e-5)


def test_fingerprints_of_turned_images_are_those_of_images_turned():
    rough = audit_stamps.noise(RNG.random((4, 63, 63)))
    turned = np.stack([audit_stamps.fingerprints(way) for way in audit_stamps.turned(rough)])
    np.testing.assert_allclose(audit_stamps.turned_fingerprints(rough), turned, atol=1e-5)
    assert len({way.tobytes() for way in audit_stamps.turned(rough)}) == 8


def test_distances_of_fingerprints_are_those_of_images():
    """On average: 16 numbers keep the square of a distance to a third of itself."""
    rough = audit_stamps.noise(RNG.random((200, 63, 63)))
    numbers = audit_stamps.fingerprints(rough)
    pixels = rough.reshape(200, -1) / audit_stamps.SIDE
    np.testing.assert_allclose((pixels**2).sum(axis=1), 1, rtol=1e-4)
    squares = [((values[:100] - values[100:]) ** 2).sum(axis=1) for values in (pixels, numbers)]
    assert np.mean(squares[0]) == pytest.approx(2, rel=0.05)
    assert np.mean(squares[1]) == pytest.approx(2, rel=0.1)
    assert np.std(squares[1]) == pytest.approx(2 * np.sqrt(2 / 16), rel=0.3)
