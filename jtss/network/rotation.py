"""Rotated copies of a stamp: pure functions of one stamp, vmapped by the caller."""

import jax
import jax.numpy as jnp


def copy_angles(key: jax.Array | None, copies: int, range_deg: float | jax.Array) -> jax.Array:
    """Angles of the k copies of one object: 360 i / k + U(-range, range).

    Args:
        key: PRNG key; None for the deterministic angles of evaluation.
        copies: k.
        range_deg: half width of the random part [deg].

    Returns:
        [k] float32 [rad].

    TSC §III-B; FIDELITY, Rotation.
    """
    turns = jnp.arange(copies) / copies
    if key is not None:
        turns = turns + jax.random.uniform(key, (copies,), minval=-range_deg / 360, maxval=range_deg / 360)
    return 2 * jnp.pi * turns


def rotate(stamp: jax.Array, angle: jax.Array, side: int) -> jax.Array:
    """Turn a stamp counter-clockwise about its central pixel (as `np.rot90` does) and crop it, in one bilinear look-up.

    Args:
        stamp: [S, S, C], S odd.
        angle: scalar [rad].
        side: side of the result, odd, at most S.

    Returns:
        [side, side, C]; zero where the turned stamp does not reach.
    """
    size = stamp.shape[0]
    offset = jnp.arange(side) - (side - 1) / 2
    row, column = offset[:, None], offset[None, :]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    centre = (size - 1) / 2
    return _bilinear(stamp, centre + cos * row + sin * column, centre - sin * row + cos * column)


def _bilinear(stamp: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
    """[S, S, C] at real positions [H, W] → [H, W, C]; the stamp continues with zeros beyond its edge."""
    padded = jnp.pad(stamp, ((1, 1), (1, 1), (0, 0)))
    last = padded.shape[0] - 2
    row, column = jnp.clip(row + 1, 0, last + 1), jnp.clip(column + 1, 0, last + 1)
    top = jnp.clip(jnp.floor(row), 0, last).astype(jnp.int32)
    left = jnp.clip(jnp.floor(column), 0, last).astype(jnp.int32)
    down, right = (row - top)[..., None], (column - left)[..., None]
    upper = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    lower = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def rotated_copies(stamp: jax.Array, angles: jax.Array, side: int) -> jax.Array:
    """[S, S, C] and [k] angles [rad] → [k, side, side, C]."""
    return jax.vmap(rotate, in_axes=(None, 0, None))(stamp, angles, side)
