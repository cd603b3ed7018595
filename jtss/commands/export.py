"""`jtss export MODEL`: a model as ONNX or StableHLO, for programs without jtss."""

import argparse
import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from jtss.commands import common
from jtss.errors import InputError
from jtss.schema import SPLIT_NAMES

HELP = "write a model as ONNX or StableHLO, for programs without jtss"
DESCRIPTION = (
    "Write a model as ONNX or StableHLO: raw stamps and raw metadata in, calibrated probabilities out. An ONNX file"
    " says in its metadata properties what it takes and gives; beside one of StableHLO, FILE.json says so."
)
NEEDS = {"onnx": ("onnx",), "stablehlo": ("flatbuffers",)}
N_SIMULATED, SEED, SKY = 1000, 1018, "mixed"  # objects for --verify
GOLDEN_SEED = 1019
ALL_SPLITS = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar=common.MODEL, type=Path, help=common.MODEL_HELP)
    add("--format", choices=tuple(NEEDS), required=True, help="of the file")
    add("--out", metavar="FILE", type=Path, required=True, help="file to write")
    add("--layout", choices=("NHWC", "NCHW"), default="NHWC", help="channels of stamps last (default) or first")
    add(
        "--verify",
        action="store_true",
        help=f"compare with jtss on {N_SIMULATED} simulated objects before anything is written: no answer may differ"
        " by more than 1e-5, nor in OpenVINO, where it is installed",
    )
    add("--data", metavar="F.h5", type=Path, help="with --verify: compare on the objects of a data set as well")
    add("--split", choices=(*SPLIT_NAMES, ALL_SPLITS), help="with --data: part of the data set (default: all)")
    common.add_force(parser)


def run(options: argparse.Namespace) -> None:
    from jtss import files
    from jtss.commands import cache
    from jtss.export import golden, properties, signature
    from jtss.pretrained import load

    if options.data and not options.verify:
        raise InputError(f"--data {options.data}: is read with --verify only")
    if options.split and not options.data:
        raise InputError(f"--split {options.split}: expected --data as well")
    _require_packages(options)
    beside = options.out.with_name(f"{options.out.name}.json") if options.format == "stablehlo" else None
    for path in (options.out, beside):
        files.check_outputs({"out": path}, [options.data], force=bool(options.force))
    cache.enable()
    model = signature.exportable(load.load_model(options.model))
    if model.temperature is None:
        common.warn(f"{model.label} has no temperature: the file gives its probabilities as they are, not calibrated")
    if options.verify:
        common.say(f"{model.label} as {options.format}: it is made, then compared with jtss, which may take minutes")
    texts = properties.describe(model, options.layout, golden.make(model, _simulated(40, GOLDEN_SEED), options.layout))
    content = _content(options, model, texts)
    if options.verify:
        _verify(options, model, content, texts["golden"])
    files.write(options.out, content)
    if beside:
        files.write(beside, json.dumps(texts, indent=1) + "\n")
    common.say(f"{common.printable(options.out)}: {options.format}, {len(content) / 1e6:.1f} MB")


def _require_packages(options: argparse.Namespace) -> None:
    needed = (*NEEDS[options.format], *(("onnxruntime",) if options.verify and options.format == "onnx" else ()))
    absent = [name for name in needed if find_spec(name) is None]
    if absent:
        raise InputError(
            f"--format {options.format}: needs {' and '.join(absent)}, which cannot be imported; pip install"
            " 'jtss[export]' brings what export needs"
        )


def _content(options: argparse.Namespace, model, texts: dict[str, str]) -> bytes:
    if options.format == "onnx":
        from jtss.export import onnx_file

        return onnx_file.to_bytes(model, options.layout, texts)
    from jtss.export import stablehlo

    return stablehlo.to_bytes(model, options.layout)


def _verify(options: argparse.Namespace, model, content: bytes, golden_vectors: str) -> None:
    """Compare before anything is written, and say how far the file is from jtss."""
    from tqdm import tqdm

    from jtss.export import verification

    onnx = options.format == "onnx"
    run = verification.of_onnx(content) if onnx else verification.of_stablehlo(content, model)
    verification.require_golden(run, golden_vectors)
    other = verification.of_openvino(content, model) if onnx and find_spec("openvino") else None
    simulated = f"{N_SIMULATED} simulated objects"
    sources = {simulated: lambda: [_simulated(N_SIMULATED, SEED)]}
    if options.data:
        sources[f"{common.printable(options.data)} ({options.split or ALL_SPLITS})"] = lambda: _of_split(options)

    def compared(program, batches: Iterable, n_objects: int | None, name: str) -> verification.Comparison:
        with tqdm(total=n_objects, unit="object", desc=name) as bar:
            return verification.compare(program, model, batches, options.layout, bar.update)

    for where, batches in sources.items():
        n_objects = N_SIMULATED if where == simulated else None
        comparison = compared(run, batches(), n_objects, "verify")
        verification.require_same(comparison, model, where)
        common.say(f"{where}: {comparison.n_objects} compared, answers differ by {comparison.apart:.1e} at most")
        if other:
            there = compared(other, batches(), n_objects, "verify in OpenVINO")
            verification.require_same(there, model, f"{where}, in OpenVINO")
            common.say(f"{where}: in OpenVINO answers differ by {there.apart:.1e} at most")


def _simulated(n_objects: int, seed: int):
    """Objects of all classes, in memory."""
    from data_prep.simulate.dataset import chunks, simulate_chunk
    from jtss import schema

    return schema.join([simulate_chunk(chunk)[0] for chunk in chunks(n_objects, seed, schema.CLASS_NAMES, SKY)])


def _of_split(options: argparse.Namespace) -> Iterator:
    import numpy as np

    from jtss import dataset, schema

    for sequences in dataset.read(options.data):
        if options.split in (None, ALL_SPLITS):
            yield sequences
        else:
            yield schema.take(sequences, np.flatnonzero(sequences.split == SPLIT_NAMES.index(options.split)))
