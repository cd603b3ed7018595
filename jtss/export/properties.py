"""What an exported file says of itself, as texts by name: all that whoever loads it without jtss must know."""

import json

from jtss import schema
from jtss.config.settings import Config
from jtss.export import columns, signature
from jtss.export.signature import BATCH, DAYS, FID, HISTORY, METADATA
from jtss.inference.classify import classifier
from jtss.inference.model import Model

STAMPS_SCALING = (
    "done inside: pixels that are NaN, infinite or beyond 1e30 count as missing; each image of a stamp is scaled to"
    " [0, 1] by its own extremes and rounded to float16, its central {side} x {side} pixels are scaled again, missing"
    " ones are 0"
)
METADATA_SCALING = (
    "done inside: values are derived (log_, abs_, has_), clipped to lower and upper, then (value - mean) / std; missing"
    " ones are 0"
)


def describe(model: Model, layout: str, golden: str) -> dict[str, str]:
    """The properties.

    Args:
        model: exportable.
        layout: of the stamps, see `signature.inputs_of`.
        golden: vectors, see `golden.make`.

    Returns:
        model, version, layout as they are; classes, subclasses, members, temperature, inputs, outputs, normalisation
        and golden as JSON. The temperature is null where the model has none: its probabilities are not calibrated then.
    """
    config, stamps = model.config, "none are read"
    if config.stamp.channels:
        stamps = STAMPS_SCALING.format(side=config.stamp.source_side)
    values = {
        "classes": config.classes,
        "members": len(model.members),
        "temperature": model.temperature,
        "inputs": [_input(each, config) for each in signature.inputs_of(config, layout)],
        "subclasses": config.subclasses,
        "outputs": [_array(each) for each in signature.outputs_of(model)],
        "normalisation": {
            "stamps": stamps,
            "metadata": METADATA_SCALING,
            "statistics": model.statistics.to_dict(),
        },
    }
    texts = {name: json.dumps(value) for name, value in values.items()}
    return {
        "model": model.label,
        "version": classifier(model, model.temperature is not None).version,
        "layout": layout,
        **texts,
        "golden": golden,
    }


def _array(each: signature.Array) -> dict:
    return {"name": each.name, "dtype": "float32", "shape": [BATCH, *each.shape], "meaning": each.meaning}


def _input(each: signature.Array, config: Config) -> dict:
    described = _array(each)
    if each.name == METADATA:
        described["columns"] = [_column(feature, signature.columns_read(config)) for feature in schema.METADATA]
    if each.name == HISTORY:
        read = signature.history_read(config)
        described["columns"] = [
            {"name": DAYS, "unit": "day", "of": "jd - jd of the alert, in float64", "-999": "missing", "read": True},
            {"name": FID, "unit": "", "of": "fid", "-999": "missing", "read": True},
            *(_column(schema.FEATURES[name], read) for name in schema.TOLD_NAMES),
        ]
    return described


def _column(feature: schema.Feature, read: tuple[str, ...]) -> dict:
    return {
        "name": feature.name,
        "unit": feature.unit,
        "of": feature.field or signature.MADE_OF[feature.name],
        "-999": "a value" if columns.takes_999(feature.name) else "missing",
        "read": feature.name in read,
    }
