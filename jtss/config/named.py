"""The named configurations: every network of the paper, with its table, row and accuracy there.

Variation is by configuration, never by copied code: an entry is made from a table's row.
"""

from dataclasses import replace
from difflib import get_close_matches

from jtss import schema
from jtss.config.settings import (
    Config,
    ConfigError,
    EncoderConfig,
    HeadConfig,
    HideConfig,
    MetadataConfig,
    PacketConfig,
    StampConfig,
    TemporalConfig,
    TrainingConfig,
)
from jtss.config.tsc import TABLE_2, TABLE_6, TABLE_7, TABLE_8
from jtss.invocation import spelled

FIRST_ALERT_CLASSES = schema.CLASS_NAMES
DROPOUT = 0.5


def architecture(temporal: TemporalConfig) -> str:
    """The sizes of a temporal model as the paper's tables write them: "1L 128U", "Ke = 2"."""
    sizes = {"conv1d": f"Ke = {temporal.kernel}", "gamma": f"k = {temporal.taps}", "tdnn": f"V = {temporal.window}"}
    return sizes.get(temporal.kind, f"{temporal.layers}L {temporal.units}U")


def _complete(n: int, kind: str) -> Config:
    temporal = TABLE_6[n][kind][0]
    in_table_8, accuracy = TABLE_8[n]
    table = 8 if kind == in_table_8 else 6
    return Config(
        name=f"n{n}_{kind}",
        origin=f"TSC Table {table}, {n} alerts: {kind} {architecture(temporal)}, complete inputs",
        paper_accuracy=accuracy if kind == in_table_8 else "",
        n_detections=n,
        temporal=temporal,
    )


def _images(n: int, kind: str) -> Config:
    return replace(
        _complete(n, kind),
        name=f"n{n}_{kind}_images",
        origin=f"TSC Table 6, {n} alerts: {kind} {architecture(TABLE_6[n][kind][0])}, images and time gaps only",
        paper_accuracy=TABLE_6[n][kind][1],
        metadata=MetadataConfig(dynamic=(schema.TIME_GAP.name,), static=()),
    )


def _metadata(n: int, *, allwise: bool) -> Config:
    colours = schema.COLOUR_NAMES if allwise else ()
    static = tuple(feature.name for feature in schema.STATIC_METADATA)
    return Config(
        name=f"n{n}_metadata" if allwise else f"n{n}_metadata_noallwise",
        origin=f"TSC Table 7, {n} alerts, {'with' if allwise else 'without'} AllWISE",
        paper_accuracy=TABLE_7[n][allwise],
        n_detections=n,
        stamp=StampConfig(channels=()),
        metadata=MetadataConfig(static=(*static, *colours)),
        temporal=TemporalConfig(kind="lstm"),
    )


def _first_alert(name: str, stamp: StampConfig, row: str, accuracy: str) -> Config:
    """A classifier of single alerts: all metadata join the pooled features. TSC §III-B, Figure 3."""
    metadata = tuple(feature.name for feature in schema.DYNAMIC_METADATA + schema.STATIC_METADATA)
    return Config(
        name=name,
        origin=f"TSC Table 2, {row}",
        paper_accuracy=accuracy,
        n_detections=1,
        classes=FIRST_ALERT_CLASSES,
        stamp=replace(stamp, channels=schema.CHANNEL_NAMES),
        metadata=MetadataConfig(dynamic=(), static=metadata),
        encoder=EncoderConfig(dropout=DROPOUT),
        temporal=TemporalConfig(kind="none"),
        head=HeadConfig(dropout=(DROPOUT, DROPOUT)),
    )


def _demo() -> Config:
    """`n3_conv1d`, narrow and on a small crop, for a machine without a GPU."""
    whole = _complete(3, "conv1d")
    training = replace(whole.training, learning_rate=1e-3, batch_size=64, iterations=300, validate_every=25)
    return replace(
        whole,
        name="demo",
        origin="n3_conv1d made small for a CPU; not in the paper",
        paper_accuracy="",
        stamp=replace(whole.stamp, crop=21, copies=2),
        encoder=replace(whole.encoder, kernels=(4, 3, 3, 3, 3), filters=(8, 16, 32, 32, 32)),
        training=training,
    )


def _any(kind: str) -> Config:
    """A model of packets: an alert with all that its packet tells of the past, whatever is missing."""
    of_row = "fwhm isdiffpos magpsf sigmapsf diffmaglim classtar rb log_distnr magnr log_chinr sharpnr"
    counters = "log_ndethist log_ncovhist log_non_detections"
    bits = "has_counters has_shape has_rb has_reference_source"
    neighbours = "sgscore1 log_distpsnr1 sgscore2 log_distpsnr2 sgscore3 log_distpsnr3 has_neighbours"
    of_object = f"{neighbours} abs_gal_b ecl_lat has_place {' '.join(schema.COLOUR_NAMES)} has_allwise"
    hidden = {"counters": 0.4, "rb": 0.15, "neighbours": 0.1, "reference_source": 0.1, "place": 0.1, "shape": 0.1}
    return Config(
        name=f"any_{kind}",
        origin="not in the paper: any number of detections, from one packet",
        paper_accuracy="",
        n_detections=1,
        classes=FIRST_ALERT_CLASSES,
        stamp=StampConfig(channels=schema.CHANNEL_NAMES, crop=21, copies=4),
        metadata=MetadataConfig(
            dynamic=(*of_row.split(), *counters.split(), *bits.split()), static=(*of_object.split(),)
        ),
        encoder=EncoderConfig(kernels=(4, 3, 3, 3, 3), filters=(16, 16, 32, 32, 32), dropout=0.2),
        temporal=TemporalConfig(kind=kind, units=64),
        head=HeadConfig(units=(128, 128), dropout=(0.2, 0.2)),
        training=TrainingConfig(
            learning_rate=7e-4,
            decay="cosine",
            batch_size=64,  # five in eight of them without stamps, which cost most
            iterations=5_000,
            patience=0,
            validate_every=500,
            class_balance="counts",
            metadata_noise=0.3,
            young=0.3,
            lone=0.1,
        ),
        hide=HideConfig(**hidden, allwise=0.5, stamps=0.625, history=0.25, limits=0.25, older=0.15),
        packet=PacketConfig(rows=40, stamps=4),
        subclasses=schema.SUBCLASSES,
    )


def _all() -> list[Config]:
    baseline, enhanced = StampConfig(crop=21, copies=4, rotation_range_deg=0), StampConfig()
    configs = [
        _first_alert("n1_baseline", baseline, "M_b: the original stamp classifier", TABLE_2["M_b"].accuracy),
        _first_alert("n1_enhanced", enhanced, "M_1: the enhanced stamp classifier", TABLE_2["M_1"].accuracy),
    ]
    for n, (kind, _) in TABLE_8.items():
        configs.append(replace(_complete(n, kind), name=f"n{n}_best"))
        configs += [_complete(n, kind) for kind in TABLE_6[n]]
        configs += [_images(n, kind) for kind in TABLE_6[n]]
        configs += [_metadata(n, allwise=True), _metadata(n, allwise=False)]
    return [*configs, _any("gru"), _any("attention"), _demo()]


CONFIGS = {config.name: config for config in _all()}


def get(name: str) -> Config:
    """The named configuration.

    Raises:
        ConfigError: no such name; says which are close to it.
    """
    if name not in CONFIGS:
        close = ", ".join(get_close_matches(name, CONFIGS, n=4, cutoff=0.4))
        hint = f"; closest: {close}" if close else ""
        raise ConfigError(f"no config named {name!r}{hint}; all of them: {spelled('train', '--list')}")
    return CONFIGS[name]
