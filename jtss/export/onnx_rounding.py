"""Pixels rounded as jtss rounds them, to the last bit, whatever a runtime makes of the operators.

A runtime may leave out a `Cast` to float16 and back, may multiply by a reciprocal where the graph divides, and may fuse
a multiplication and an addition, so that the product is not rounded. Here nothing depends on it: factors are powers of
two, or so short that their product is exact, and a quotient is corrected by its remainder.
"""

import numpy as np

from jtss.export.graph import Graph

BITS_LOST = 13  # of the 23 of a float32 after its point a float16 has 10
BITS_BELOW_TIES = 12  # a tie, half-way between two float16, has one more than these
OF_SUBNORMALS = np.float32(0.75)  # about it float32 numbers are 2^-24 apart, as are the float16 below 2^-13
JUST_BELOW = np.float32(1 - 2.0**-24)  # times a float32: the one before it
APART = np.float32(2.0**12)  # any power of two that stands between a product and a sum, lest they are fused


def float16(graph: Graph, values: str) -> str:
    """The values, NaN or from 0 to 1, as float16 holds them."""
    larger = graph.add("Max", _times_power(graph, values, BITS_LOST), OF_SUBNORMALS)
    return _leading_bits(graph, values, larger)


def float16_quotient(graph: Graph, numerators: str, divisors: str) -> str:
    """Numerators / divisors, rounded to float32 and that to float16: what NumPy makes of a division and a conversion.

    The last bits of a float32 quotient matter only about ties of float16. There its leading bits are the tie itself,
    even if the runtime's quotient is some last bits off. These bits are so few that their products with both parts of
    the divisor are exact, and so is the remainder; its share of the divisor says on which side of the tie the quotient
    lies, or that it rounds to the tie.

    In units of half a last place, the share is 1 where the float32 quotient goes over from the tie to its neighbour,
    and none is nearer to 1 than 1 / D, D the divisor as a whole number of 24 bits. What rounds to 1 still is the tie,
    so a share above must not. Divided by the number before D, shares below become 1 at most, those above 1 + 2 / D at
    least, and no product with a rounded reciprocal takes either across 1 + 2^-24, half-way to the next number. So the
    result is right without exception if quotients or reciprocals are correctly rounded; if they are worse by a last
    place or two, but for quotients within 2^-46 of such a passage.

    Args:
        graph: to add to.
        numerators: values […, H, W], NaN or from 0 to the divisor; others become anything.
        divisors: values […, 1, 1] from 2^-60 to 2^110, so that no remainder is too small a number for float32.
    """
    high = _leading_bits(graph, divisors, _times_power(graph, divisors, BITS_LOST))
    low = graph.add("Sub", divisors, high)
    quotient = graph.add("Div", numerators, divisors)
    near = _leading_bits(graph, quotient, _times_power(graph, quotient, BITS_BELOW_TIES))
    remainder = graph.add("Sub", numerators, graph.add("Mul", near, high))
    remainder = graph.add("Sub", remainder, graph.add("Mul", near, low))
    share = graph.add("Div", remainder, graph.add("Mul", divisors, JUST_BELOW * APART))
    return float16(graph, graph.add("Add", near, graph.add("Mul", share, APART)))


def _times_power(graph: Graph, values: str, exponent: int) -> str:
    return graph.add("Mul", values, np.float32(2.0**exponent))


def _leading_bits(graph: Graph, values: str, larger: str) -> str:
    """The values without the bits that are lost beside larger ones (Veltkamp's splitting).

    The difference of a value and one 2^b times as large is rounded to 2^b units of the value's last place.
    """
    return graph.add("Sub", larger, graph.add("Sub", larger, values))
