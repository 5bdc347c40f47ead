"""A real HTTPS server on the loopback that does what a test tells it, well-behaved or not.

A test puts a `Behaviour` for each path; `in_turn` changes it from request to request. Every request is recorded.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

Behaviour = Callable[["Exchange"], None]


@dataclass(frozen=True)
class File:
    """What lies on the server."""

    body: bytes
    etag: str | None = '"one"'
    last_modified: str | None = "Sat, 01 Aug 2026 10:00:00 GMT"
    content_type: str = "application/octet-stream"


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    status: int = 0


@dataclass
class Exchange:
    """One request and the means to answer it."""

    handler: BaseHTTPRequestHandler
    request: Request
    server: Server

    def head(self, status: int, **headers: str | int | None) -> None:
        self.request.status = status
        self.handler.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.handler.send_header(name.replace("_", "-"), str(value))
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def send(self, data: bytes) -> None:
        self.handler.wfile.write(data)

    def file_head(self, file: File, status: int = 200, length: int | None = None, **more: str | int) -> None:
        self.head(
            status,
            Content_Length=len(file.body) if length is None else length,
            Content_Type=file.content_type,
            ETag=file.etag,
            Last_Modified=file.last_modified,
            **more,
        )

    def cut(self) -> None:
        """End the connection without a word."""
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def wait_for_end(self) -> None:
        """Say nothing more until the test is over."""
        self.server.ended.wait(60)


@dataclass
class Server:
    """The running server.

    Attributes:
        base: its address without a path.
        pages: what to do for which path.
        requests: all that came, in order.
    """

    base: str
    pages: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return self.base + path

    def put(self, path: str, behaviour: Behaviour) -> str:
        self.pages[path] = behaviour
        return self.url(path)


def honest(file: File, *, block: int = 1 << 18, pause: float = 0.0, blind: bool = False) -> Behaviour:
    """A server that knows ranges and conditions. `blind`: it gives the range whatever the condition says."""

    def behave(exchange: Exchange) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", exchange.request.headers.get("range", ""))
        condition = exchange.request.headers.get("if-range")
        begin = 0
        if asked and (blind or condition in (None, file.etag, file.last_modified)):
            begin = int(asked[1])
            if begin >= len(file.body):
                exchange.head(416, Content_Range=f"bytes */{len(file.body)}", Content_Length=0)
                return
            span = f"bytes {begin}-{len(file.body) - 1}/{len(file.body)}"
            exchange.file_head(file, 206, len(file.body) - begin, Content_Range=span)
        else:
            exchange.file_head(file)
        for at in range(begin, len(file.body), block):
            exchange.send(file.body[at : at + block])
            if pause:
                time.sleep(pause)

    return behave


def without_ranges(file: File) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.file_head(file)
        exchange.send(file.body)

    return behave


def cut_after(file: File, count: int) -> Behaviour:
    """Announce all, send `count` bytes, hang up."""

    def behave(exchange: Exchange) -> None:
        exchange.file_head(file)
        exchange.send(file.body[:count])
        exchange.cut()

    return behave


def stall_after(file: File, count: int) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.file_head(file)
        exchange.send(file.body[:count])
        exchange.wait_for_end()

    return behave


def trickle(file: File, pause: float = 0.05, after: int = 0) -> Behaviour:
    """Send `after` bytes at once and then one byte at a time, for ever if need be."""

    def behave(exchange: Exchange) -> None:
        exchange.file_head(file)
        exchange.send(file.body[:after])
        for at in range(after, len(file.body)):
            if exchange.server.ended.wait(pause):
                return
            exchange.send(file.body[at : at + 1])

    return behave


def chunked(file: File) -> Behaviour:
    """No length is announced."""

    def behave(exchange: Exchange) -> None:
        exchange.head(200, Transfer_Encoding="chunked", Content_Type=file.content_type, ETag=file.etag)
        for at in range(0, len(file.body), 65536):
            piece = file.body[at : at + 65536]
            exchange.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")

    return behave


def status(code: int, body: bytes = b"", **headers: str | int) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.head(code, Content_Length=len(body), **headers)
        exchange.send(body)

    return behave


def redirect(url: str) -> Behaviour:
    return status(302, Location=url)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other; the last one for ever."""
    rest = list(behaviours)

    def behave(exchange: Exchange) -> None:
        (rest.pop(0) if len(rest) > 1 else rest[0])(exchange)

    return behave


@contextmanager
def serving(certificate: trustme.LeafCert | None) -> Iterator[Server]:
    """Serve on 127.0.0.1 until the block ends; plain HTTP without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        certificate.configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            request = Request(self.path, {k.lower(): v for k, v in self.headers.items()})
            server.requests.append(request)
            self.close_connection = True
            server.pages.get(self.path, status(404, b"nothing here"))(Exchange(self, request, server))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is given)
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request, client_address) -> None:
            if certificate is None:
                super().finish_request(request, client_address)
                return
            with context.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)

        def handle_error(self, request, client_address) -> None:
            pass  # clients that go away are what most tests are about

    listener = Listener(("127.0.0.1", 0), Handler)
    server = Server(f"http{'s' if certificate else ''}://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        listener.shutdown()
        thread.join()
        listener.server_close()


def write_authority(authority: trustme.CA, folder: Path) -> Path:
    """The file for REQUESTS_CA_BUNDLE."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path
