"""How long a packet waits for its answer by HTTP: `jtss serve http` as a process, asked over the loopback.

    python -m benchmarks.service            # simulated packets
    python -m benchmarks.service FOLDER     # the real packets in a folder

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
from collections.abc import Callable
from pathlib import Path

import fastavro
import httpx
import numpy as np

from benchmarks import results
from data_prep.simulate.packets import encode_file

N_PACKETS, N_ASKED, N_EXPLAINED, N_CLIENTS = 100, 300, 10, 8
READY_SECONDS = 600
TICKS = os.sysconf("SC_CLK_TCK")


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


def measured(client: httpx.Client, packets: list[bytes], pid: int) -> dict:
    def classify(packet: bytes) -> None:
        client.post("/classify", content=packet).raise_for_status()

    def explain(packet: bytes) -> None:
        client.post("/explain", content=packet).raise_for_status()

    (first,) = asked(classify, packets, 1)
    found = {"first_ms": round(1e3 * first, 2)}
    for name, work, ask, n in (
        ("one_client", asked, classify, N_ASKED),
        (f"{N_CLIENTS}_clients", at_once, classify, N_ASKED),
        ("explanation", asked, explain, N_EXPLAINED),
    ):
        began, used = time.perf_counter(), cpu_seconds(pid)
        seconds = work(ask, packets, n)
        took, used = time.perf_counter() - began, cpu_seconds(pid) - used
        rate = {"packets_per_s": round(len(seconds) / took, 1), "server_cpu_ms": round(1e3 * used / len(seconds), 1)}
        found[name] = quantiles(seconds) | rate
    return found


def simulated(client: httpx.Client) -> list[bytes]:
    """A file for each packet that the service simulates itself."""
    return [encode_file([record]) for record in fastavro.reader(io.BytesIO(client.get("/example").content))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", help="real packets, a file each")
    parser.add_argument("-m", "--model", default="any")
    options = parser.parse_args()
    command = [sys.executable, "-m", "jtss", "serve", "http", "--port", "0", "-m", options.model]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=results.ROOT)
    try:
        url = json.loads(server.stderr.readline())["url"]
        ready = json.loads(server.stderr.readline())
        with httpx.Client(base_url=url, timeout=READY_SECONDS) as client:
            paths = sorted(options.folder.glob("*.avro"))[:N_PACKETS] if options.folder else []
            packets = [path.read_bytes() for path in paths] or simulated(client)
            found = {"model": options.model, "packets": "real" if paths else "simulated", "n_packets": len(packets)}
            found |= {"ready_s": ready["seconds"], **measured(client, packets, server.pid)}
    finally:
        server.terminate()
        server.communicate()
    print(json.dumps(found, indent=2))
    results.record("service", found)


if __name__ == "__main__":
    main()
