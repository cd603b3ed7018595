"""Numbers in words, the same in every text."""

import math
from collections.abc import Sequence

UNDEFINED = "–"


def percent(value: float) -> str:
    """A fraction as percent, "–" where undefined."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else UNDEFINED


def interval(limits: Sequence[float]) -> str:
    """An interval of fractions as percent, "" where undefined."""
    lower, upper = limits
    return f"{100 * lower:.1f}–{100 * upper:.1f} %" if math.isfinite(lower) else ""


def points(fraction: float) -> str:
    """A difference or deviation of fractions in percentage points, "–" where undefined."""
    return f"{100 * fraction:.2f}" if math.isfinite(fraction) else UNDEFINED


def gain(difference: float, limits: Sequence[float]) -> str:
    """A difference of fractions and its interval in percentage points, with their signs."""
    value, lower, upper = (f"{100 * number:+.1f}".replace("-", "−") for number in (difference, *limits))
    return f"{value} points ({lower} to {upper})"


def spread(values: Sequence[float]) -> str:
    """Fractions as percent: the one there is, or the lowest and the highest."""
    least, most = min(values), max(values)
    return percent(most) if least == most else f"{100 * least:.1f}–{percent(most)}"


def decimal(value: float, digits: int = 3) -> str:
    """A number with fixed digits, "–" where undefined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else UNDEFINED
