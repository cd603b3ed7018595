"""Models over the detections of one object: [n, F] → [units]; the caller vmaps."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jtss.configs import TemporalConfig


class Conv1D(nn.Module):
    """One convolution along time, ReLU, then the maximum over the steps that remain. TSC §IV-D.A."""

    kernel: int
    units: int

    @nn.compact
    def __call__(self, sequence: jax.Array) -> jax.Array:
        convolution = nn.Conv(
            self.units,
            (self.kernel,),
            padding="VALID",
            kernel_init=nn.initializers.glorot_uniform(),
            name="conv",
        )
        return jnp.max(nn.relu(convolution(sequence)), axis=0)


KINDS = {
    "conv1d": lambda config, units: Conv1D(config.kernel, units),
}


def temporal_model(config: TemporalConfig, width: int) -> nn.Module:
    """The model that `config` names, for sequences [n, width]."""
    return KINDS[config.kind](config, config.units or width)
