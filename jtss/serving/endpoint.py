"""What monitors and people read of a service, by HTTP: /metrics, /healthz and /readyz, and a page that shows it all."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from threading import BoundedSemaphore, Thread, Timer

from jtss.errors import InputError
from jtss.invocation import option
from jtss.reports.colours import CLASS_COLOURS
from jtss.serving.metrics import Metrics

TEXT = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
PAGE = (
    resources.files("jtss.serving")
    .joinpath("dashboard.html")
    .read_text(encoding="utf-8")
    .replace("__COLOURS__", json.dumps(CLASS_COLOURS))
)
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
LOCAL = "127.0.0.1"
MOST_AT_ONCE = 16  # requests; one more is hung up on
REQUEST_SECONDS = 10  # for a request to come and its answer to go; then it is hung up on


def address(text: str) -> tuple[str, int]:
    """HOST:PORT, or PORT of this machine alone; [::]:PORT for an address with colons.

    Raises:
        InputError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535 or (colon and not host):
        raise InputError(f"{option('metrics', text)}: expected HOST:PORT or PORT, as 9100")
    return host.removeprefix("[").removesuffix("]") or LOCAL, int(port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type) -> None:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._free = BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(where, handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:
        late = Timer(REQUEST_SECONDS, _hang_up, [request])
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._free.release()

    def handle_error(self, *_about: object) -> None:
        """A monitor that hangs up is no event."""


def _hang_up(request: socket.socket) -> None:
    """Let whoever waits for this socket wait no longer; it stays theirs to close."""
    with suppress(OSError):  # it has ended by itself
        request.shutdown(socket.SHUT_RDWR)


@contextmanager
def endpoint(metrics: Metrics, host: str, port: int) -> Iterator[int]:
    """Answer HTTP requests; yields the port.

    Args:
        host: the interface.
        port: 0: any that is free.

    Raises:
        OSError: there is no such interface, or the port is taken or not allowed.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, text = _page(metrics, self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Monitors ask every few seconds."""

    try:
        server = _Server(host, port, Handler)
    except OSError as error:
        raise OSError(f"{option('metrics', f'{host}:{port}')}: {error}; choose another host or port") from error
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def _page(metrics: Metrics, path: str) -> tuple[int, str, str]:
    """Status, kind and text."""
    if path == "/":
        return 200, HTML, PAGE
    if path == "/metrics":
        return 200, TEXT, metrics.text()
    if path == "/metrics.json":
        return 200, JSON, json.dumps(metrics.numbers() | {"latest": metrics.latest()})
    if path == "/healthz":
        return _health(metrics.is_alive(), "the service does not poll")
    if path == "/readyz":
        return _health(metrics.is_ready(), "not in its group yet, or waiting for cluster, sink or registry")
    return 404, TEXT, "there are /, /metrics, /metrics.json, /healthz and /readyz\n"


def _health(is_well: bool, otherwise: str) -> tuple[int, str, str]:
    return (200, TEXT, "ok\n") if is_well else (503, TEXT, f"{otherwise}\n")
