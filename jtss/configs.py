"""Configurations: frozen dataclasses and the registry of named ones.

Variation is by configuration, never by copied code: a new entry is a `replace` of an old one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from jtss import schema


class ConfigError(ValueError):
    """A setting that does not exist or does not fit; the message names it and lists what is valid."""


@dataclass(frozen=True)
class StampConfig:
    """What the encoder sees of an alert's images. TSC §III-B."""

    channels: tuple[str, ...] = ("science", "template")
    crop: int = 33  # a, pixels
    copies: int = 6  # k
    rotation_range_deg: float = 28.8  # θ = 0.08 of a turn

    @property
    def source_side(self) -> int:
        """Side of the square that is turned: odd, and enough for the turned crop; quarter turns need no margin."""
        if self.rotation_range_deg == 0 and (360 / self.copies) % 90 == 0:
            return self.crop
        side = math.ceil(self.crop * math.sqrt(2))
        return side + (side + 1) % 2


@dataclass(frozen=True)
class EncoderConfig:
    """The convolutional encoder of one stamp. TSC Table 4."""

    padding: int = 3  # zeros around the crop, before the first convolution
    kernels: tuple[int, ...] = (4, 5, 5, 5, 5)
    filters: tuple[int, ...] = (32, 32, 64, 64, 64)
    units: int = 64


@dataclass(frozen=True)
class TemporalConfig:
    """The model over the detections. TSC §IV-D.A, Table 5."""

    kind: str = "conv1d"
    kernel: int = 3  # Ke
    units: int = 0  # 0: as wide as its input


@dataclass(frozen=True)
class HeadConfig:
    """The dense layers that end in the classes. TSC Table 4; dropout rate of the first-detection classifier."""

    units: int = 64
    dropout: float = 0.5


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. TSC §IV-D."""

    learning_rate: float = 1e-4
    batch_size: int = 128
    iterations: int = 30_000
    patience: int = 10_000  # iterations granted after an improvement…
    patience_after: int = 20_000  # …that comes later than this
    validate_every: int = 10
    class_balance: str = "uniform"  # or "natural"
    seed: int = 0


@dataclass(frozen=True)
class Config:
    """Everything that defines a trained model; hashable, so that it can be a static argument."""

    name: str
    origin: str  # the paper's table and row
    paper_accuracy: str  # percent, on the paper's data
    n_detections: int
    classes: tuple[str, ...] = ("AGN", "SN", "VS")
    stamp: StampConfig = field(default_factory=StampConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self):
        _check(self)


CLASS_BALANCES = ("uniform", "natural")
TEMPORAL_KINDS = ("conv1d",)


def _check(config: Config) -> None:
    """Raise ConfigError where a setting is out of range or contradicts another, naming both sides."""
    for setting, names, valid in (
        ("classes", config.classes, schema.CLASS_NAMES),
        ("stamp.channels", config.stamp.channels, schema.CHANNEL_NAMES),
        ("temporal.kind", (config.temporal.kind,), TEMPORAL_KINDS),
        ("training.class_balance", (config.training.class_balance,), CLASS_BALANCES),
    ):
        unknown = [name for name in names if name not in valid]
        if unknown:
            raise ConfigError(f"config {config.name}: {setting}: no {', '.join(unknown)}; valid: {', '.join(valid)}")
    faults = chain(_model_faults(config), _size_faults(config), _training_faults(config.training))
    message = next(filter(None, faults), None)  # one at a time: later checks rely on earlier ones
    if message:
        raise ConfigError(f"config {config.name}: {message}")


def _model_faults(config: Config) -> Iterator[str | bool]:
    n, stamp, encoder, temporal = config.n_detections, config.stamp, config.encoder, config.temporal
    yield not config.name and "name: expected a name"
    yield not 1 <= n <= schema.MAX_DETECTIONS and f"n_detections={n}: expected 1 to {schema.MAX_DETECTIONS}"
    for setting, names, least in (("classes", config.classes, 2), ("stamp.channels", stamp.channels, 1)):
        distinct = len(set(names)) == len(names) >= least
        yield not distinct and f"{setting}={','.join(names)}: expected {least} or more names, none twice"
    yield not 1 <= temporal.kernel <= n and f"temporal.kernel={temporal.kernel} does not fit n_detections={n}"
    yield temporal.units < 0 and f"temporal.units={temporal.units}: expected 0 (as wide as the input) or more"
    yield not len(encoder.kernels) == len(encoder.filters) == 5 and "encoder: expected five kernels and five filters"
    yield min(*encoder.kernels, *encoder.filters, encoder.units) < 1 and "encoder: expected sizes of at least 1"
    yield encoder.padding < 0 and f"encoder.padding={encoder.padding}: expected 0 or more"
    yield config.head.units < 1 and f"head.units={config.head.units}: expected at least 1"
    yield not 0 <= config.head.dropout < 1 and f"head.dropout={config.head.dropout}: expected 0 ≤ rate < 1"


def _size_faults(config: Config) -> Iterator[str | bool]:
    stamp, encoder = config.stamp, config.encoder
    yield stamp.copies < 1 and f"stamp.copies={stamp.copies}: expected at least 1"
    yield not 0 <= stamp.rotation_range_deg <= 360 and (
        f"stamp.rotation_range_deg={stamp.rotation_range_deg}: expected 0 to 360"
    )
    yield stamp.crop % 2 == 0 and f"stamp.crop={stamp.crop}: expected an odd number, so that one pixel is central"
    yield stamp.source_side > schema.STAMP_SIDE and (
        f"stamp.crop={stamp.crop} needs {stamp.source_side} pixels to turn in, a stamp has {schema.STAMP_SIDE}"
    )
    side = stamp.crop + 2 * encoder.padding - encoder.kernels[0] + 1
    yield side < 4 and f"stamp.crop={stamp.crop} leaves {side} pixels after the first convolution, expected at least 4"


def _training_faults(training: TrainingConfig) -> Iterator[str | bool]:
    yield not 0 < training.learning_rate < math.inf and (
        f"training.learning_rate={training.learning_rate}: expected a positive number"
    )
    for name in ("batch_size", "iterations", "validate_every"):
        value = getattr(training, name)
        yield value < 1 and f"training.{name}={value}: expected at least 1"
    every = training.validate_every
    for name in ("iterations", "patience"):
        value = getattr(training, name)
        yield (value < 0 or value % every) and (
            f"training.{name}={value}: expected a multiple of training.validate_every={every}"
        )
    yield not 0 <= training.seed < 2**32 and f"training.seed={training.seed}: expected 0 to 2^32 - 1"


N3_CONV1D = Config(
    name="n3_conv1d",
    origin="TSC Table 8, 3 alerts: Conv1D, Ke = 3, complete inputs",
    paper_accuracy="98.33 ± 0.7",
    n_detections=3,
)

# The same network, narrow and on a small crop, for a machine without a GPU.
DEMO = replace(
    N3_CONV1D,
    name="demo",
    origin="n3_conv1d made small for a CPU; not in the paper",
    paper_accuracy="",
    stamp=replace(N3_CONV1D.stamp, crop=21, copies=2),
    encoder=replace(N3_CONV1D.encoder, filters=(8, 16, 32, 32, 32)),
    training=replace(
        N3_CONV1D.training,
        learning_rate=1e-3,
        batch_size=64,
        iterations=300,
        validate_every=25,
    ),
)

CONFIGS = {config.name: config for config in (N3_CONV1D, DEMO)}


def get(name: str) -> Config:
    """The named configuration.

    Raises:
        ConfigError: no such name; lists the valid ones.
    """
    if name not in CONFIGS:
        raise ConfigError(f"no config named {name!r}; valid: {', '.join(CONFIGS)}")
    return CONFIGS[name]
