"""Models over the detections of one object: [n, F] → [units]; the caller vmaps.

Kernels are Glorot-uniform and biases 0. In the recurrent layers each gate has its own kernels, stacked along the first
axis; those from state to state are orthogonal, and the forget gate's bias starts at 0 like every other.

FIDELITY, Six temporal models. TSC §IV-D.A.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from jtss.config.settings import TemporalConfig

GLOROT = nn.initializers.glorot_uniform()
ORTHOGONAL = nn.initializers.orthogonal()

scan = partial(jax.lax.scan, unroll=True)  # sequences and cascades are short: unrolled, their steps are compiled as one


class Single(nn.Module):
    """The features of the only detection as they are: [1, F] → [F]; no weights."""

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        (features,) = sequence
        return features


class Conv1D(nn.Module):
    """One convolution along time, ReLU, then the maximum over the steps that remain."""

    kernel: int  # Ke
    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        return jnp.max(nn.relu(_windows(self.kernel, self.units, "conv")(sequence)), axis=0)


class TDNN(nn.Module):
    """Time-delay network: dense layers over windows of neighbouring steps, each with ReLU, until one step is left.

    Waibel et al. 1989.
    """

    window: int  # V
    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        layers = (len(sequence) - 1) // (self.window - 1)
        for layer in range(1, layers + 1):
            sequence = nn.relu(_windows(self.window, self.units, f"layer_{layer}")(sequence))
        (last,) = sequence
        return last


class Gamma(nn.Module):
    """Gamma memory: K leaky taps after the input, then a dense layer on all of them at the last step.

        x_0(t) = x(t);  x_j(t) = (1 - μ) x_j(t - 1) + μ x_{j-1}(t)

    The cascade is undelayed (x_{j-1} at t, not at t - 1), so that K taps see something in fewer than K steps; μ is
    learned, one per feature, and starts at 1/2.

    de Vries & Principe 1992.
    """

    taps: int  # K
    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        width = sequence.shape[-1]
        mu = nn.sigmoid(self.param("mu_logit", nn.initializers.zeros, (width,)))

        def leak(fed: jax.Array, tap: jax.Array) -> tuple[jax.Array, jax.Array]:
            tap = (1 - mu) * tap + mu * fed
            return tap, tap

        def step(taps: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
            return scan(leak, x, taps)[1], None

        taps, _ = scan(step, jnp.zeros((self.taps, width)), sequence)
        memory = jnp.concatenate([sequence[-1:], taps])
        return nn.Dense(self.units, kernel_init=GLOROT, name="dense")(memory.reshape(-1))


class RNN(nn.Module):
    """One layer, [n, F] → [n, units] states: h_t = tanh(W x_t + U h_{t-1} + b)."""

    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        from_input, from_state, bias = _weights(self, 1, sequence.shape[-1])

        def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            (a,) = x @ from_input + h @ from_state + bias
            h = jnp.tanh(a)
            return h, h

        return scan(step, jnp.zeros(self.units), sequence)[1]


class GRU(nn.Module):
    """One layer, [n, F] → [n, units] states h_t.

        r, z = σ(W x_t + U h_{t-1} + b)
        m = tanh(W_m x_t + b_m + r (U_m h_{t-1} + b_r))
        h_t = (1 - z) m + z h_{t-1}

    Cho et al. 2014, with the reset after the product, as cuDNN, Keras and Flax have it.
    """

    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        advance = recurrent_gru(self, sequence.shape[-1])

        def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            h = advance(h, x)
            return h, h

        return scan(step, jnp.zeros(self.units), sequence)[1]


def recurrent_gru(layer: nn.Module, width: int) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The step (h, x) → h of a GRU whose weights, for inputs of a width, belong to `layer`."""
    from_input, from_state, bias = _weights(layer, 3, width)
    reset_bias = layer.param("reset_bias", nn.initializers.zeros, (layer.units,))

    def advance(h: jax.Array, x: jax.Array) -> jax.Array:
        (r_x, z_x, m_x), (r_h, z_h, m_h) = x @ from_input + bias, h @ from_state
        r, z = nn.sigmoid(r_x + r_h), nn.sigmoid(z_x + z_h)
        return (1 - z) * jnp.tanh(m_x + r * (m_h + reset_bias)) + z * h

    return advance


class LSTM(nn.Module):
    """One layer, [n, F] → [n, units] states h_t.

        i, f, g, o = W x_t + U h_{t-1} + b
        c_t = σ(f) c_{t-1} + σ(i) tanh(g)
        h_t = σ(o) tanh(c_t)

    Hochreiter & Schmidhuber 1997; Gers et al. 2000.
    """

    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        from_input, from_state, bias = _weights(self, 4, sequence.shape[-1])

        def step(state: tuple[jax.Array, jax.Array], x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            h, c = state
            i, f, g, o = x @ from_input + h @ from_state + bias
            c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros(self.units)
        return scan(step, (zero, zero), sequence)[1]


class Stack(nn.Module):
    """Recurrent layers one upon another; the last state of the last."""

    layer: type[nn.Module]
    layers: int
    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        for number in range(1, self.layers + 1):
            sequence = self.layer(self.units, name=f"layer_{number}")(sequence)
        return sequence[-1]


KINDS = {
    "none": lambda config, units: Single(),
    "conv1d": lambda config, units: Conv1D(config.kernel, units),
    "tdnn": lambda config, units: TDNN(config.window, units),
    "gamma": lambda config, units: Gamma(config.taps, units),
    "rnn": lambda config, units: Stack(RNN, config.layers, units),
    "gru": lambda config, units: Stack(GRU, config.layers, units),
    "lstm": lambda config, units: Stack(LSTM, config.layers, units),
}


def temporal_model(config: TemporalConfig, width: int) -> nn.Module:
    """The model that `config` names, for sequences [n, width]."""
    return KINDS[config.kind](config, config.units or width)


def _windows(size: int, units: int, name: str) -> nn.Conv:
    """A dense layer over every window of `size` neighbouring steps: [n, F] → [n - size + 1, units]."""
    return nn.Conv(units, (size,), padding="VALID", kernel_init=GLOROT, name=name)


def _weights(layer: nn.Module, gates: int, width: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """W [gates, F, units], U [gates, units, units] and b [gates, units] of a recurrent layer."""
    units = layer.units
    return (
        layer.param("input", _for_each_gate(GLOROT), (gates, width, units)),
        layer.param("recurrent", _for_each_gate(ORTHOGONAL), (gates, units, units)),
        layer.param("bias", nn.initializers.zeros, (gates, units)),
    )


def _for_each_gate(initializer: nn.initializers.Initializer) -> nn.initializers.Initializer:
    def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.vmap(lambda key: initializer(key, shape[1:]))(jax.random.split(key, shape[0]))

    return init
