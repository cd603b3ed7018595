"""All devices of all processes as one: the batch is divided among them, everything else is the same on each.

One device is the same code with nothing to divide. CPUs give the same bits for the same program and numbers, so that a
resumed training is the same one; GPUs promise so only with XLA_FLAGS=--xla_gpu_deterministic_ops=true, and other
devices, or another number of them, add up in another order.
"""

import os
import re
from collections.abc import Callable
from functools import cache

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jtss.errors import InputError

BATCH = "batch"
BFLOAT16_SINCE = (8, 0)  # compute capability: Ampere. NVIDIA, CUDA C++ Programming Guide, Compute Capabilities
ENVIRONMENT = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def join_processes() -> None:
    """Become one of several processes that train together; must come before anything else is asked of JAX.

    They find each other by the cluster's environment (Slurm, Open MPI, …), or by `ENVIRONMENT`.

    Raises:
        ValueError: only some of the variables are set.
    """
    given = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    if not given:
        jax.distributed.initialize()
        return
    missing = [name for name in ENVIRONMENT if name not in given]
    if missing:
        raise ValueError(f"{', '.join(given)} given, but not {', '.join(missing)}")
    wrong = [f"{name}={given[name]}" for name in ENVIRONMENT[1:] if not given[name].isdecimal()]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected a number")
    jax.distributed.initialize(given[ENVIRONMENT[0]], *(int(given[name]) for name in ENVIRONMENT[1:]))


@cache
def _mesh() -> Mesh:
    return Mesh(np.array(jax.devices()), (BATCH,))


def everywhere() -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(_mesh(), PartitionSpec())


def divided(axis: int) -> NamedSharding:
    """The array cut along `axis`, a part to each device."""
    return NamedSharding(_mesh(), PartitionSpec(*[None] * axis, BATCH))


def place(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """A host array, the same in every process, on the devices."""
    return fill(array.shape, sharding, lambda part: array[part])


def fill(shape: tuple[int, ...], sharding: NamedSharding, read: Callable[[tuple[slice, ...]], np.ndarray]) -> jax.Array:
    """An array of which each process reads only the parts that its own devices need."""
    return jax.make_array_from_callback(shape, sharding, read)


def check_divisible(batch_size: int) -> None:
    """Raise ValueError where a batch cannot be divided evenly."""
    count = jax.device_count()
    if batch_size % count:
        raise ValueError(f"training.batch_size={batch_size} cannot be divided evenly among {count} devices")


def is_first_process() -> bool:
    """Whether this process is the one that prints and writes."""
    return jax.process_index() == 0


def any_process(value: bool) -> bool:
    """Whether `value` holds in any process; all must ask together."""
    if jax.process_count() == 1:
        return value
    return bool(multihost_utils.process_allgather(np.array(value)).any())


def multiply_bfloat16() -> bool:
    """Whether all devices are GPUs that multiply bfloat16 in hardware, as NVIDIA's do since Ampere.

    Earlier ones (V100, T4) do not; of GPUs by other makers nothing is known here.
    """
    return all(device.platform == "gpu" and _compute_capability(device) >= BFLOAT16_SINCE for device in jax.devices())


def _compute_capability(device: jax.Device) -> tuple[int, ...]:
    """(major, minor) of an NVIDIA GPU; () of another, whose architecture is no such number."""
    given = re.fullmatch(r"(\d+)\.(\d+)", getattr(device, "compute_capability", ""))
    return tuple(map(int, given.groups())) if given else ()


def memory_bytes() -> int:
    """Memory of one device; of a CPU, that of the machine."""
    statistics = jax.local_devices()[0].memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    return host_memory_bytes()


def host_memory_bytes() -> int:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_backend() -> None:
    """Make sure that JAX can compute here.

    Raises:
        InputError: the kind of device that JAX_PLATFORMS asks for is not there; says what to do.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError, ValueError, KeyError) as error:  # it depends on the kind and the version
        wanted = os.environ.get("JAX_PLATFORMS", "")
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise InputError(
            f"JAX_PLATFORMS={wanted}: JAX cannot use this kind of device here{reason and f' ({reason})'};"
            " unset JAX_PLATFORMS for the CPU, or install JAX for a GPU: pip install 'jtss[cuda]'"
        ) from None
