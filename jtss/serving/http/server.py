"""A service as a server on a port, until a signal ends it."""

import logging
import socket
from concurrent.futures import Future

import uvicorn

from jtss.invocation import option
from jtss.serving.http.app import application
from jtss.serving.http.service import Service

LEAVING_SECONDS = 10  # for requests at work when the server is told to end
MOST_CONNECTIONS = 512
QUEUE = 128  # connections that wait to be taken


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on an address.

    Args:
        port: 0: any that is free.

    Raises:
        OSError: the address is not of this machine, or the port is taken or not allowed.
    """
    where = f"{option('host', host)} {option('port', port)}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise OSError(f"{where}: {error}; expected an address of this machine and a port") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address[0], port, *address[2:]))
        made.listen(QUEUE)
    except (OSError, OverflowError) as error:
        made.close()
        raise OSError(f"{where}: {error}; choose another port") from error
    return made


def server(service: Service) -> uvicorn.Server:
    """What answers requests by a service; it ends when the models cannot be made ready."""
    config = uvicorn.Config(
        application(service),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=LEAVING_SECONDS,
    )
    made = uvicorn.Server(config)

    def end_if_it_failed(warmed: Future[None]) -> None:
        made.should_exit = made.should_exit or warmed.exception() is not None

    service.warmed.add_done_callback(end_if_it_failed)
    return made


def serve(service: Service, at: socket.socket) -> None:
    """Answer requests until a signal comes; those at work are finished before it does what it does otherwise.

    Raises:
        RuntimeError: the models cannot be made ready to answer.
    """
    host, port = at.getsockname()[:2]
    for handler in service.log.logger.handlers:
        logging.getLogger("uvicorn.error").addHandler(handler)
    shown = f"[{host}]" if ":" in host else host
    service.log.say("listening", url=f"http://{shown}:{port}/", models=[*service.models])
    try:
        server(service).run(sockets=[at])
    finally:
        service.log.say("stopped", **service.tally.totals())
    error = service.warmed.exception() if service.warmed.done() else None
    if error is not None:
        raise RuntimeError(f"the models cannot be made ready: {type(error).__name__}: {error}") from error
