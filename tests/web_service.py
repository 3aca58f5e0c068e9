"""A web service of the test's own, on a free loopback port: what it is asked is written down, and a function answers.

    with Service(lambda call: (200, {"score": 1})) as service: service.url, service.calls

An answer is (status, body[, headers]); a body that is not bytes is sent as JSON.
"""
import http.server
import json
import threading
import time
import urllib.parse


class Call:
    def __init__(self, handler, number):
        self.number = number  # from 1, of all calls
        self.method = handler.command
        self.target = handler.path
        parts = urllib.parse.urlsplit(handler.path)
        self.path = urllib.parse.unquote(parts.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.text = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        self.time = time.monotonic()

    @property
    def body(self):
        return json.loads(self.text)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle_call(self):
        service = self.server.owner
        with service.lock:
            call = Call(self, len(service.calls) + 1)
            service.calls.append(call)
            service.at_once += 1
            service.at_once_most = max(service.at_once_most, service.at_once)
        try:
            answer = service.answer(call)
        finally:
            with service.lock:
                service.at_once -= 1
        if answer is None:  # it hangs up
            self.close_connection = True
            return
        status, body, headers = (*answer, {})[:3]
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_call


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


class Service:
    def __init__(self, answer):
        self.answer = answer
        self.calls = []
        self.at_once = self.at_once_most = 0
        self.lock = threading.Lock()

    def __enter__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # clients that hang up
        self.server.owner = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def keys(self):
        return [call.headers.get("idempotency-key") for call in self.calls]
