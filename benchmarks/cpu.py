"""How long a training step and an inference take on a CPU, against the same network in PyTorch.

    pip install -e '.[bench]'          # PyTorch, which only this file uses
    python -m benchmarks.cpu           # n3_conv1d, batches of 8 objects: 144 crops of 33×33

Both have equal weights, get equal batches and must give equal logits, losses and gradients before a time is taken. So
that nothing is drawn, rotations are at fixed angles and nothing is dropped out. The two take turns; times are medians.
Everything is timed that belongs to a step: rotation, network, gradient, Adam; then what most of the work is in, alone:
rotated copies, the encoder, the encoder with its gradient, and each of its convolutions.

jaxlib 0.12 has the convolutions that PyTorch uses (oneDNN), behind XLA_FLAGS="--xla_cpu_experimental_ynn_fusion_type=
--xla_cpu_experimental_onednn_custom_call=true". They are quicker, but its compiler dies on some batch sizes, so they
are not switched on here.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import record
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.network.convolution import convolve
from jtss.network.encoder import StampEncoder
from jtss.network.network import apply
from jtss.network.parts import Batch, Variables
from jtss.network.rotation import copy_angles, rotated_copies
from jtss.runs.provenance import hardware
from jtss.training import step as training
from jtss.training.batches import Labelled

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit("benchmarks/cpu.py: PyTorch is not installed, and this benchmark compares with it: pip install torch")

FIXED = ("stamp.rotation_range_deg=0", "head.dropout=0,0")
PASSES = 9


class TorchNetwork(nn.Module):
    """The network of `jtss.network.network` for a `conv1d` config, channels last, with the weights of `variables`."""

    def __init__(self, config: Config, variables: Variables):
        super().__init__()
        self.config, params = config, variables["params"]
        encoder, head = params["encoder"], params["head"]
        self.convolutions = nn.ModuleList()
        for layer in range(1, 6):
            bias, kernel = (torch.tensor(np.asarray(encoder[f"conv_{layer}"][name])) for name in ("bias", "kernel"))
            padding = 0 if layer == 1 else "same"
            convolution = nn.Conv2d(*kernel.shape[2:], kernel.shape[0], padding=padding)
            convolution.weight.data, convolution.bias.data = kernel.permute(3, 2, 0, 1), bias
            self.convolutions.append(convolution)
        self.to(memory_format=torch.channels_last)
        self.dense = _linear(encoder["dense_1"])
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(len(params[name]["bias"]), eps=1e-3, momentum=0.01)
            for name in ("dynamic_norm", "static_norm")
        )
        temporal = params["temporal"]["conv"]
        kernel = torch.tensor(np.asarray(temporal["kernel"]))
        self.temporal = nn.Conv1d(kernel.shape[1], kernel.shape[2], kernel.shape[0])
        self.temporal.weight.data = kernel.permute(2, 1, 0).contiguous()
        self.temporal.bias.data = torch.tensor(np.asarray(temporal["bias"]))
        self.head = nn.ModuleList(_linear(head[name]) for name in ("dense_1", "dense_2", "logits"))

    def forward(self, stamps: torch.Tensor, dynamic: torch.Tensor, static: torch.Tensor) -> torch.Tensor:
        n_objects, n = dynamic.shape[:2]
        encoded = self.encode(self.copies(stamps.flatten(0, 1)))
        encoded = encoded.unflatten(0, (n_objects, n, -1)).mean(dim=2)
        dynamic_norm, static_norm = self.norms
        sequence = torch.cat([encoded, dynamic_norm(dynamic.flatten(0, 1)).unflatten(0, (n_objects, n))], dim=-1)
        x = functional.relu(self.temporal(sequence.transpose(1, 2))).amax(dim=2)
        x = torch.cat([x, static_norm(static)], dim=-1)
        for dense in self.head[:-1]:
            x = functional.relu(dense(x))
        return self.head[-1](x)

    def copies(self, stamps: torch.Tensor) -> torch.Tensor:
        """[M, C, S, S] → [M k, C, a, a], turned as `jtss.network.rotation` does."""
        stamp, centre = self.config.stamp, (stamps.shape[-1] - 1) / 2
        angle = 2 * torch.pi * torch.arange(stamp.copies) / stamp.copies
        cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
        offset = torch.arange(stamp.crop) - (stamp.crop - 1) / 2
        row, column = offset[:, None], offset[None, :]
        grid = torch.stack([-sin * row + cos * column, cos * row + sin * column], dim=-1) / centre
        grid = grid.flatten(0, 1).expand(len(stamps), -1, -1, -1)
        turned = functional.grid_sample(stamps, grid, align_corners=True)
        turned = turned.unflatten(2, (stamp.copies, stamp.crop)).transpose(1, 2).flatten(0, 1)
        return turned.contiguous(memory_format=torch.channels_last)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[M, C, a, a] → [M, units]."""
        x = functional.pad(x, (self.config.encoder.padding,) * 4)
        for layer, convolution in enumerate(self.convolutions, start=1):
            x = functional.relu(convolution(x))
            if layer in (2, 5):
                x = functional.max_pool2d(x, 2)
        return functional.relu(self.dense(x.permute(0, 2, 3, 1).flatten(1)))


def _linear(weights: dict) -> nn.Linear:
    kernel = torch.tensor(np.asarray(weights["kernel"]))
    layer = nn.Linear(*kernel.shape)
    layer.weight.data, layer.bias.data = kernel.T.contiguous(), torch.tensor(np.asarray(weights["bias"]))
    return layer


def made(config: Config, n_objects: int) -> Labelled:
    """A batch of random numbers."""
    rng, side, n = np.random.default_rng(0), config.stamp.source_side, config.n_detections
    stamps = rng.random((n_objects, n, side, side, len(config.stamp.channels)), np.float32)
    dynamic = rng.normal(size=(n_objects, n, len(config.metadata.dynamic))).astype(np.float32)
    static = rng.normal(size=(n_objects, len(config.metadata.static))).astype(np.float32)
    label = (np.arange(n_objects) % len(config.classes)).astype(np.int32)
    return Labelled(Batch(stamps, dynamic, static), label, np.full(n_objects, -1, np.int32))


def require_equal(what: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-4) -> None:
    """End the program where two arrays differ by more than `tolerance` of the largest value."""
    difference = float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
    print(f"{what}: largest difference {difference:.1e} of the largest value")
    if not difference < tolerance:
        sys.exit(f"benchmarks/cpu.py: {what} differ by {difference:.1e}, expected less than {tolerance:g}")


def check(config: Config, variables: Variables, examples: Labelled, network: TorchNetwork, given: tuple) -> None:
    """Hold logits, loss and the norm of the loss's gradient against each other."""

    def loss_of(params: dict) -> jax.Array:
        logits, _ = apply(config, variables | {"params": params}, examples.batch, train=True, key=jax.random.key(0))
        return training.training_loss(config, logits, examples.label)

    ours = jax.jit(lambda: apply(config, variables, examples.batch, train=False)[0])()
    with torch.inference_mode():
        require_equal("logits", np.asarray(ours), network.eval()(*given).numpy())
    loss, gradient = jax.jit(jax.value_and_grad(loss_of))(variables["params"])
    their_loss = functional.cross_entropy(network.train()(*given), torch.tensor(examples.label, dtype=torch.int64))
    their_loss.backward()
    require_equal("losses", np.asarray(loss), their_loss.detach().numpy())
    norm = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(gradient)))
    their_norm = np.sqrt(sum(float((weights.grad**2).sum()) for weights in network.parameters()))
    require_equal("norms of the gradient", norm, their_norm)


def in_turns(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds of two functions, called one after the other."""
    milliseconds = ([], [])
    for i in range(PASSES + 2):  # the first two compile and warm up
        for function, times in zip((ours, theirs), milliseconds, strict=True):
            began = time.perf_counter()
            jax.block_until_ready(function())
            if i >= 2:
                times.append(1e3 * (time.perf_counter() - began))
    return float(np.median(milliseconds[0])), float(np.median(milliseconds[1]))


def stages(config: Config, variables: Variables, stamps: np.ndarray, network: TorchNetwork) -> dict[str, float]:
    """Ratios of the times of parts of the network, of stamps [M, S, S, C]; below 1, we are faster."""
    stamp, params = config.stamp, variables["params"]["encoder"]
    angles = copy_angles(None, stamp.copies, 0)
    turn = jax.jit(jax.vmap(lambda one: rotated_copies(one, angles, stamp.crop)))
    encode = jax.vmap(lambda params, one: StampEncoder(config.encoder).apply({"params": params}, one), (None, 0))
    forward, gradient = jax.jit(encode), jax.jit(jax.grad(lambda params, crops: (encode(params, crops) ** 2).sum()))
    stamps = jax.device_put(stamps)
    crops = turn(stamps).reshape(-1, stamp.crop, stamp.crop, len(stamp.channels))
    given, turned = _channels_first(stamps), _channels_first(crops)
    require_equal("rotated copies", np.asarray(_channels_first(crops)), network.copies(given).numpy())
    require_equal("encoded stamps", np.asarray(forward(params, crops)), network.encode(turned).detach().numpy())

    def their_gradient() -> None:
        network.zero_grad()
        (network.encode(turned) ** 2).sum().backward()

    pairs = {
        "rotated copies": (lambda: turn(stamps), lambda: network.copies(given)),
        "encoder": (lambda: forward(params, crops), _without_gradient(lambda: network.encode(turned))),
        "encoder and its gradient": (lambda: gradient(params, crops), their_gradient),
        **_convolutions(config, params, crops, network),
    }
    return {f"{name}, ratio": np.divide(*in_turns(*functions)).item() for name, functions in pairs.items()}


def _convolutions(config: Config, params: dict, crops: jax.Array, network: TorchNetwork) -> dict[str, tuple]:
    """Functions of both for each convolution alone, of random numbers of the shape that it gets in the network."""
    margin, rng, pairs = config.encoder.padding, np.random.default_rng(1), {}
    side = crops.shape[1] + 2 * margin
    for layer, theirs in enumerate(network.convolutions, start=1):
        kernel = params[f"conv_{layer}"]["kernel"]
        x = jax.device_put(rng.random((len(crops), side, side, kernel.shape[2]), np.float32))
        padding = "VALID" if layer == 1 else "SAME"
        ours = jax.jit(lambda x, kernel, padding=padding: convolve(x, kernel, (1, 1), padding))
        side = ours(x, kernel).shape[1] // (2 if layer in (2, 5) else 1)
        pairs[f"convolution {layer}"] = (
            partial(ours, x, kernel),
            _without_gradient(partial(theirs, _channels_first(x))),
        )
    return pairs


def _channels_first(images: jax.Array) -> torch.Tensor:
    """[M, H, W, C] as PyTorch names the axes, and as it is quickest with them in memory."""
    tensor = torch.tensor(np.asarray(images)).permute(0, 3, 1, 2)
    return tensor.contiguous(memory_format=torch.channels_last)


def _without_gradient(function: Callable[[], object]) -> Callable[[], object]:
    return torch.inference_mode()(function)


def measure(config: Config, n_objects: int) -> dict[str, float]:
    """Times of both, and their ratios: below 1, we are faster."""
    state, examples = training.init_state(config), made(config, n_objects)
    network = TorchNetwork(config, state.variables)
    stamps, dynamic, static = map(torch.tensor, examples.batch[:3])  # it has no rows of packets
    given = (stamps.permute(0, 1, 4, 2, 3), dynamic, static)
    check(config, state.variables, examples, network, given)
    labels = torch.tensor(examples.label, dtype=torch.int64)
    adam = torch.optim.Adam(network.parameters(), lr=config.training.learning_rate)
    forward = jax.jit(lambda variables, batch: apply(config, variables, batch, train=False)[0])
    step = jax.jit(partial(training.train_step, config))

    def their_answer() -> None:
        with torch.inference_mode():
            network(*given)

    def their_step() -> None:
        adam.zero_grad()
        functional.cross_entropy(network(*given), labels).backward()
        adam.step()

    examples = jax.device_put(examples)
    network.eval()
    answers = in_turns(lambda: forward(state.variables, examples.batch), their_answer)
    network.train()
    steps = in_turns(lambda: step(state, examples), their_step)
    values = {}
    for name, (ours, theirs) in (("inference", answers), ("training step", steps)):
        values |= {f"{name} [ms]": ours, f"{name}, PyTorch [ms]": theirs, f"{name}, ratio": ours / theirs}
    network = TorchNetwork(config, state.variables)  # as it was before its steps
    single = made(config, n_objects).batch.stamps.reshape(-1, *stamps.shape[2:])
    return values | stages(config, state.variables, single, network)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=8, help="objects in a batch")
    n_objects = parser.parse_args().objects
    jax.config.update("jax_platforms", "cpu")
    config = settings.override(named.get("n3_conv1d"), FIXED)
    torch.set_num_threads(hardware()["n_cores"])
    values = measure(config, n_objects)
    for name, value in values.items():
        print(f"{name:<30} {value:.3g}")
    about = {"objects": n_objects, "crops": n_objects * config.n_detections * config.stamp.copies}
    about |= {"PyTorch": torch.__version__, "PyTorch threads": torch.get_num_threads()}
    record("cpu", about | {"XLA_FLAGS": os.environ.get("XLA_FLAGS", ""), "load average": os.getloadavg()[0]} | values)


if __name__ == "__main__":
    main()
