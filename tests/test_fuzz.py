"""The targets of the fuzzing: each reads its seeds and takes mutations of them, also where nobody fuzzes."""

import random

import pytest

targets = pytest.importorskip("fuzz.targets", reason="run as `python -m pytest` in the root")

MUTATIONS = 300


def flip(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"-1e9", rng.randbytes(4)))


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def remove(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 64)]


def repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randrange(1, 64)]


def mutated(seed: bytes, rng: random.Random) -> bytes:
    """The seed after one to four changes."""
    data = bytearray(seed)
    for change in rng.choices((flip, flip, overwrite, cut, remove, repeat), k=rng.randint(1, 4)):
        if data:
            change(data, rng)
    return bytes(data)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")  # of what is not to the letter
@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_reads_its_seeds_and_takes_mutations(name):
    target, rng = targets.TARGETS[name], random.Random(name)
    seeds = target.seeds()
    for seed in seeds:
        target.read(seed)
    with targets.limited_memory():
        for _ in range(MUTATIONS):
            target.try_on(mutated(rng.choice(seeds), rng))


def test_what_is_not_a_refusal_is_a_finding():
    def fail(_data: bytes) -> None:
        raise KeyError("an accident")

    with pytest.raises(KeyError):
        targets.Target(fail, list).try_on(b"")
