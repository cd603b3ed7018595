"""Files elsewhere: an object store as file systems of fsspec are, and a web server, with their faults."""

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from fsspec import AbstractFileSystem, register_implementation
from fsspec.registry import _registry

SECRET = "hunter2"
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Store(AbstractFileSystem):
    """Objects by BUCKET/KEY, of which folders are what the slashes say.

    Attributes:
        objects: by their names. cut: those of which the connection is lost half-way. refused: what nobody may read.
        log: what was asked for.
    """

    protocol = "s3"
    cachable = False
    objects: ClassVar[dict[str, bytes]]
    cut: ClassVar[set[str]]
    refused: ClassVar[set[str]]
    log: ClassVar[list[tuple[str, str]]]

    def ls(self, path, detail=True, **_options):
        path = self._strip_protocol(path)
        self.log.append(("ls", path))
        if path in self.refused:
            raise PermissionError(f"AccessDenied: s3://key:{SECRET}@{path}?X-Amz-Signature={SECRET}")
        if path in self.objects:
            return [self._file(path)]
        inside = [name.removeprefix(f"{path}/") for name in self.objects if name.startswith(f"{path}/")]
        if not inside:
            raise FileNotFoundError(path)
        folders = sorted({name.partition("/")[0] for name in inside if "/" in name}, reverse=True)
        files = [self._file(f"{path}/{name}") for name in inside if "/" not in name]
        return [*files, *({"name": f"{path}/{name}", "size": 0, "type": "directory"} for name in folders)]

    def _file(self, name):
        return {"name": name, "size": len(self.objects[name]), "type": "file"}

    def info(self, path, **_options):
        path = self._strip_protocol(path)
        if path in self.objects:
            return self._file(path)
        self.ls(path)
        return {"name": path, "size": 0, "type": "directory"}

    def _open(self, path, mode="rb", **_options):
        self.log.append(("open", path))
        if path in self.refused:
            raise PermissionError(f"AccessDenied: s3://key:{SECRET}@{path}?X-Amz-Signature={SECRET}")
        return Cut(self.objects[path]) if path in self.cut else io.BytesIO(self.objects[path])


class Cut(io.BytesIO):
    """The connection is lost half-way, which is no OSError in the words of its library."""

    def read(self, size=-1):
        left = len(self.getbuffer()) // 2 - self.tell()
        if left <= 0:
            raise RuntimeError(f"connection lost to https://host/x?X-Amz-Signature={SECRET}")
        return super().read(min(left, size) if size >= 0 else left)


@contextmanager
def store_of(folder: Path) -> Iterator[type[Store]]:
    """In place of s3://, a store with the files of a folder in bucket/night."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    objects = {f"bucket/night/{path.relative_to(folder)}": path.read_bytes() for path in files}
    made = type("Made", (Store,), {"objects": objects, "cut": set(), "refused": set(), "log": []})
    before = _registry.get("s3")
    register_implementation("s3", made, clobber=True)
    try:
        yield made
    finally:
        del _registry["s3"]
        if before is not None:
            register_implementation("s3", before)


@contextmanager
def web_server(
    folder: Path, faults: Mapping[str, str] = {}, query: str = "", asked: list[str] | None = None
) -> Iterator[str]:
    """A folder as a web server shows it, without parts of files; yields HOST:PORT.

    Args:
        faults: by the name of a file: "gone", "error", "page" (in place of the file, with status 200) or "cut".
        query: after the links to files, without which these are not to be had.
        asked: takes what was asked for.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._answer(with_body=False)

        def do_GET(self):
            self._answer(with_body=True)

        def _answer(self, *, with_body):
            if asked is not None:
                asked.append(self.path)
            path = folder / urlsplit(self.path).path.strip("/")
            is_there = path.is_dir() or (path.exists() and self.path.endswith(query))
            fault = faults.get(path.name, "" if is_there else "gone")
            if path.is_dir():
                links = [f"{entry.name}/" if entry.is_dir() else f"{entry.name}{query}" for entry in path.iterdir()]
                links += ["../", "?C=M;O=A", "/", *(name for name, fault in faults.items() if fault == "gone")]
                body, kind = "".join(f'<a href="{link}">{link}</a>\n' for link in links).encode(), "text/html"
            else:
                body, kind = (PAGE, "text/html") if fault == "page" else (b"", "application/octet-stream")
                body = body or (path.read_bytes() if path.exists() else b"")
            self.send_response({"gone": 404, "error": 500}.get(fault, 200))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
            self.close_connection = True

        def log_message(self, *_words):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def object_server(folder: Path, faults: Mapping[str, int] = {}) -> Iterator[str]:
    """A folder as the bucket of a store that speaks S3, as far as reading goes, in pages of three; yields its URL.

    Args:
        faults: by the name of an object, how often it answers with "slow down" before it comes.
    """
    left = dict(faults)
    files = [path for path in folder.rglob("*") if path.is_file()]
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(files)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            place = urlsplit(self.path)
            key = unquote(place.path.strip("/")).partition("/")[2]
            if not key:
                self._answer(200, _page_of(sizes, {name: value[0] for name, value in parse_qs(place.query).items()}))
            elif self.command == "GET" and left.get(key, 0):
                left[key] -= 1
                self._answer(503, "<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>")
            elif key in sizes:
                self._answer(200, (folder / key).read_bytes(), "binary/octet-stream")
            else:
                self._answer(404, "<Error><Code>NoSuchKey</Code><Message>No such key</Message></Error>")

        def _answer(self, status, body, kind="application/xml"):
            body = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": len(body), "ETag": '"1"'}.items():
                self.send_header(name, str(value))
            self.send_header("Last-Modified", "Tue, 01 Dec 2026 00:00:00 GMT")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_words):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _page_of(sizes: Mapping[str, int], asked: Mapping[str, str]) -> str:
    """What ListObjectsV2 answers."""
    prefix, mark = asked.get("prefix", ""), asked.get("delimiter", "")
    names = []
    for key in sorted(sizes):
        if key.startswith(prefix):
            inside, _, more = key[len(prefix) :].partition(mark) if mark else (key[len(prefix) :], "", "")
            names.append(f"{prefix}{inside}{mark}" if more else key)
    names = [name for name in sorted({*names}) if name > asked.get("continuation-token", "")]
    page, rest = names[:3], names[3:]
    parts = [
        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
        if mark and name.endswith(mark)
        else f"<Contents><Key>{escape(name)}</Key><Size>{sizes[name]}</Size></Contents>"
        for name in page
    ]
    token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if rest else ""
    truncated = str(bool(rest)).lower()
    return f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}{''.join(parts)}</ListBucketResult>"
