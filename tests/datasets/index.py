"""Where do the tests fetch from? From a package index on this machine, with one tiny wheel, which can stop in the middle."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from statewise.datasets import DataSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

ROWS = b"key,step,x,target\n" + b"".join(b"%d,%d,%d.5,%s\n" % (n // 4, n % 4, n, b"up" if n // 4 % 2 else b"down") for n in range(40))
MEMBER = "tinyset/data/rows.csv"
WHEEL = "tinyset-1.0-py3-none-any.whl"


def convert(contents: Mapping[str, bytes]) -> pl.DataFrame:
    import polars as pl

    return pl.read_csv(io.BytesIO(contents[MEMBER]))


TINY = DataSet(
    name="tiny",
    says="forty rows",
    wheel="tinyset",
    version="1.0",
    size=100_000,
    members={MEMBER: hashlib.sha256(ROWS).hexdigest()},
    licence="none",
    citation="nobody",
    source="nowhere",
    convert=convert,
    reading={"key": "key", "time": "step", "target": "target"},
)


def wheel(rows: bytes = ROWS, *, member: str = MEMBER) -> bytes:
    """Return a wheel with one data file, and code that would give itself away if anyone ran it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, rows)
        archive.writestr("tinyset/__init__.py", "raise SystemExit('imported')")
        archive.writestr("tinyset/filling.bin", bytes(range(256)) * 300)
        archive.writestr("tinyset-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinyset\nVersion: 1.0\nRequires-Python: <3\n")
        archive.writestr("tinyset-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tinyset-1.0.dist-info/RECORD", "")
    return file.getvalue()


class Index:
    """A package index on this machine.

    Args:
        content: the wheel that it sends.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.stops = False
        self.num_sent = 0
        self.in_the_middle = threading.Event()
        self.go_on = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What pip calls it."""
        return f"http://127.0.0.1:{self._server.server_port}/simple"

    def close(self) -> None:
        """Stop; whoever still waits is let go."""
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(index: Index) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the class inside has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = f'<html><body><a href="/files/{WHEEL}">{WHEEL}</a></body></html>'.encode()
                is_file = self.path.endswith(".whl")
                content = index.content if is_file else page if self.path.rstrip("/").endswith("tinyset") else None
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Type", "application/octet-stream" if is_file else "text/html")
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                half = len(content or b"") // 2 if is_file and index.stops else 0
                self.wfile.write((content or b"")[:half])
                if half:
                    self.wfile.flush()
                    index.in_the_middle.set()
                    index.go_on.wait(60)
                    return
                self.wfile.write(content or b"")
                index.num_sent += is_file

            def log_message(self, *_: object) -> None:
                pass

        return Handler
