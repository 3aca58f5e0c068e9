#!/usr/bin/env python3
"""A PostgreSQL of the test's own: made in a temporary folder, durable (fsync is on), gone with the test, also when that is
killed.

In Python:          with postgres_server.Server() as server: server.sql("SELECT 1"), server.url
For other programs: postgres_server.py PROGRAM ARGUMENT...   gives them the URL as TRANCHE_TEST_POSTGRES
"""
import hashlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

VARIABLE = "TRANCHE_TEST_POSTGRES"
OWNER = "tranche"       # the superuser
SECRET_USER = "locked"  # who needs a password
SECRET = "s3cr3t-Pa55word"
SECONDS_MAX = 60


def programs():
    """The folder of initdb and postgres, which Debian keeps out of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    if not beside:
        raise AssertionError("PostgreSQL is missing: run tools/setup")
    return pathlib.Path(beside).resolve().parent


def as_server(words):
    """PostgreSQL refuses to run as root; and it ends with whoever started it, however that ends."""
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig", "QUIT", *words]
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig", "QUIT", *words]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def for_module():
    """A server for all tests of a module, whose URL is in the environment; for setUpModule."""
    server = Server().__enter__()
    unittest.addModuleCleanup(server.__exit__)
    os.environ[VARIABLE] = server.url
    return server


def sql(url, text):
    """What psql prints, without frames; an error is an AssertionError."""
    done = subprocess.run([programs() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", text],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise AssertionError(f"{text}\n{done.stderr}")
    return done.stdout.rstrip("\n")


def clear():
    """No table is left of an earlier test."""
    sql(os.environ[VARIABLE], "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def table_names():
    return sql(os.environ[VARIABLE], "SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split()


def read_tables():
    """Number and digest of the rows of every table, in the order of their first column; of the table of commits only
    what does not differ from run to run."""
    url = os.environ[VARIABLE]
    tables = {}
    for name in table_names():
        columns = "step, batch, rows, bytes, digest" if name == "tranche_commits" else "*"
        rows = sql(url, f'SELECT {columns} FROM "{name}" ORDER BY 1, 2')
        tables[name] = f"{rows.count(chr(10)) + 1} rows, {hashlib.sha256(rows.encode()).hexdigest()}"
    return tables


class Server:
    def __init__(self, **settings):
        self.settings = dict(fsync="on", full_page_writes="on", max_connections="40", shared_buffers="64MB",
                             autovacuum="off", log_min_messages="warning") | settings
        self.process = None

    def __enter__(self):
        # Not below TMPDIR: the path of a socket may have 107 characters.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tranche-pg-", dir="/tmp"))
        self.bin = programs()
        try:
            self._make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self):
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.data = self.folder / "data"
        done = subprocess.run(as_server([self.bin / "initdb", "-D", self.data, "-U", OWNER, "-E", "UTF8", "--locale=C.UTF-8",
                                         "--no-sync", "--no-instructions", "--auth=trust"]),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            raise AssertionError(f"initdb failed: {done.stdout}{done.stderr}")
        hba = self.data / "pg_hba.conf"
        hba.write_text(f"host all {SECRET_USER} 127.0.0.1/32 scram-sha-256\n" + hba.read_text())

    def start(self, port=None):
        """Starts it, again too; without a port it takes one that is free."""
        for _ in range(5):
            self.port = port or free_port()
            options = self.settings | {"port": self.port, "listen_addresses": "127.0.0.1",
                                       "unix_socket_directories": self.folder}
            words = [self.bin / "postgres", "-D", self.data]
            for name, value in options.items():
                words += ["-c", f"{name}={value}"]
            self.log = open(self.folder / "log", "ab")
            self.process = subprocess.Popen(as_server(words), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                            cwd=self.folder, start_new_session=True)
            if self._wait():
                return self
        raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")

    def _wait(self):
        deadline = time.monotonic() + SECONDS_MAX
        while self.process.poll() is None:
            done = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)], check=False)
            if done.returncode == 0:
                return True
            if time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL is not ready: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return False

    def stop(self, sign=signal.SIGQUIT):
        """SIGQUIT is `pg_ctl stop -m immediate`: as after a power cut, it recovers at the next start."""
        if self.process is None:
            return
        self.process.send_signal(sign)
        try:
            self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()

    def restart(self, sign=signal.SIGQUIT):
        """On the same port, as a server that somebody starts again."""
        self.stop(sign)
        return self.start(self.port)

    @property
    def url(self):
        return self.url_of("postgres")

    def url_of(self, database, user=OWNER, password=None):
        return f"postgresql://{user}{':' + password if password else ''}@127.0.0.1:{self.port}/{database}"

    def sql(self, text):
        return sql(self.url, text)

    def lock_user(self):
        """Makes the user that needs a password."""
        self.sql(f"CREATE ROLE {SECRET_USER} LOGIN SUPERUSER PASSWORD '{SECRET}'")


def main(words):
    if not words:
        sys.exit(__doc__)
    # ctest ends a test that takes too long by SIGTERM or SIGKILL; the server ends with us either way.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Server() as server:
        server.lock_user()
        environment = dict(os.environ, **{VARIABLE: server.url})
        return subprocess.run(words, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
