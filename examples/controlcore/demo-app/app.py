"""A tiny application for the bouncer to guard. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = {
    "/": "<h1>Demo application</h1><p>You got past the bouncer.</p>",
    "/public/about": "<h1>About</h1><p>Anybody may read this.</p>",
    "/payroll": "<h1>Payroll</h1><p>You should never see this through the bouncer.</p>",
}


class Handler(BaseHTTPRequestHandler):
    """Pages, a report as JSON, and /health."""

    protocol_version = "HTTP/1.1"
    server_version = "demo-app"

    def answer(self, status: int, kind: str, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        subject = self.headers.get("X-ControlCore-Subject", "nobody asked")
        if path == "/health":
            self.answer(200, "application/json", json.dumps({"status": "ok"}))
        elif path.startswith("/reports"):
            self.answer(200, "application/json", json.dumps({"report": path, "for": subject, "revenue": [3, 5, 8, 13]}))
        elif path in PAGES:
            self.answer(200, "text/html", f"<!doctype html><title>Demo</title>{PAGES[path]}<p>Caller: {subject}</p>")
        else:
            self.answer(404, "text/plain", "Not here\n")

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(201, "application/json", json.dumps({"accepted": True}))

    do_PUT = do_POST  # noqa: N815

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002, ARG002 - the base class's names
        print(f"{self.command} {self.path} {values[1] if len(values) > 1 else ''}", flush=True)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "9000"))
    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    print(f"demo-app on http://{host}:{port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
