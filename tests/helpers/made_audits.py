"""Small data sets for the audit: clean ones, in which the tests plant leaks."""

from pathlib import Path

import numpy as np

from data_prep.audit.audit import Audit, audit
from data_prep.audit.finding import LEAK, WARNING, Finding
from data_prep.ledger import Ledger
from helpers.made_sequences import sequences
from jtss.dataset import Writer
from jtss.schema import ALERT, DETECTION, LIMIT, METADATA_NAMES, Sequences, take

TRAIN, VALIDATION, TEST = 0, 1, 2
ARCSEC = 1 / 3600
N_CLASSES = 3


def clean(n_objects: int = 24, n_alerts: int = 2, seed: int = 0) -> Sequences:
    """Objects all over the sky, a third of each class; of four objects of a class two are for training."""
    index = np.arange(n_objects)
    split = np.choose(index // N_CLASSES % 4, [TRAIN, TEST, TRAIN, VALIDATION])
    made = sequences([n_alerts] * n_objects, label=index % N_CLASSES, split=split, seed=seed)
    rng = np.random.default_rng(seed)
    for name, values in {
        "ra": rng.uniform(0, 360, n_objects),
        "dec": np.degrees(np.arcsin(rng.uniform(-0.5, 1, n_objects))),
        "ncovhist": rng.uniform(0, 1000, n_objects),
    }.items():
        made.metadata[:, METADATA_NAMES.index(name)] = np.repeat(values, n_alerts)
    # dates tell nothing: those of objects come in any order
    made.jd[:] = 2459000.5 + np.repeat(rng.permutation(n_objects) * 10.0, n_alerts)
    made.jd[:] += np.tile(np.arange(n_alerts), n_objects)
    return made


def set_place(made: Sequences, index: int, ra: float, dec: float) -> None:
    """Move an object, all its rows."""
    rows = slice(*made.object_start[index : index + 2])
    made.metadata[rows, METADATA_NAMES.index("ra")] = ra
    made.metadata[rows, METADATA_NAMES.index("dec")] = dec


def of_split(made: Sequences, split: int) -> list[int]:
    """The objects of a split; their alerts, if they have two each, are rows twice as high."""
    return np.flatnonzero(made.split == split).tolist()


def shuffled(made: Sequences, seed: int) -> Sequences:
    """The same objects in another order."""
    return take(made, np.random.default_rng(seed).permutation(made.n_objects))


def write(path: Path, made: Sequences) -> Path:
    with Writer(path, survey="ZTF", command="made by a test", force=True) as writer:
        writer.append(made)
        writer.finish(split=made.split, ledger=Ledger().as_dict())
    return path


def audited(folder: Path, made: Sequences) -> Audit:
    return audit(write(folder / "made.h5", made))


def alarms(report: Audit) -> list[Finding]:
    return [finding for finding in report.findings if finding.level in (LEAK, WARNING)]


# Plant a leak in a clean data set; return check, text and the beginning of the example of its finding.


def same_id(made):
    made.object_id[of_split(made, TEST)[0]] = made.object_id[of_split(made, TRAIN)[0]]
    return "object ids", "in more than one split", ("ZTF0",)


def same_alert(made):
    made.candid[2 * of_split(made, VALIDATION)[1]] = made.candid[2 * of_split(made, TRAIN)[0]]
    return "alerts", "candid in more than one split", (str(made.candid[0]),)


def same_place(made):
    set_place(made, of_split(made, TRAIN)[0], 0.0, 30.0)
    set_place(made, of_split(made, TEST)[0], 360 - 1.5 * ARCSEC, 30.0)
    return (
        "positions",
        "objects of test within 2″ of one of train",
        (f"ZTF{of_split(made, TEST)[0]} (test) and ZTF0 (train), 1.3″",),  # 1.5″ times the cosine of the declination
    )


def same_place_at_the_pole(made):
    set_place(made, of_split(made, VALIDATION)[0], 10.0, 90 - 0.5 * ARCSEC)
    set_place(made, of_split(made, TEST)[0], 190.0, 90.0)
    names = f"ZTF{of_split(made, TEST)[0]} (test) and ZTF{of_split(made, VALIDATION)[0]} (validation)"
    return "positions", "objects of test within 2″ of one of validation", (names,)


def out_of_order(made):
    made.jd[:2] = made.jd[1::-1]
    return "sequences", "objects whose rows are not in time order", ("ZTF0 (train)",)


def too_close(made):
    made.jd[3] = made.jd[2] + 0.24
    return "sequences", "objects with alerts less than 6 hours apart", ("ZTF1 (train)",)


def candid_twice(made):
    made.candid[5] = made.candid[4]
    return "sequences", "objects with the same candid twice", ("ZTF2 (train)",)


def no_time(made):
    made.jd[1] = np.nan
    return "sequences", "objects without a time (jd) of every row", ("ZTF0 (train)",)


# The same in the rows that are told; `made` has histories.


def told(made: Sequences, kind: int) -> tuple[int, int]:
    """The first row of a kind, and its object."""
    row = int(np.flatnonzero(made.kind == kind)[0])
    return row, int(owners(made)[row])


def limit_with_a_magnitude(made):
    row, owner = told(made, LIMIT)
    made.metadata[row, METADATA_NAMES.index("magpsf")] = 19.0
    return "histories", "objects with a limit that has a magnitude", owner


def exposure_twice(made):
    """A row and the next of the same object become one exposure."""
    row = int(np.flatnonzero((made.kind[:-1] == DETECTION) & (np.diff(owners(made)) == 0))[0])
    made.jd[row + 1], made.fid[row + 1] = made.jd[row] + 5e-7, made.fid[row]
    return "histories", "objects with two rows of one time and filter", int(owners(made)[row])


def told_out_of_order(made):
    row = int(np.flatnonzero((made.kind[1:] != ALERT) & (np.diff(owners(made)) == 0))[0])
    made.jd[row + 1] = made.jd[row] - 0.01
    return "sequences", "objects whose rows are not in time order", int(owners(made)[row])


def told_candid_twice(made):
    row, owner = told(made, DETECTION)
    rows = np.arange(made.object_start[owner], made.object_start[owner + 1])
    made.candid[row] = made.candid[rows[made.kind[rows] == ALERT][0]]
    return "sequences", "objects with the same candid twice", owner


def owners(made: Sequences) -> np.ndarray:
    """[M]: the object of each row."""
    return np.repeat(np.arange(made.n_objects), made.n_rows)
