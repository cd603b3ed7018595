"""A schema registry that does what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]
UNKNOWN = (404, b'{"error_code": 40403, "message": "Schema not found"}')


def found(schema: object, **more: object) -> Answer:
    """The answer that has a schema."""
    return 200, json.dumps({"schema": json.dumps(schema)} | more).encode()


class MadeRegistry:
    """A registry on this machine.

    Attributes:
        address: http://HOST:PORT.
        answers: by number; the others are UNKNOWN.
        asked: the number of each question, in order.
        logins: the Authorization of each.
    """

    def __init__(self) -> None:
        registry, self.answers, self.asked, self.logins = self, {}, [], []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place, number = self.path.rsplit("/", 1)
                assert place == "/schemas/ids"
                registry.asked.append(int(number))
                registry.logins.append(self.headers["Authorization"])
                answer = registry.answers.get(int(number), UNKNOWN)
                if callable(answer):
                    answer(self)
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_about: object) -> None:
                """Whoever asked has hung up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def made_registry() -> Iterator[MadeRegistry]:
    registry = MadeRegistry()
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.01,), daemon=True)
    with registry.server:
        thread.start()
        yield registry
        registry.server.shutdown()
