"""The rows of packets as ONNX operators: raw history and alert → what the network of packets reads of each row.

As `data_prep` reads a packet, `jtss.network.packets` makes examples of it, and `jtss.network.causal` says what is known
after each row. The alert is the last row. All arrays are float32, a yes 1 and a no 0.
"""

from typing import NamedTuple

import numpy as np

from jtss import schema
from jtss.export.columns import DEPTH, SAME_EXPOSURE_DAYS, Columns, takes_999
from jtss.export.graph import Graph
from jtss.export.onnx_inputs import FLOAT, HUGE, f32, finite, i64, is_number, log10, standardised
from jtss.export.signature import DAYS, FID, HISTORY, HISTORY_COLUMNS, METADATA
from jtss.network.causal import FILTERS, LEAST_AGE_DAYS, LEAST_GAP_DAYS, LEAST_SCATTER_MAG
from jtss.network.packets import CHANGE_OF, LEAST_LEFT, MOST_EXPONENT, MOST_ROWS, SAME_SOURCE_ARCSEC, TOO_FAINT_MAG
from jtss.schema import METADATA_NAMES, ZTF_MISSING


class PacketRows(NamedTuple):
    """R rows of B packets.

    Attributes:
        there: [B, R, 1]; what stands in a row that is none does not count.
        age_days: [B, R, 1]; since the first row.
        values: [B, R, …]; standardised metadata, and what `causal._told` says.
    """

    there: str
    age_days: str
    values: str


class _Raw(NamedTuple):
    """Attributes: days, fid, there, is_limit [B, R, 1] each, and metadata [B, R, 26], NaN = missing."""

    days: str
    fid: str
    there: str
    is_limit: str
    metadata: str


def rows(graph: Graph, plan: Columns) -> PacketRows:
    """The inputs of history and alert → what is read of each row.

    Args:
        plan: of the dynamic values, see `columns.of_model`.
    """
    raw = _once(graph, _raw(graph))
    age, gap, is_first = _times(graph, raw)
    dynamic = standardised(graph, plan, [raw.metadata])
    told = _told(graph, raw, age, gap, is_first)
    return PacketRows(raw.there, age, graph.add("Concat", *([dynamic] if dynamic else []), told, axis=-1))


def _raw(graph: Graph) -> _Raw:
    """History and alert, one after the other, without what a survey cannot mean; see `data_prep.packets.history`."""
    history = finite(graph, HISTORY)
    days, fid = (_column(graph, history, HISTORY_COLUMNS.index(name)) for name in (DAYS, FID))
    told = _without_codes(graph, _in_catalogue(graph, history))
    has_magnitude, has_depth = (is_number(graph, _metadata(graph, told, name)) for name in ("magpsf", DEPTH))
    is_kept = graph.add("Or", has_magnitude, np.array([name == DEPTH for name in METADATA_NAMES]))  # of limits
    told = graph.add("Where", is_kept, told, f32(np.nan))
    is_earlier = graph.add("LessOrEqual", days, f32(-SAME_EXPOSURE_DAYS))
    is_recent = graph.add("Less", f32(-schema.TOLD_DAYS), days)
    there = graph.add("And", graph.add("And", is_earlier, is_recent), graph.add("Or", has_magnitude, has_depth))
    alert = graph.add("Unsqueeze", _without_codes(graph, finite(graph, METADATA)), i64(1))
    alert_fid = _or_zero(graph, graph.add("Unsqueeze", FID, i64(1, 2)))
    no = graph.add("Mul", alert_fid, f32(0))
    yes = graph.add("Add", no, f32(1))
    pairs = (
        (graph.add("Where", there, days, f32(0)), no),
        (_or_zero(graph, fid), alert_fid),
        (_number(graph, there), yes),
        (graph.add("Sub", f32(1), _number(graph, has_magnitude)), no),
        (told, alert),
    )
    return _Raw(*(graph.add("Concat", *pair, axis=1) for pair in pairs))


def _in_catalogue(graph: Graph, history: str) -> str:
    """The columns of histories as those of `metadata`, [B, R, 26]; NaN for what no history tells."""
    nothing = graph.add("Mul", _column(graph, history, 0), f32(np.nan))
    none = len(HISTORY_COLUMNS)
    places = [HISTORY_COLUMNS.index(name) if name in HISTORY_COLUMNS else none for name in METADATA_NAMES]
    return graph.add("Gather", graph.add("Concat", history, nothing, axis=-1), i64(*places), axis=-1)


def _without_codes(graph: Graph, metadata: str) -> str:
    """[…, 26] without ZTF's -999 where it is a missing value."""
    instead = [ZTF_MISSING if takes_999(name) else np.nan for name in METADATA_NAMES]
    return graph.add("Where", graph.add("Equal", metadata, f32(ZTF_MISSING)), f32(instead), metadata)


def _or_zero(graph: Graph, values: str) -> str:
    return graph.add("Where", is_number(graph, values), values, f32(0))


def _once(graph: Graph, raw: _Raw) -> _Raw:
    """Of two detections of one exposure the later; see `jtss.network.packets`."""
    earlier = [graph.add("Slice", each, i64(0), i64(-1), i64(1)) for each in (raw.days, raw.fid, raw.is_limit)]
    later = [graph.add("Slice", each, i64(1), i64(MOST_ROWS), i64(1)) for each in (raw.days, raw.fid, raw.there)]
    at_once = graph.add("Less", graph.add("Sub", later[0], earlier[0]), f32(SAME_EXPOSURE_DAYS))
    again = graph.add("And", at_once, graph.add("Equal", earlier[1], later[1]))
    again = graph.add("And", again, graph.add("Less", earlier[2], later[2]))  # it is there, and this one no limit
    is_new = graph.add("Sub", f32(1), _number(graph, again))
    kept = graph.add("Mul", graph.add("Slice", raw.there, i64(0), i64(-1), i64(1)), is_new)
    alert = graph.add("Slice", raw.there, i64(-1), i64(MOST_ROWS), i64(1))
    return raw._replace(there=graph.add("Concat", kept, alert, axis=1))


def _times(graph: Graph, raw: _Raw) -> tuple[str, str, str]:
    """Of each row [B, R, 1] the days since the first and since the row before, and whether it is the first."""
    is_there = graph.add("Less", f32(0), raw.there)
    days = graph.add("Where", is_there, raw.days, HUGE)
    began = graph.add("ReduceMin", days, axes=[1], keepdims=1)
    number = _so_far(graph, graph.add("Add", graph.add("Mul", raw.there, f32(0)), f32(1)))
    earlier = graph.add("Less", graph.add("Transpose", number, perm=[0, 2, 1]), number)  # [B, R, R]
    days_before = graph.add("Where", is_there, raw.days, -HUGE)
    before = graph.add("Where", earlier, graph.add("Transpose", days_before, perm=[0, 2, 1]), -HUGE)
    before = graph.add("ReduceMax", before, axes=[2], keepdims=1)
    is_first = graph.add("Mul", raw.there, _number(graph, graph.add("Equal", before, -HUGE)))
    follows = graph.add("Less", f32(0), graph.add("Sub", raw.there, is_first))
    gap = graph.add("Where", follows, graph.add("Max", graph.add("Sub", raw.days, before), f32(0)), f32(0))
    age = graph.add("Where", is_there, graph.add("Max", graph.add("Sub", raw.days, began), f32(0)), f32(0))
    return age, gap, is_first


def _told(graph: Graph, raw: _Raw, age: str, gap: str, is_first: str) -> str:
    """[B, R, …]: as `causal._told`, by its order."""
    change = _change(graph, raw.metadata)
    known = _number(graph, is_number(graph, change))
    change = graph.add("Where", is_number(graph, change), change, f32(0))
    counts = graph.add("Mul", known, raw.there)
    filters = _number(graph, graph.add("Equal", raw.fid, f32(FILTERS)))  # [B, R, 3]
    several, scatter = _scatter(graph, graph.add("Mul", filters, counts), change)
    fainter = graph.add("Mul", counts, _number(graph, graph.add("Less", change, f32(0))))
    limits = graph.add("Mul", raw.there, raw.is_limit)
    detections = graph.add("Sub", raw.there, limits)
    parts = [filters, several, scatter, raw.is_limit]
    parts.append(log10(graph, graph.add("Add", gap, f32(LEAST_GAP_DAYS))))
    parts.append(log10(graph, graph.add("Add", age, f32(LEAST_AGE_DAYS))))
    parts.append(is_first)
    parts += [log10(graph, graph.add("Add", _so_far(graph, each), f32(1))) for each in (detections, limits, fainter)]
    return graph.add("Concat", *parts, known, change, axis=-1)


def _scatter(graph: Graph, of_filter: str, change: str) -> tuple[str, str]:
    """[B, R, 3] each: whether several changes are known in a filter, and the logarithm of their scatter then, else 0.

    As `causal._moments`.
    """
    n, values = _so_far(graph, of_filter), graph.add("Mul", of_filter, change)
    least_one = graph.add("Max", n, f32(1))
    n_before = graph.add("Max", graph.add("Sub", n, of_filter), f32(1))
    mean = graph.add("Div", graph.add("CumSum", values, np.array(1, np.int64), exclusive=1), n_before)
    away = graph.add("Sub", change, mean)
    share = graph.add("Div", graph.add("Sub", n, f32(1)), least_one)
    added = graph.add("Mul", graph.add("Mul", graph.add("Mul", away, away), share), of_filter)
    variance = graph.add("Div", _so_far(graph, added), least_one)
    logarithm = log10(graph, graph.add("Add", graph.add("Sqrt", variance), f32(LEAST_SCATTER_MAG)))
    several = graph.add("Less", f32(1), n)
    return _number(graph, several), graph.add("Where", several, logarithm, f32(0))


def _change(graph: Graph, metadata: str) -> str:
    """[B, R, 26] → [B, R, 1], NaN where not known; as `packets._change`."""
    magpsf, is_positive, distance, reference = (_metadata(graph, metadata, name) for name in CHANGE_OF)
    nearest = graph.add("Where", graph.add("Equal", distance, f32(ZTF_MISSING)), HUGE, distance)
    shown = graph.add("Where", graph.add("Equal", reference, f32(ZTF_MISSING)), f32(np.nan), reference)
    is_there = graph.add("Less", nearest, f32(SAME_SOURCE_ARCSEC))
    light = graph.add("Where", is_there, shown, f32(TOO_FAINT_MAG))
    exponent = graph.add("Mul", graph.add("Sub", light, magpsf), f32(0.4))
    times = graph.add("Exp", graph.add("Mul", graph.add("Min", exponent, f32(MOST_EXPONENT)), f32(np.log(10))))
    sign = graph.add("Sub", graph.add("Mul", is_positive, f32(2)), f32(1))
    left = graph.add("Max", graph.add("Add", graph.add("Mul", sign, times), f32(1)), f32(LEAST_LEFT))
    change = graph.add("Mul", log10(graph, left), f32(2.5))
    known = graph.add("LessOrEqual", exponent, f32(MOST_EXPONENT))  # not of NaN either
    for each in (distance, reference, is_positive):
        known = graph.add("And", known, is_number(graph, each))
    return graph.add("Where", known, change, f32(np.nan))


def _metadata(graph: Graph, metadata: str, name: str) -> str:
    return _column(graph, metadata, METADATA_NAMES.index(name))


def _column(graph: Graph, values: str, place: int) -> str:
    """One of the last axis, which is kept."""
    return graph.add("Gather", values, i64(place), axis=-1)


def _so_far(graph: Graph, values: str) -> str:
    """The sum over a row and those before it."""
    return graph.add("CumSum", values, np.array(1, np.int64))


def _number(graph: Graph, values: str) -> str:
    return graph.add("Cast", values, to=FLOAT)
