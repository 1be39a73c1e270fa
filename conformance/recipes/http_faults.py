"""A server on this machine with faults to order."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Faults:
    """What the server does wrong, and what it was asked.

    Attributes:
        files: path -> content.
        cut: bytes of a body after which the connection is closed, one entry for each GET that is cut; then none is.
        ranges: whether parts may be asked for; False: whole files come whatever is asked; None: it also says so.
        status: instead of an answer.
        tag: ETag. length: whether the size is told.
        asked: (method, path, Range) of every request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    ranges: bool | None = True
    status: int | None = None
    tag: str = '"1"'
    length: bool = True
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    @property
    def bodies(self) -> list[str | None]:
        """The ranges of the GETs."""
        return [asked for method, _, asked in self.asked if method == "GET"]


class Handler(BaseHTTPRequestHandler):
    """Answers as the faults of its server say."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    @property
    def faults(self) -> Faults:
        found: Faults = self.server.faults  # type: ignore[attr-defined]
        return found

    def _answer(self) -> None:
        asked = self.headers.get("Range")
        self.faults.asked.append((self.command, self.path, asked))
        content = self.faults.files.get(self.path)
        status = self.faults.status or (404 if content is None else 200)
        if status != 200 or content is None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
        if found and self.faults.ranges:
            first, last = int(found[1]), min(int(found[2]), len(content) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            content = content[first : last + 1]
        else:
            self.send_response(200)
        self._rest_of_head(content)
        if self.command == "GET":
            self._body(content)

    def _rest_of_head(self, body: bytes) -> None:
        if self.faults.ranges is None:
            self.send_header("Accept-Ranges", "none")
        if self.faults.length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.send_header("ETag", self.faults.tag)
        self.end_headers()

    def _body(self, body: bytes) -> None:
        if self.faults.cut:
            body = body[: self.faults.cut.pop(0)]
            self.close_connection = True
        with suppress(OSError):  # the client had enough
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Faults]:
    """The server's faults, to be changed while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    faults = server.faults = Faults(url=f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
