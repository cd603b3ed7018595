"""Two folders of alert packets to a report, tables and pictures of how they differ."""

from itertools import chain
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

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
from jtss.errors import InputError
from jtss.schema import CHANNEL_NAMES, CLASS_NAMES, FILL_LIMIT

OBJECTS = 12  # of a class in a picture
PANEL_INCHES = 1.15
CLIP_PERCENT = (1.0, 99.5)
SOURCES = ("real", "simulated")
LEGEND = """\
One vote per object. KS: largest difference of the cumulative distributions, of the values that are there; chance: what
two samples of this size from one distribution exceed once in 20 times; W/IQR: Wasserstein's distance in interquartile
ranges of the real values; missing: fraction without a value. Correlations: gap/sd is their difference in standard
deviations of chance. Only what is beyond chance is shown, values by how far beyond, correlations by gap/sd."""


def compare(simulated: str | Path, real: str | Path, out: str | Path, seed: int = 0) -> str:
    """Measure how simulated alert packets differ from real ones.

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
        there = "; ".join(f"{folders[name]}: {', '.join(sorted(set(s.label)))}" for name, s in samples.items())
        raise InputError(f"no class is in both folders, expected one or more ({there})")
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


def choose(sample: Sample, label: str, seed: int) -> list[tuple[str, int]]:
    """objectId and candid of the first alert of a few objects of a class."""
    of_class = np.flatnonzero(sample.label == label)
    order = of_class[np.lexsort((sample.values["mjd"][of_class], sample.object_id[of_class]))]
    _, first = np.unique(sample.object_id[order], return_index=True)
    rng = np.random.default_rng(seed)
    chosen = order[rng.choice(first, min(OBJECTS, len(first)), replace=False)]
    return list(zip(sample.object_id[chosen].tolist(), sample.candid[chosen].tolist(), strict=True))


def draw(path: Path, label: str, stamps: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    """Draw real stamps over simulated ones for each channel.

    Args:
        path: the PNG to write.
        stamps: real and simulated; each [3, H, W] DN.
    """
    n_columns = max(map(len, stamps))
    n_rows = len(SOURCES) * len(CHANNEL_NAMES)
    figure = Figure(figsize=((n_columns + 0.4) * PANEL_INCHES, (n_rows + 0.6) * PANEL_INCHES), layout="compressed")
    panels = figure.subplots(n_rows, n_columns, squeeze=False)
    for row in range(n_rows):
        channel, of = divmod(row, len(SOURCES))
        _draw_row(panels[row], [stamp[channel] for stamp in stamps[of]], f"{CHANNEL_NAMES[channel]}\n{SOURCES[of]}")
    low, high = CLIP_PERCENT
    figure.suptitle(
        f"{label}: first alerts of objects chosen at random; each stamp scaled between the {low:g} and {high:g} % "
        "quantiles of its pixels; NaN in blue",
        fontsize=9,
    )
    figure.savefig(path, format="png", dpi=110)


def _draw_row(panels: np.ndarray, images: list[np.ndarray], title: str) -> None:
    colours = colormaps["gray"].with_extremes(bad="tab:blue")
    for panel in panels:
        panel.set(xticks=[], yticks=[], frame_on=False)
    panels[0].set_ylabel(title, fontsize=7, color="tab:red" if title.endswith(SOURCES[0]) else "black")
    for panel, image in zip(panels, images, strict=False):
        panel.imshow(clipped(image), cmap=colours, vmin=0, vmax=1, origin="lower", interpolation="nearest")


def clipped(image: np.ndarray) -> np.ndarray:
    """[H, W] scaled to [0, 1] between two percentiles of its pixels; fill values become NaN, NaN stays."""
    light = np.where(np.abs(image) <= FILL_LIMIT, image, np.nan).astype(float)
    low, high = np.nanpercentile(light, CLIP_PERCENT)
    return ((light - low) / (high - low if high > low else 1.0)).clip(0, 1)
