#!/usr/bin/env python3
"""Web servers of the test's own, each on a free loopback port and gone with the test.

Nginx      the real one, of a folder: with nginx.Nginx(folder) as server: server.url, server.requests()
Scripted   one of Python's that misbehaves as it is told, and a stand-in for S3 that checks signatures
"""
import datetime
import hashlib
import hmac
import http.server
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

SECONDS_MAX = 60
# What the test has of proxies and keys is not for its servers.
FOREIGN = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_ACCESS_KEY_ID",
           "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
           "SSL_CERT_FILE", "CURL_CA_BUNDLE")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder):
    """A self-signed certificate of 127.0.0.1 with its key: their paths."""
    certificate, key = pathlib.Path(folder) / "server.crt", pathlib.Path(folder) / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                    "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Nginx:
    """Serves a folder, below /locked/ for a user with a password, and with `certificate` by TLS."""

    def __init__(self, folder, certificate=None, password=None):
        self.folder = pathlib.Path(folder)
        self.certificate = certificate
        self.password = password
        self.process = None

    def __enter__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tranche-nginx-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _configuration(self):
        tls = ""
        if self.certificate:
            tls = f"ssl_certificate {self.certificate[0]}; ssl_certificate_key {self.certificate[1]};"
        locked = ""
        if self.password:
            (self.home / "users").write_text(f"ann:{{PLAIN}}{self.password}\n")
            locked = (f"location /locked/ {{ auth_basic x; auth_basic_user_file {self.home}/users; "
                      f"alias {self.folder}/; }}")
        folders = "".join(f"{kind}_temp_path {self.home}/{kind};\n"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""daemon off; master_process off; worker_processes 1; pid {self.home}/pid; error_log {self.home}/error;
events {{ worker_connections 64; }}
http {{
  {folders}
  log_format one '$status $request_method $body_bytes_sent $uri "$http_range"';
  access_log {self.home}/access one;
  log_format protocol '$server_protocol $connection';
  access_log {self.home}/protocols protocol;
  server {{
    listen 127.0.0.1:{self.port}{' ssl http2' if self.certificate else ''};
    {tls}
    root {self.folder};
    {locked}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
  }}
}}
"""

    def start(self, port=None):
        for _ in range(5):
            self.port = port or free_port()
            (self.home / "conf").write_text(self._configuration())
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.home, "-e",
                 self.home / "error", "-c", self.home / "conf"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._wait():
                return
            self.stop()
        raise AssertionError("nginx did not start: " + (self.home / "error").read_text())

    def _wait(self):
        deadline = time.monotonic() + SECONDS_MAX
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.01)
        return False

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def url(self):
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    def protocols(self):
        """(protocol, number of the connection) of each request."""
        return [tuple(line.split()) for line in (self.home / "protocols").read_text().splitlines()]

    def requests(self):
        """(status, bytes sent, path, range) of each."""
        lines = (line.split(" ", 4) for line in (self.home / "access").read_text().splitlines())
        return [(int(status), int(sent), path, asked.strip('"')) for status, _, sent, path, asked in lines]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def data(self):
        return self.server.owner.files.get(urllib.parse.unquote(urllib.parse.urlsplit(self.path).path))

    def do_GET(self):
        server = self.server.owner
        with server.lock:
            server.asked.append((self.path, self.headers.get("Range"), dict(self.headers)))
            number = len(server.asked)
        if server.misbehave and server.misbehave(self, number):
            return
        self.serve(self.data)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def piece(self, data):
        """The bytes that are asked for, and their Content-Range."""
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups()
        first, last = int(first), min(int(last), len(data) - 1)
        return data[first:last + 1], f"bytes {first}-{last}/{len(data)}"

    def serve(self, data):
        server = self.server.owner
        if data is None:
            return self.answer(404, b"not here")
        if server.tag and self.headers.get("If-Match", server.tag) != server.tag and server.knows_conditions:
            return self.answer(412)
        body, content_range = self.piece(data)
        tag = {"ETag": server.tag} if server.tag else {}
        return self.answer(206, body, Content_Range=content_range, **tag)


class Scripted:
    """Serves `files` (path to bytes). `misbehave(handler, number of the request)` answers instead and gives True."""

    def __init__(self, files, misbehave=None, tag='"one"', knows_conditions=True):
        self.files = files
        self.misbehave = misbehave
        self.tag = tag
        self.knows_conditions = knows_conditions
        self.asked = []
        self.lock = threading.Lock()

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients that hang up
        self.server.owner = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def cut_in_the_middle(handler):
    """Promises all of the range, sends half of it, and hangs up."""
    body, content_range = handler.piece(handler.data)
    handler.send_response(206)
    handler.send_header("Content-Range", content_range)
    handler.send_header("ETag", handler.server.owner.tag)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:len(body) // 2])
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
    return True


class S3:
    """A stand-in for S3: it checks the whole signature of version 4, by itself, and serves ranges."""

    def __init__(self, key_id, secret, region, token=None):
        self.key_id, self.secret, self.region, self.token = key_id, secret, region, token

    def fault_of(self, handler):
        """What is wrong with the signature; empty: nothing."""
        form = (r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
                r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})")
        found = re.fullmatch(form, handler.headers.get("Authorization", ""))
        if not found:
            return "AccessDenied"
        key_id, day, region, signed, signature = found.groups()
        names = signed.split(";")
        if key_id != self.key_id or region != self.region or "host" not in names or "x-amz-date" not in names:
            return "InvalidAccessKeyId"
        if self.token and handler.headers.get("x-amz-security-token") != self.token:
            return "InvalidToken"
        moment = datetime.datetime.strptime(handler.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        is_near = abs(moment - datetime.datetime.utcnow()) < datetime.timedelta(minutes=15)
        if not is_near or moment.strftime("%Y%m%d") != day:
            return "RequestTimeTooSkewed"
        path = urllib.parse.urlsplit(handler.path).path
        if path != urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~"):
            return "InvalidURI"
        lines = [f"{name}:{handler.headers[name].strip()}" for name in names]
        canonical = "\n".join(["GET", path, "", *lines, "", signed, handler.headers["x-amz-content-sha256"]])
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", handler.headers["x-amz-date"], scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (day, region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return "" if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == signature else "SignatureDoesNotMatch"

    def __call__(self, handler, _):
        fault = self.fault_of(handler)
        return fault and handler.answer(403, f"<Error><Code>{fault}</Code></Error>".encode())
