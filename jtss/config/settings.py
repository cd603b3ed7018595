"""Configurations: frozen dataclasses, what must hold among their settings, and settings as text.

As text they are `--set a.b=value` overrides, and JSON both ways. The named configurations are in `jtss.config.named`.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from jtss import schema
from jtss.errors import InputError

TEMPORAL_KINDS = ("none", "conv1d", "tdnn", "gamma", "rnn", "gru", "lstm", "attention")
STAMPS_READ = (1, 2, 4, 8)  # of packets
CAUSAL_KINDS = ("gru", "attention")  # of models of packets, which answer after every row
WITHOUT_WEIGHTS = ("none",)  # of the temporal models
ATTENTION_HEADS = 4
DECAYS = ("none", "cosine")
CLASS_BALANCES = ("uniform", "natural", "counts")
PRECISIONS = ("auto", "float32", "bfloat16")
LATER = {"later": True}  # marks a field that files of before do not have: there it has its default


class ConfigError(InputError):
    """A setting that does not exist or does not fit; the message names it and lists what is valid."""


@dataclass(frozen=True)
class StampConfig:
    """What the encoder sees of an alert's images; no channels: a model without images. TSC §III-B."""

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
class MetadataConfig:
    """Which values the model reads beside the images, by name; see `schema.METADATA`. TSC Table 3, §IV-C."""

    dynamic: tuple[str, ...] = schema.DYNAMIC_NAMES  # of every detection, into the temporal model
    static: tuple[str, ...] = schema.STATIC_NAMES  # of the last detection and AllWISE, into the head


@dataclass(frozen=True)
class PacketConfig:
    """What a model of packets reads of an object's past; no rows: a model of sequences of alerts, as the paper's."""

    rows: int = 0  # the latest that training reads, the alert among them; a model that is applied reads all
    # The latest that are seen where several packets of an object are given; training shows two of them at most.
    stamps: int = field(default=1, metadata=LATER)


@dataclass(frozen=True)
class HideConfig:
    """In which share of the training examples each group of `schema.METADATA_GROUPS` is hidden, all its values at once.

    Of packets also the stamps, the whole history, its upper limits, or what is older than one of its rows. What is
    hidden is as what is missing, so that the model learns to do without. Nothing is hidden where it is applied.
    """

    counters: float = 0.0
    rb: float = 0.0
    neighbours: float = 0.0
    reference_source: float = 0.0
    place: float = 0.0
    shape: float = 0.0
    allwise: float = 0.0
    stamps: float = field(default=0.0, metadata=LATER)
    history: float = field(default=0.0, metadata=LATER)
    limits: float = field(default=0.0, metadata=LATER)
    older: float = field(default=0.0, metadata=LATER)


PACKET_GROUPS = ("stamps", "history", "limits")


@dataclass(frozen=True)
class EncoderConfig:
    """The convolutional encoder of one stamp. TSC Table 4."""

    padding: int = 3  # zeros around the crop, before the first convolution
    kernels: tuple[int, ...] = (4, 5, 5, 5, 5)
    filters: tuple[int, ...] = (32, 32, 64, 64, 64)
    units: tuple[int, ...] = (64,)  # of the dense layers before the pooling over copies
    dropout: float = 0.0  # after each of them


@dataclass(frozen=True)
class TemporalConfig:
    """The model over the detections; each kind reads its own fields. TSC §IV-D.A, Table 5."""

    kind: str = "conv1d"
    units: int = 0  # 0: as wide as its input
    layers: int = 1  # rnn, gru, lstm
    kernel: int = 3  # conv1d: Ke
    window: int = 2  # tdnn: V
    taps: int = 7  # gamma: K


@dataclass(frozen=True)
class HeadConfig:
    """The dense layers that end in the classes. TSC Table 4; dropout rate of the first-detection classifier."""

    units: tuple[int, ...] = (64, 64)
    dropout: tuple[float, ...] = (0.5, 0.0)  # after each of them


@dataclass(frozen=True)
class RateConfig:
    """By what the learning rate is multiplied in each part of the network; 0: the part is frozen, to the bit."""

    encoder: float = 1.0
    no_stamp: float = 1.0
    row: float = 1.0
    dynamic_norm: float = 1.0
    static_norm: float = 1.0
    temporal: float = 1.0
    film: float = 1.0
    head: float = 1.0


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. TSC §IV-D."""

    learning_rate: float = 1e-4
    decay: str = "none"  # of the learning rate; "cosine": to nothing at the last of the iterations
    batch_size: int = 128
    iterations: int = 30_000
    patience: int = 10_000  # iterations granted after an improvement…
    patience_after: int = 20_000  # …that comes later than this
    validate_every: int = 10
    class_balance: str = "uniform"  # "natural": as they come; "counts": uniform at each ndethist and ncovhist
    entropy_weight: float = 0.0  # β of the first-detection classifier: how much an uncertain prediction is rewarded
    seed: int = 0
    metadata_noise: float = field(default=0.0, metadata=LATER)  # added to standardised metadata in training: scatter
    young: float = field(default=0.0, metadata=LATER)  # share of examples as of a survey of 0 to 30 days
    lone: float = field(default=0.0, metadata=LATER)  # share as if nothing had been detected before the alert
    rate_of: RateConfig = field(default_factory=RateConfig, metadata=LATER)


@dataclass(frozen=True)
class Config:
    """Everything that defines a trained model; hashable, so that it can be a static argument."""

    name: str
    origin: str  # the paper's table and row
    paper_accuracy: str  # percent, on the paper's data
    n_detections: int
    classes: tuple[str, ...] = ("AGN", "SN", "VS")
    stamp: StampConfig = field(default_factory=StampConfig)
    metadata: MetadataConfig = field(default_factory=MetadataConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    precision: str = "auto"  # of the stamp encoder's arithmetic; "auto": bfloat16 on a GPU that has it
    hide: HideConfig = field(default_factory=HideConfig, metadata=LATER)
    packet: PacketConfig = field(default_factory=PacketConfig, metadata=LATER)
    subclasses: tuple[str, ...] = field(default=(), metadata=LATER)  # that a model of packets tells apart in a class

    def __post_init__(self):
        _check(self)


def parts(config: Config) -> tuple[str, ...]:
    """Names of the parts of the network that have weights, as `training.rate_of` and the tree of weights have them."""
    stamps, metadata, of_packets = bool(config.stamp.channels), config.metadata, config.packet.rows > 0
    there = {
        "encoder": stamps,
        "no_stamp": stamps and of_packets,
        "row": of_packets,
        "dynamic_norm": bool(metadata.dynamic) and not of_packets,
        "static_norm": bool(metadata.static) and not of_packets,
        "temporal": config.temporal.kind not in WITHOUT_WEIGHTS,
        "film": bool(metadata.static) and of_packets,
        "head": True,
    }
    return tuple(name for name, has_weights in there.items() if has_weights)


def override(config: Config, assignments: list[str]) -> Config:
    """`config` with "a.b=value" assignments applied.

    Raises:
        ConfigError: an assignment without "=", a field that does not exist (lists the valid ones), a value of another
            type, or settings that contradict each other.
    """
    values = to_dict(config)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected field=value")
        _assign(values, Config, path.strip(), text.strip())
    return from_dict(values)


def to_dict(config: Config) -> dict:
    """Plain values, ready for JSON."""
    return dataclasses.asdict(config)


def without_later(config: Config) -> dict:
    """As `to_dict`, without the fields that came later where they have their default: as before they came."""
    values = {}
    for item in dataclasses.fields(config):
        value, factory = getattr(config, item.name), item.default_factory
        default = item.default if factory is dataclasses.MISSING else factory()
        if not (item.metadata.get("later") and value == default):
            values[item.name] = without_later(value) if dataclasses.is_dataclass(value) else value
    return values


def from_dict(values: dict) -> Config:
    """The inverse of `to_dict`; fields that came later may be missing and have their defaults then.

    Raises:
        ConfigError: an unknown or a missing field, or settings that contradict each other.
    """
    return _build(Config, values)


def differences(one: dict, other: dict, sides: tuple[str, str]) -> list[str]:
    """Where two nested dicts of settings differ: "temporal.kernel: checkpoint 3, config.json 2".

    Args:
        one, other: as `to_dict` makes them. What a config says of its origin is no setting and may differ, and a field
            that came later may be missing where the other side has its default.
        sides: what to call them.
    """
    one, other = ({**LATER_DEFAULTS, **dict(_flat(values))} for values in (one, other))
    names = [name for name in {**one, **other} if name not in ("origin", "paper_accuracy")]
    return [
        f"{name}: {sides[0]} {_shown(one, name)}, {sides[1]} {_shown(other, name)}"
        for name in names
        if name not in one or name not in other or one[name] != other[name]
    ]


def _check(config: Config) -> None:
    """Raise ConfigError where a setting is out of range or contradicts another, naming both sides."""
    for setting, names, valid in (
        ("classes", config.classes, schema.CLASS_NAMES),
        ("subclasses", config.subclasses, schema.SUBCLASSES),
        ("stamp.channels", config.stamp.channels, schema.CHANNEL_NAMES),
        ("metadata.dynamic", config.metadata.dynamic, schema.VALID_DYNAMIC),
        ("metadata.static", config.metadata.static, schema.VALID_STATIC),
        ("temporal.kind", (config.temporal.kind,), TEMPORAL_KINDS),
        ("training.decay", (config.training.decay,), DECAYS),
        ("training.class_balance", (config.training.class_balance,), CLASS_BALANCES),
        ("precision", (config.precision,), PRECISIONS),
    ):
        unknown = [name for name in names if name not in valid]
        if unknown:
            raise ConfigError(f"config {config.name}: {setting}: no {', '.join(unknown)}; valid: {', '.join(valid)}")
    checks = (_input_faults, _temporal_faults, _layer_faults, _training_faults, _rate_faults, _hiding_faults)
    faults = chain.from_iterable(check(config) for check in checks)
    message = next(filter(None, faults), None)  # one at a time: later checks rely on earlier ones
    if message:
        raise ConfigError(f"config {config.name}: {message}")


def _input_faults(config: Config) -> Iterator[str | bool]:
    n, stamp, metadata = config.n_detections, config.stamp, config.metadata
    yield not config.name and "name: expected a name"
    yield not 1 <= n <= schema.MAX_DETECTIONS and f"n_detections={n}: expected 1 to {schema.MAX_DETECTIONS}"
    for setting, names, least in (
        ("classes", config.classes, 2),
        ("subclasses", config.subclasses, 0),
        ("stamp.channels", stamp.channels, 0),
        ("metadata.dynamic", metadata.dynamic, 0),
        ("metadata.static", metadata.static, 0),
    ):
        distinct = len(set(names)) == len(names) >= least
        yield not distinct and f"{setting}={','.join(names)}: expected {least} or more names, none twice"
    strange = [name for name in config.subclasses if schema.CLASS_OF_SUBCLASS[name] not in config.classes]
    yield bool(strange) and (
        f"subclasses={','.join(strange)}: of none of the classes {', '.join(config.classes)}, expected"
        " subclasses of these, or none"
    )
    yield bool(config.subclasses and not config.packet.rows) and (
        f"subclasses={','.join(config.subclasses)}: a model of sequences has none, expected packet.rows above 0"
    )
    yield not (stamp.channels or metadata.dynamic) and (
        "stamp.channels and metadata.dynamic are both empty: nothing is left for the temporal model"
    )
    yield stamp.copies < 1 and f"stamp.copies={stamp.copies}: expected at least 1"
    yield not 0 <= stamp.rotation_range_deg <= 360 and (
        f"stamp.rotation_range_deg={stamp.rotation_range_deg}: expected 0 to 360"
    )
    yield stamp.crop % 2 == 0 and f"stamp.crop={stamp.crop}: expected an odd number, so that one pixel is central"
    yield stamp.source_side > schema.STAMP_SIDE and (
        f"stamp.crop={stamp.crop} needs {stamp.source_side} pixels to turn in, a stamp has {schema.STAMP_SIDE}"
    )


def _temporal_faults(config: Config) -> Iterator[str | bool]:
    n, temporal = config.n_detections, config.temporal
    yield temporal.units < 0 and f"temporal.units={temporal.units}: expected 0 (as wide as the input) or more"
    for name in ("layers", "kernel", "taps"):
        value = getattr(temporal, name)
        yield value < 1 and f"temporal.{name}={value}: expected at least 1"
    yield temporal.window < 2 and f"temporal.window={temporal.window}: expected at least 2"
    kind, rows = temporal.kind, config.packet.rows
    yield rows < 0 and f"packet.rows={rows}: expected 0 (a model of sequences) or more"
    stamps = config.packet.stamps
    yield stamps not in STAMPS_READ and (
        f"packet.stamps={stamps}: expected {', '.join(map(str, STAMPS_READ))}, so that few programs serve all packets"
    )
    if rows:
        yield (
            kind not in CAUSAL_KINDS
            and f"temporal.kind={kind} does not fit packet.rows={rows}: expected {' or '.join(CAUSAL_KINDS)}"
        )
        yield (
            n != 1
            and f"n_detections={n} does not fit packet.rows={rows}: a packet is one alert with its past, expected 1"
        )
        late = [name for name in config.metadata.static if name in schema.OF_EXPOSURE]
        yield bool(late) and (
            f"metadata.static={','.join(late)}: of the alert, which no answer after an earlier row may know: expected"
            " these in metadata.dynamic"
        )
        gap = schema.TIME_GAP.name
        yield gap in config.metadata.dynamic and f"metadata.dynamic={gap}: packets have their times by themselves"
        yield config.training.class_balance == "natural" and (
            f"training.class_balance=natural does not fit packet.rows={rows}: it is of objects, not of packets"
        )
        yield (
            kind == "attention"
            and temporal.units % ATTENTION_HEADS != 0
            and (f"temporal.units={temporal.units}: expected a multiple of the {ATTENTION_HEADS} heads of attention")
        )
        yield temporal.layers != 1 and f"temporal.layers={temporal.layers} does not fit packet.rows={rows}: expected 1"
        yield (
            temporal.units < 1
            and f"temporal.units={temporal.units} does not fit packet.rows={rows}: expected 1 or more"
        )
    yield kind == "attention" and not rows and "temporal.kind=attention reads packets: expected packet.rows above 0"
    yield kind == "none" and n > 1 and f"temporal.kind=none does not fit n_detections={n}: it reads one detection"
    yield (
        kind == "conv1d"
        and temporal.kernel > n
        and (f"temporal.kernel={temporal.kernel} does not fit n_detections={n}")
    )
    yield (
        kind == "tdnn"
        and (n < temporal.window or (n - 1) % (temporal.window - 1))
        and (f"temporal.window={temporal.window} does not fit n_detections={n}: its layers do not end in one step")
    )


def _layer_faults(config: Config) -> Iterator[str | bool]:
    encoder, head = config.encoder, config.head
    yield not len(encoder.kernels) == len(encoder.filters) == 5 and "encoder: expected five kernels and five filters"
    sizes = (*encoder.kernels, *encoder.filters, *encoder.units)
    yield not encoder.units and "encoder.units: expected at least one layer"
    yield min(sizes) < 1 and "encoder: expected sizes of at least 1"
    yield encoder.padding < 0 and f"encoder.padding={encoder.padding}: expected 0 or more"
    yield not 0 <= encoder.dropout < 1 and f"encoder.dropout={encoder.dropout}: expected 0 ≤ rate < 1"
    side = config.stamp.crop + 2 * encoder.padding - encoder.kernels[0] + 1
    yield side < 4 and (
        f"stamp.crop={config.stamp.crop} leaves {side} pixels after the first convolution, expected at least 4"
    )
    yield len(head.units) != len(head.dropout) and (
        f"head.units has {len(head.units)} layers, head.dropout {len(head.dropout)} rates"
    )
    yield min(head.units, default=1) < 1 and f"head.units={head.units}: expected at least 1"
    yield not all(0 <= rate < 1 for rate in head.dropout) and f"head.dropout={head.dropout}: expected 0 ≤ rate < 1"


def _training_faults(config: Config) -> Iterator[str | bool]:
    training = config.training
    yield not 0 < training.learning_rate < math.inf and (
        f"training.learning_rate={training.learning_rate}: expected a positive number"
    )
    yield not 0 <= training.entropy_weight < math.inf and (
        f"training.entropy_weight={training.entropy_weight}: expected 0 or more"
    )
    rewarded = training.entropy_weight > 0 and config.packet.rows > 0
    yield rewarded and f"training.entropy_weight={training.entropy_weight}: a model of packets has none, expected 0"
    yield not 0 <= training.metadata_noise < math.inf and (
        f"training.metadata_noise={training.metadata_noise}: expected 0 or more"
    )
    for name in ("young", "lone"):
        share = getattr(training, name)
        yield not 0 <= share <= 1 and f"training.{name}={share}: expected 0 ≤ share ≤ 1"
    both = training.young + training.lone
    yield both > 1 and f"training.young and training.lone are {both} together, expected 1 at most"
    yield (
        training.lone > 0
        and config.n_detections > 1
        and (f"training.lone={training.lone} does not fit n_detections={config.n_detections}: it is of a single alert")
    )
    yield (
        training.decay != "none"
        and training.patience > 0
        and (
            f"training.decay={training.decay} ends with training.iterations and leaves nothing to learn in the "
            f"training.patience={training.patience} iterations that may follow: expected training.patience=0"
        )
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


def _rate_faults(config: Config) -> Iterator[str | bool]:
    rates, there = dataclasses.asdict(config.training.rate_of), parts(config)
    for name, rate in rates.items():
        yield not 0 <= rate < math.inf and f"training.rate_of.{name}={rate}: expected 0 (frozen) or more"
        yield (
            rate != 1
            and name not in there
            and f"training.rate_of.{name}={rate}: the network has no such part, only {', '.join(there)}"
        )
    yield not any(rates[name] for name in there) and (
        f"training.rate_of: {', '.join(there)} are all frozen, and nothing is left to learn"
    )


def _hiding_faults(config: Config) -> Iterator[str | bool]:
    read = {*config.metadata.dynamic, *config.metadata.static}
    for group, members in schema.METADATA_GROUPS.items():
        rate, bit = getattr(config.hide, group), schema.availability(group)
        yield not 0 <= rate < 1 and f"hide.{group}={rate}: expected 0 ≤ share < 1"
        yield (
            rate > 0
            and read.isdisjoint(members)
            and (f"hide.{group}={rate}: there is nothing to hide, the model reads none of {', '.join(members)}")
        )
        yield (
            bit in read
            and not rate
            and not config.packet.rows  # told rows lack what only alerts have
            and (f"{bit} is always 1 where nothing is hidden, and teaches nothing: expected hide.{group} above 0")
        )
    yield (
        config.hide.stamps > 0
        and not config.stamp.channels
        and (f"hide.stamps={config.hide.stamps}: there is nothing to hide, the model reads no stamps")
    )
    batch_size = config.training.batch_size
    yield (
        config.hide.stamps > 0
        and round(config.hide.stamps * batch_size) == 0
        and (f"hide.stamps={config.hide.stamps} of training.batch_size={batch_size} is not one packet")
    )
    for group in (*PACKET_GROUPS, "older"):
        rate = getattr(config.hide, group)
        yield not 0 <= rate < 1 and f"hide.{group}={rate}: expected 0 ≤ share < 1"
        yield (
            rate > 0
            and not config.packet.rows
            and f"hide.{group}={rate}: a model of sequences cannot do without, expected packet.rows above 0"
        )


def _assign(values: dict, cls: type, path: str, text: str) -> None:
    *parents, leaf = path.split(".")
    for name in parents:
        cls, values = _field_type(cls, name, path), values[name]
        if not dataclasses.is_dataclass(cls):
            raise ConfigError(f"--set {path}: {name} has no fields")
    kind = _field_type(cls, leaf, path)
    if dataclasses.is_dataclass(kind):
        names = ", ".join(f"{leaf}.{item.name}" for item in dataclasses.fields(kind))
        raise ConfigError(f"--set {path}: {leaf} is a group; valid: {names}")
    values[leaf] = _parse(kind, text, path)


def _field_type(cls: type, name: str, path: str) -> type:
    valid = {item.name: item.type for item in dataclasses.fields(cls)}
    if name not in valid:
        raise ConfigError(f"--set {path}: no field {name!r}; valid: {', '.join(valid)}")
    return valid[name]


def _parse(kind: type, text: str, path: str):
    try:
        if isinstance(kind, types.GenericAlias):
            (item, _) = typing.get_args(kind)
            return [item(part) for part in text.strip("()[]").split(",") if part.strip()]
        return kind(text)
    except ValueError:
        raise ConfigError(f"--set {path}={text}: expected {getattr(kind, '__name__', kind)}") from None


def _build(cls: type, values: dict):
    arguments = {}
    for item in dataclasses.fields(cls):
        if item.name not in values and item.metadata.get("later"):
            continue
        if item.name not in values:
            raise ConfigError(f"{cls.__name__}: field {item.name!r} is missing")
        value = values[item.name]
        if dataclasses.is_dataclass(item.type):
            value = _build(item.type, value)
        arguments[item.name] = tuple(value) if isinstance(value, list) else value
    unknown = sorted(set(values) - set(arguments))
    if unknown:
        raise ConfigError(f"{cls.__name__}: unknown fields {unknown}; valid: {', '.join(arguments)}")
    return cls(**arguments)


def _flat(values: dict, path: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, list(value) if isinstance(value, tuple) else value


def _later(cls: type) -> dict:
    """The fields that came later, with their defaults, nested as in the class."""
    values = {}
    for item in dataclasses.fields(cls):
        if item.metadata.get("later"):
            factory = item.default_factory
            values[item.name] = item.default if factory is dataclasses.MISSING else dataclasses.asdict(factory())
        elif dataclasses.is_dataclass(item.type):
            values[item.name] = _later(item.type)
    return values


LATER_DEFAULTS = dict(_flat(_later(Config)))


def _shown(values: dict, name: str) -> str:
    if name not in values:
        return "has none"
    value = values[name]
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)
