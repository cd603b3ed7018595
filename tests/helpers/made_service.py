"""A service with a model of random weights, and packets for it."""

import io
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Thread
from unittest import mock

import httpx

from data_prep.simulate.packets import encode_file
from helpers.made_explained import run_of_packets
from helpers.make_packets import alert, detection, images, limit
from jtss.network.packets import LEAST_ROWS
from jtss.serving.http import warming
from jtss.serving.http.limits import LIMITS
from jtss.serving.http.models import served
from jtss.serving.http.server import listening, server
from jtss.serving.http.service import Service
from jtss.serving.log import Log

PAST = [detection(20, 3), limit(8), detection(4, 4, fid=2, isdiffpos="f"), limit(2, fid=2)]
CANDID = 2481169255715015001  # does not survive a double
# As a service has them, but for the time that things take.
PATIENT = LIMITS._replace(body_seconds=600, unpack_seconds=600, answer_seconds=600)
READY_SECONDS = 600


@cache
def packet(candid=CANDID, **values) -> bytes:
    """An Avro file of one packet with a past."""
    return encode_file([alert("ZTF18a", candid, images(1), history=PAST, **values)])


@cache
def packet_without_images(candid=7) -> bytes:
    """One that cannot be used."""
    return encode_file([alert("ZTF18b", candid, [None] * 3)])


def made_run(folder: Path) -> Path:
    run_of_packets(folder)
    return folder / "run"


def quiet() -> Log:
    log = Log()
    log.logger.handlers[0].setStream(io.StringIO())
    return log


def made_service(run: Path, limits=PATIENT, log: Log | None = None, *, calibrated=False) -> Service:
    return Service(served([run], calibrated=calibrated), log or quiet(), limits)


@contextmanager
def client_of(service: Service, *, is_ready=True):
    """What asks a service on a port of this machine; the service begins and ends with it."""
    short = mock.patch.object(warming, "MOST_ROWS", LEAST_ROWS)  # fewer programs than a server that people use has
    with short, listening("127.0.0.1", 0) as at:
        answering = server(service)
        thread = Thread(target=answering.run, kwargs={"sockets": [at]})
        thread.start()
        try:
            with httpx.Client(base_url="http://{}:{}".format(*at.getsockname()), timeout=READY_SECONDS) as client:
                assert client.get("/healthz").text == "ok\n"
                if is_ready:
                    service.warmed.result(READY_SECONDS)
                yield client
        finally:
            answering.should_exit = True
            thread.join()


def said(log: Log) -> str:
    stream = log.logger.handlers[0].stream
    return stream.getvalue() if stream is not sys.stderr else ""
