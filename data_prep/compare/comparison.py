"""Two folders of alert packets to a report, tables and pictures of how they differ."""

from itertools import chain
from pathlib import Path

from data_prep.compare.galleries import choose, draw
from data_prep.compare.samples import Sample, read_sample, read_stamps
from data_prep.compare.tables import (
    PairRow,
    ValueRow,
    compare_pairs,
    compare_values,
    count,
    pairs_text,
    summary,
    values_text,
    write_pairs,
    write_values,
)
from data_prep.errors import InputError
from jtss.schema import CLASS_NAMES

LEGEND = """\
One vote per object. KS: largest difference of the cumulative distributions, of the values that are there; chance: what
two samples of this size from one distribution exceed once in 20 times; W/IQR: Wasserstein's distance in interquartile
ranges of the real values; missing: share without a value. Correlations: gap/sd is their difference in standard
deviations of chance. Only what is beyond chance is shown, values by how far beyond, correlations by gap/sd."""


def compare(simulated: str | Path, real: str | Path, out: str | Path, seed: int = 0) -> str:
    """Find how simulated alert packets differ from real ones.

    Writes table.csv, correlations.csv and gallery_CLASS.png, over those of an earlier comparison. A class that one of
    the folders lacks is named and passed over.

    Args:
        simulated, real: folders of alert packets with labels.csv, see `samples.read_sample`.
        out: the folder to write into; made if it does not exist.
        seed: which objects are drawn.

    Returns:
        The report: for each class the values and correlations beyond chance, worst first; then a line for each class,
        and the files that hold all values and correlations.

    Raises:
        FileNotFoundError, InputError: a folder cannot be used, or the two have no class in common.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file, expected a folder to write into")
    folders = {"real": real, "simulated": simulated}
    samples = {name: read_sample(folder) for name, folder in folders.items()}
    labels = [label for label in CLASS_NAMES if all(count(sample, label)[0] for sample in samples.values())]
    if not labels:
        found = "; ".join(f"{folders[name]}: {', '.join(sorted(set(s.label)))}" for name, s in samples.items())
        raise InputError(f"no class is in both folders; found {found}")
    out.mkdir(parents=True, exist_ok=True)
    values = {label: compare_values(*samples.values(), label) for label in labels}
    pairs = {label: compare_pairs(*samples.values(), label) for label in labels}
    write_values(out / "table.csv", list(chain.from_iterable(values.values())))
    write_pairs(out / "correlations.csv", list(chain.from_iterable(pairs.values())))
    _galleries(out, labels, folders, samples, seed)
    files = f"all values: {out / 'table.csv'}\nall correlations: {out / 'correlations.csv'}\n"
    files += f"pictures: {', '.join(str(out / f'gallery_{label}.png') for label in labels)}"
    accounts = "\n".join(_account(name, folders[name], sample) for name, sample in samples.items())
    return "\n\n".join([accounts, LEGEND, *_sections(samples, values, pairs), files])


def _sections(
    samples: dict[str, Sample], values: dict[str, list[ValueRow]], pairs: dict[str, list[PairRow]]
) -> list[str]:
    """The tables of each class, and a line for each class."""
    titles = {label: _title(label, samples) for label in CLASS_NAMES}
    ends = [f"{title}: {summary(values.get(label, []))}" for label, title in titles.items()]
    tables = [f"{titles[label]}\n\n{values_text(values[label])}\n\n{pairs_text(pairs[label])}" for label in values]
    return [*tables, "\n".join(ends)]


def _account(name: str, folder: str | Path, sample: Sample) -> str:
    dropped = "".join(f"; {n} {reason}" for reason, n in sample.ledger.dropped.most_common())
    return f"{name}: {folder}: {sample.ledger.kept} of {sample.ledger.read} alerts compared{dropped}"


def _title(label: str, samples: dict[str, Sample]) -> str:
    counts = {name: count(sample, label) for name, sample in samples.items()}
    return f"{label}: " + ", ".join(f"{alerts} {name} alerts of {n} objects" for name, (alerts, n) in counts.items())


def _galleries(
    out: Path, labels: list[str], folders: dict[str, str | Path], samples: dict[str, Sample], seed: int
) -> None:
    chosen = {name: {label: choose(sample, label, seed) for label in labels} for name, sample in samples.items()}
    stamps = {name: read_stamps(folders[name], chain.from_iterable(chosen[name].values())) for name in samples}
    for label in labels:
        rows = tuple([stamps[name][alert] for alert in chosen[name][label]] for name in samples)
        draw(out / f"gallery_{label}.png", label, rows)
