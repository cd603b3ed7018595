"""How long a packet waits for its answer by HTTP: `jtss serve http` as a process, asked over the loopback.

    python -m benchmarks.service            # simulated packets
    python -m benchmarks.service FOLDER     # the real packets in a folder
    python -m benchmarks.service --beside CHECKOUT  # and another version of the program, in turn

One client that asks one thing after the other, then several at once; then what an explanation takes. Times are of the
wall clock, from the first byte of the request to the last of the answer; beside them the processor time of the server
for each packet, which other work on the machine does not change as much.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import fastavro
import httpx
import numpy as np

from benchmarks import results
from data_prep.simulate.packets import encode_file

N_PACKETS, N_ASKED, N_EXPLAINED, N_CLIENTS, N_TURNS = 100, 192, 6, 8, 3
READY_SECONDS = 600
TICKS = os.sysconf("SC_CLK_TCK")


class Turn(NamedTuple):
    """Some requests: how long each took, and all of them, and processor time of the server [s]."""

    seconds: list[float]
    took: float
    used: float


class Server(NamedTuple):
    """A running server."""

    client: httpx.Client
    pid: int
    ready_seconds: float

    def classify(self, packet: bytes) -> None:
        self.client.post("/classify", content=packet).raise_for_status()

    def explain(self, packet: bytes) -> None:
        self.client.post("/explain", content=packet).raise_for_status()


def cpu_seconds(pid: int) -> float:
    """Of a process so far; Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def quantiles(seconds: list[float]) -> dict[str, float]:
    return {f"p{q}_ms": round(1e3 * float(np.quantile(seconds, q / 100)), 2) for q in (50, 90, 99)}


def asked(ask: Callable[[bytes], None], packets: list[bytes], n: int) -> list[float]:
    """Seconds of each of `n` requests, one after the other."""
    seconds = []
    for i in range(n):
        began = time.perf_counter()
        ask(packets[i % len(packets)])
        seconds.append(time.perf_counter() - began)
    return seconds


def at_once(ask: Callable[[bytes], None], packets: list[bytes], n: int) -> list[float]:
    """As `asked`, by several clients together."""
    parts: list[list[float]] = []
    work = [
        threading.Thread(target=lambda: parts.append(asked(ask, packets, n // N_CLIENTS))) for _ in range(N_CLIENTS)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    return [seconds for part in parts for seconds in part]


def measured(servers: Sequence[Server], packets: list[bytes]) -> list[dict]:
    """The numbers of each server. They take turns, so that what else the machine does hits them alike."""
    numbers: list[dict] = [{"ready_s": server.ready_seconds} for server in servers]
    for server, found in zip(servers, numbers, strict=True):
        (first,) = asked(server.classify, packets, 1)
        found["first_ms"] = round(1e3 * first, 2)
    for name, work, n, is_explained in (
        ("one_client", asked, N_ASKED, False),
        (f"{N_CLIENTS}_clients", at_once, N_ASKED, False),
        ("explanation", asked, N_EXPLAINED, True),
    ):
        turns: list[list[Turn]] = [[] for _ in servers]
        for _ in range(N_TURNS):
            for server, mine in zip(servers, turns, strict=True):
                ask = server.explain if is_explained else server.classify
                began, used = time.perf_counter(), cpu_seconds(server.pid)
                seconds = work(ask, packets, n // N_TURNS)
                mine.append(Turn(seconds, time.perf_counter() - began, cpu_seconds(server.pid) - used))
        for found, mine in zip(numbers, turns, strict=True):
            found[name] = summary(mine)
    return numbers


def summary(turns: Sequence[Turn]) -> dict[str, float]:
    every = [seconds for turn in turns for seconds in turn.seconds]
    took, used = sum(turn.took for turn in turns), sum(turn.used for turn in turns)
    rate = {"packets_per_s": round(len(every) / took, 1), "server_cpu_ms": round(1e3 * used / len(every), 1)}
    return quantiles(every) | rate


def ratios(mine: dict, other: dict) -> dict[str, dict[str, float]]:
    """Each number of the other server as a multiple of ours."""
    return {
        name: {key: round(other[name][key] / value, 2) for key, value in found.items() if value}
        for name, found in mine.items()
        if isinstance(found, dict)
    }


@contextmanager
def serving(root: Path, model: str) -> Iterator[Server]:
    """A server of the program in a checkout."""
    command = [sys.executable, "-m", "jtss", "serve", "http", "--port", "0", "-m", model]
    environment = os.environ | {"PYTHONPATH": str(root)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=root, env=environment)
    try:
        url = json.loads(process.stderr.readline())["url"]
        ready = json.loads(process.stderr.readline())
        with httpx.Client(base_url=url, timeout=READY_SECONDS) as client:
            yield Server(client, process.pid, ready["seconds"])
    finally:
        process.terminate()
        process.communicate()


def simulated(client: httpx.Client) -> list[bytes]:
    """A file for each packet that the service simulates itself."""
    return [encode_file([record]) for record in fastavro.reader(io.BytesIO(client.get("/example").content))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", help="real packets, a file each")
    parser.add_argument("-m", "--model", default="any")
    parser.add_argument("--beside", metavar="CHECKOUT", type=Path, help="another version, asked in turn with this one")
    options = parser.parse_args()
    roots = [results.ROOT, *([options.beside.resolve()] if options.beside else [])]
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(root, options.model)) for root in roots]
        paths = sorted(options.folder.glob("*.avro"))[:N_PACKETS] if options.folder else []
        packets = [path.read_bytes() for path in paths] or simulated(servers[0].client)
        mine, *others = measured(servers, packets)
    kind = {"model": options.model, "packets": "real" if paths else "simulated", "n_packets": len(packets)}
    found = kind | {"n_cores_used": len(os.sched_getaffinity(0)), **mine}
    for other in others:
        found |= {"other_version": other, "other_over_this": ratios(mine, other)}
    print(json.dumps(found, indent=2))
    results.record("service", found)


if __name__ == "__main__":
    main()
