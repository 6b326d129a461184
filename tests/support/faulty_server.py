"""An HTTP proxy that lets a server look throttled, slow, or dead in the middle of an answer."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class FaultyServer(ThreadingHTTPServer):
    """Passes requests on, except that the next ones meet the faults in `faults`.

    "throttled", "slow", "cut" (half of the answer), "dead" (no answer), "unable" (501), "careless" (without its
    conditions).
    """

    daemon_threads = True

    def __init__(self, behind: str):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.faults: list[str] = []
        self.met: list[str] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            self.server.paths.append(self.path)
            fault = self.server.faults.pop(0) if self.server.faults else ""
            if fault:
                self.server.met.append(fault)
        if fault == "dead":
            self.close_connection = True
            self.connection.close()
            return
        if fault in ("throttled", "unable"):
            code = b"SlowDown" if fault == "throttled" else b"NotImplemented"
            answer = b"<Error><Code>" + code + b"</Code><Message>No.</Message></Error>"
            self.send_response(503 if fault == "throttled" else 501)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            return
        if fault == "slow":
            time.sleep(3)
        onward = http.client.HTTPConnection(self.server.behind, timeout=30)
        headers = dict(self.headers.items())
        if fault == "careless":
            headers = {name: value for name, value in headers.items() if not name.lower().startswith("if-")}
        onward.request(self.command, self.path, body, headers)
        answer = onward.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if fault == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass_on  # noqa: N815  # the names that http.server calls


@contextmanager
def faulty_server(behind: str) -> Iterator[FaultyServer]:
    server = FaultyServer(behind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
