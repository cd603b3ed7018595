"""Samples of numbers and folders of packets for comparisons."""

import numpy as np

from data_prep.compare.samples import VALUE_NAMES, Sample
from data_prep.ledger import Ledger
from helpers.make_packets import CANDIDATE, alert, images, save


def sample(n_objects: int, seed: int, label: str = "SN", alerts_each: int = 1) -> Sample:
    """Objects whose values are normal; an object's alerts have the same values."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(n_objects), alerts_each)
    return Sample(
        {name: rng.normal(size=n_objects)[owner] for name in VALUE_NAMES},
        object_id=np.array([f"ZTF{i:04d}" for i in owner]),
        label=np.full(len(owner), label),
        candid=np.arange(len(owner)),
        weight=np.full(len(owner), 1 / alerts_each),
        ledger=Ledger(),
    )


def packets(folder, names: dict[str, str], head: str = "objectId,label", seed: int = 0, **changes):
    """A folder with two alerts of each object, and labels.csv as `names` says."""
    rng = np.random.default_rng(seed)
    records = []
    for i, name in enumerate(names):
        for k in range(2):
            candid = 10 * (i + 1) + k
            fields = {"jd": CANDIDATE["jd"] + k, "magpsf": 18 + rng.random()} | changes
            records.append(alert(name, candid, images(1000 * seed + candid), **fields))
    save(folder / "alerts", records)
    (folder / "labels.csv").write_text("\n".join([head, *(f"{name},{rest}" for name, rest in names.items())]))
    return folder


def many(label: str, n: int = 6) -> dict[str, str]:
    return {f"ZTF18{label.lower()}{i}": label for i in range(n)}
