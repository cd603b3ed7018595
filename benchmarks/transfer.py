"""What real alerts add to simulated ones: a model before and after it goes on with real objects, and real ones alone.

    python -m benchmarks.transfer --real real.h5 --model n1_baseline --out transfer.jsonl

Cross-validation over the labelled objects of a data set: an object is scored by trainings that have not seen it, nor
one within 2" of it, and their numbers of objects are stratified by class and nested. Every training is written down as
it ends, so that the same command goes on where it was stopped, and says in the end what there is.

Five ways to an answer, all with the classes of real objects but the first:

    simulation           the model as it is; an answer that is none of these classes is a miss
    simulation, theirs   the same without its other logits
    frozen               it goes on with real objects, but for its stamp encoder
    warm                 all of it goes on
    real                 the same network from random weights

Learning rates, steps and batches are what they are by default: none was chosen by these scores.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.results import record
from data_prep import same_source
from jtss import dataset, schema
from jtss.config.settings import Config, override
from jtss.inference import predict
from jtss.inference.model import Member, Model, Outcome, content_hash
from jtss.metrics import classification
from jtss.network import inputs, packets
from jtss.pretrained import load
from jtss.realism import transfer
from jtss.realism.transfer import Votes
from jtss.schema import Sequences, join, take
from jtss.training import loop, step, warm_start
from jtss.training.batches import Resident

FROZEN, COLD, WARM = TRAINED = ("frozen", "real", "warm")
SEED = 0


class Trial(NamedTuple):
    """One training: the way, how many objects at most it sees, and the fold that it does not see."""

    way: str
    size: int
    fold: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="data set of real alerts with labels")
    parser.add_argument("--model", default="n1_baseline", help="trained on simulated alerts")
    parser.add_argument("--sizes", type=int, nargs="+", default=[25, 50, 100, 200], help="beside all objects")
    parser.add_argument("--ways", nargs="+", choices=TRAINED, default=TRAINED)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of the trainings that begin with the model")
    parser.add_argument("--steps-alone", type=int, default=200, help="of those that begin at random")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--set", metavar="A.B=V", action="append", default=[], help="of all trainings")
    parser.add_argument("--out", type=Path, required=True, help="file of the trainings that are done")
    arguments = parser.parse_args()
    from jtss.commands import cache

    cache.enable()
    model, objects = load.load_model(arguments.model), labelled(arguments.real)
    fold, order = folds(objects.label, arguments.folds, sources(objects)), ordered(objects.label)
    whole = len(objects.label) - int(np.bincount(fold).min())
    bench = Bench(model, objects, fold, order, arguments)
    done = bench.read()
    for size in [whole, *sorted(arguments.sizes, key=lambda n: abs(n - 100))]:
        for trial in (Trial(way, size, each) for way in arguments.ways for each in range(arguments.folds)):
            if trial not in done:
                done[trial] = bench.run(trial)
                bench.write(trial, done[trial])
    values = table(bench, done)
    for name, row in values.items():
        print(f"{name:<44} {row}")
    record(f"transfer-{arguments.model}", values)


def labelled(path: Path) -> Sequences:
    """The objects of a data set that are of an astronomical class."""
    parts = [
        take(part, np.flatnonzero(np.isin(part.label, range(len(transfer.CLASSES))))) for part in dataset.read(path)
    ]
    return join([part for part in parts if part.n_objects])


def sources(objects: Sequences) -> np.ndarray:
    """[N]: which objects are one source, by the places of their first alerts."""
    alerts = np.flatnonzero(objects.kind == schema.ALERT)
    first = alerts[np.searchsorted(alerts, objects.object_start[:-1])]
    ra, dec = (objects.metadata[first, schema.METADATA_NAMES.index(name)] for name in ("ra", "dec"))
    return same_source.groups(ra.astype(float), dec.astype(float))


def folds(label: np.ndarray, n: int, source: np.ndarray) -> np.ndarray:
    """[N]: the fold of each object, with its share of every class; those of one source are in one."""
    fold, rng = np.empty(len(label), int), np.random.default_rng(SEED)
    for members in _by_class(label):
        fold[rng.permutation(members)] = np.arange(len(members)) % n
    _, first, group = np.unique(source, return_index=True, return_inverse=True)
    return fold[first[group]]


def ordered(label: np.ndarray) -> np.ndarray:
    """[N]: objects in such an order that the first so many have about the share of each class, and one of each."""
    place, rng = np.empty(len(label)), np.random.default_rng(SEED + 1)
    for members in _by_class(label):
        place[rng.permutation(members)] = np.arange(len(members)) / len(members)
    return np.argsort(place, kind="stable")


def _by_class(label: np.ndarray) -> Iterator[np.ndarray]:
    return (np.flatnonzero(label == which) for which in np.unique(label))


class Bench:
    """The trainings of one model on one set of objects."""

    def __init__(self, model: Model, objects: Sequences, fold: np.ndarray, order: np.ndarray, arguments) -> None:
        self.model, self.objects, self.fold, self.order, self._asked = model, objects, fold, order, arguments
        self.classes = tuple(name for i, name in enumerate(schema.CLASS_NAMES) if np.any(objects.label == i))
        objects_hash = str(dataset.attributes(arguments.real)["content_hash"])
        settled = [content_hash(model), objects_hash, fold.tolist(), arguments.set]
        self._settled = {WARM: [*settled, arguments.steps, arguments.batch]}
        self._settled |= {FROZEN: self._settled[WARM], COLD: [*settled, arguments.steps_alone, arguments.batch]}

    def config(self, way: str) -> Config:
        n_steps = self._asked.steps_alone if way == COLD else self._asked.steps
        changes = [f"classes={','.join(self.classes)}", f"training.batch_size={self._asked.batch}"]
        changes += [f"training.iterations={n_steps}", f"training.validate_every={n_steps}", "training.patience=0"]
        changes += ["training.decay=cosine", f"training.learning_rate={7e-4 if way == COLD else 2e-4}"]
        if self.model.config.subclasses:
            changes += ["subclasses="]  # those of real objects are not known
        if self.model.config.packet.rows:
            changes += ["packet.stamps=1"]
        if way == FROZEN:
            changes += ["training.rate_of.encoder=0"]
        return override(self.model.config, [*changes, *self._asked.set])

    def seen(self, trial: Trial) -> np.ndarray:
        """Which objects a training sees."""
        others = self.order[self.fold[self.order] != trial.fold]
        return others[: trial.size]

    def run(self, trial: Trial) -> np.ndarray:
        """[B, L] probabilities of the objects of the fold that a training has not seen."""
        config, warm = self.config(trial.way), None
        examples = packets.to_train(take(self.objects, np.sort(self.seen(trial))), config)
        if trial.way == COLD:
            statistics, state = inputs.fit(examples.dynamic, examples.static, config.metadata), step.init_state(config)
        else:
            warm = warm_start.of(self.model, config)
            statistics, state = self.model.statistics, warm_start.state(warm, config, 0)
        source, states, shared = Resident(examples, statistics, config), step.join([state]), step.shared(config)
        for at in range(config.training.iterations):
            batch = source.take(step.draw(shared, source.strata, states.seed, at, 1))
            states, _ = loop.advance(shared, states, batch)
        member = Member(0, step.part(states, 0).variables, Outcome(0, 0, 0, np.nan, np.nan))
        learnt = replace(self.model, config=config, statistics=statistics, members=(member,), temperature=None)
        return predict.predict(learnt, take(self.objects, np.flatnonzero(self.fold == trial.fold)))[1]

    def read(self) -> dict[Trial, np.ndarray]:
        """What is done: trainings of the same model, objects and settings."""
        if not self._asked.out.exists():
            return {}
        lines = [json.loads(line) for line in self._asked.out.read_text().splitlines()]
        return {
            Trial(*line["trial"]): np.array(line["probabilities"])
            for line in lines
            if line["settled"] == self._settled[line["trial"][0]]
        }

    def write(self, trial: Trial, probabilities: np.ndarray) -> None:
        line = {"trial": trial, "settled": self._settled[trial.way], "probabilities": probabilities.tolist()}
        with open(self._asked.out, "a") as file:
            file.write(json.dumps(line) + "\n")


def table(bench: Bench, done: dict[Trial, np.ndarray]) -> dict[str, dict]:
    """Scores of each way at each size of which all folds are done, and of the model without any training."""
    whole = predict.predict(bench.model, bench.objects)[1]
    columns = [bench.model.config.classes.index(name) for name in bench.classes]
    fewer = whole[:, columns] / whole[:, columns].sum(axis=1, keepdims=True)
    label = bench.objects.label
    rows = {"simulation": scores(label, Votes(bench.model.config.classes, whole))}
    rows["simulation, theirs"] = scores(label, Votes(bench.classes, fewer))
    kinds = {(TRAINED.index(trial.way), trial.size) for trial in done}
    for way, size in ((TRAINED[which], size) for which, size in sorted(kinds)):
        parts = {trial.fold: found for trial, found in done.items() if (trial.way, trial.size) == (way, size)}
        if set(parts) == set(bench.fold.tolist()):
            found = np.empty((len(label), len(bench.classes)), np.float32)
            for fold, probabilities in parts.items():
                found[bench.fold == fold] = probabilities
            rows[f"{way}: {size}"] = scores(label, Votes(bench.classes, found))
    return rows


def scores(label: np.ndarray, votes: Votes) -> dict:
    """Mean recall with its interval, hits of each class, and how well the probabilities are calibrated."""
    group = transfer.labelled_group(label)
    found = transfer.scores(label, votes, groups=group)
    (mean,) = found["balanced_accuracy"].values()
    index = np.array([votes.classes.index(schema.CLASS_NAMES[i]) for i in label])
    return {
        "mean recall [%]": round(100 * mean["value"], 1),
        "interval [%]": [round(100 * limit, 1) for limit in mean["interval"]],
        "hits": {
            name: f"{found['recall'][name]['hits']} of {found['recall'][name]['n_objects']}"
            for name in transfer.CLASSES
            if found["recall"][name]["n_objects"]
        },
        "cross-entropy [nat]": round(classification.cross_entropy(votes.probabilities, index), 3),
        "calibration error [%]": round(100 * classification.reliability(votes.probabilities, index).error, 1),
    }


if __name__ == "__main__":
    main()
