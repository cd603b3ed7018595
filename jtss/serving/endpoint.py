"""The page that monitors read: /metrics, /healthz and /readyz of a service, by HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from jtss.invocation import option
from jtss.serving.metrics import Metrics

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def endpoint(metrics: Metrics, port: int) -> Iterator[int]:
    """Answer HTTP requests on all interfaces; yields the port.

    Args:
        port: 0: any that is free.

    Raises:
        OSError: the port is taken or not allowed.
    """

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_about: object) -> None:
            """A monitor that hangs up is no event."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for a request to come

        def do_GET(self) -> None:
            status, text = _page(metrics, self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Monitors ask every few seconds."""

    try:
        server = Server(("", port), Handler)
    except (OSError, OverflowError) as error:
        raise OSError(f"{option('metrics', port)}: {error}; choose another port") from error
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def _page(metrics: Metrics, path: str) -> tuple[int, str]:
    """Status and text."""
    if path == "/metrics":
        return 200, metrics.text()
    if path == "/healthz":
        return (200, "ok\n") if metrics.is_alive() else (503, "the service does not poll\n")
    if path == "/readyz":
        return (200, "ok\n") if metrics.is_ready() else (503, "no member of its group yet, or the sink fails\n")
    return 404, "there are /metrics, /healthz and /readyz\n"
