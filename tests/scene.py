"""A job in a folder of its own, for tests that play with whole runs: written, run, killed, looked at, compared.

The scene never touches the ledger that it looks at: a living run is watched through a read-only connection, a dead
one through a copy, so that what a crash left is found by the next `tranche run` as it was.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import duckdb_file
import postgres_server

SOURCE = pathlib.Path(os.environ.get("TRANCHE_SOURCE_DIR") or pathlib.Path(__file__).resolve().parent.parent)
TRANCHE = os.path.abspath(os.environ.get("TRANCHE_BIN") or SOURCE / "build" / "tranche")
FLIGHTS = SOURCE / ".deps" / "data" / "flights-3m.parquet"
AIRPORTS = SOURCE / ".deps" / "data" / "airports.csv"
IS_SANITIZED = bool(os.environ.get("TRANCHE_SANITIZE"))  # which takes many times the time, and the memory
SECONDS_MAX = 2400 if IS_SANITIZED else 300  # no run of a test takes longer; a hang must not look like a slow machine


# So that a sanitizer leaves signals to the system, as a crash of the logic has them, and memory that is short to the program.
SIGNALS_LEFT_ALONE = {
    "ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:detect_leaks=0:"
                    "allocator_may_return_null=1:detect_stack_use_after_return=0",
    "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "") + ":handle_segv=0:handle_abort=0",
}


class Done:
    """How a command ended."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit code {self.code}\n--- standard output\n{self.out}\n--- standard error\n{self.err}"


class State:
    """What the ledger says about the latest step of the latest run."""

    def __init__(self, commits=0, planned=0, plan_complete=False, seal="", run_state=""):
        self.commits = commits
        self.planned = planned
        self.plan_complete = plan_complete
        self.seal = seal
        self.run_state = run_state

    @property
    def phase(self):
        if self.run_state == "":
            return "starting"
        if self.run_state == "completed":
            return "completed"
        if self.seal == "":
            return "before the step"
        if self.seal == "sealed":
            return "behind the seal"
        if self.seal == "intended":
            return "inside the seal"
        return "committing" if self.commits > 0 else "before the first commit"


def read_state(connection):
    row = connection.execute("SELECT number, state FROM runs ORDER BY number DESC LIMIT 1").fetchone()
    if row is None:
        return State()
    run, run_state = row
    row = connection.execute(
        "SELECT plan_complete, seal, (SELECT count(*) FROM commits WHERE step = steps.number), "
        "(SELECT count(DISTINCT group_number) FROM batches WHERE step = steps.number) "
        "FROM steps WHERE run = ? ORDER BY number DESC LIMIT 1", (run,)).fetchone()
    if row is None:
        return State(run_state=run_state)
    return State(row[2], row[3], bool(row[0]), row[1], run_state)


class Watch:
    """Looks at the ledger of a run that is going on."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.connection = None

    def look(self):
        try:
            if self.connection is None:
                if not self.ledger.exists():
                    return State()
                self.connection = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, isolation_level=None)
            return read_state(self.connection)
        except (sqlite3.Error, OSError):  # it is just being made, or its disk is gone
            self.close()
            return State()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Scene:
    """A temporary folder with a job file; use as a context manager."""

    def __init__(self, job, workers=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tranche-scene-"))
        self.job = self.root / "job.yaml"
        self.state = self.root / ".tranche"
        self.out = self.root / "out"
        self.write_job(job)
        self.workers = workers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def write_job(self, text):
        self.job.write_text(text, encoding="utf-8")

    def write(self, name, data):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    # --- commands

    def command(self, *words):
        return [TRANCHE, *map(str, words)]

    def run_words(self, *more):
        workers = ["--workers", str(self.workers)] if self.workers else []
        return ["run", self.job, "--json", *workers, *more]

    def environment(self, fault=None):
        environment = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8")
        for name in ("TRANCHE_STATE", "TRANCHE_FAULT"):
            environment.pop(name, None)
        if fault:
            environment["TRANCHE_FAULT"] = fault
        return environment

    def start(self, *words, fault=None, before=()):
        """Starts a command in a session of its own, so that it can be killed with all its children."""
        return subprocess.Popen([*before, *self.command(*words)], cwd=self.root, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                env=self.environment(fault), text=True, encoding="utf-8", errors="backslashreplace")

    def finish(self, process, seconds_max=SECONDS_MAX):
        try:
            out, err = process.communicate(timeout=seconds_max)
        except subprocess.TimeoutExpired:
            kill_group(process)
            out, err = process.communicate()
            raise AssertionError(f"The command did not end within {seconds_max} s\n{Done(None, out, err)}")
        return Done(process.returncode, out, err)

    def type(self, *words, fault=None):
        return self.finish(self.start(*words, fault=fault))

    def run(self, *more, fault=None):
        return self.type(*self.run_words(*more), fault=fault)

    def start_run(self, *more, fault=None, before=()):
        return self.start(*self.run_words(*more), fault=fault, before=before)

    # --- looking

    def watch(self):
        return Watch(self.state / "ledger.db")

    def look(self):
        """What the ledger of a dead run says."""
        return self.ask_ledger(read_state)

    def ask_ledger(self, question):
        with tempfile.TemporaryDirectory(prefix="tranche-ledger-") as copy:
            for name in ("ledger.db", "ledger.db-wal"):
                if (self.state / name).exists():
                    shutil.copy(self.state / name, copy)
            if not (pathlib.Path(copy) / "ledger.db").exists():
                return State()
            connection = sqlite3.connect(pathlib.Path(copy) / "ledger.db")
            try:
                return question(connection)
            except sqlite3.Error:
                return State()
            finally:
                connection.close()

    def rejects(self):
        """The published rejects, in their order, without the run's id."""
        done = self.type("rejects", "last", "--state", self.state)
        assert done.code == 0, done
        found = [json.loads(line) for line in done.out.splitlines()]
        for reject in found:
            reject.pop("run")
        return found

    def output(self):
        """All that a reader of the output sees: a digest of each file, all rows of each table in their order."""
        seen = {}
        for path in sorted(self.out.rglob("*")):
            name = str(path.relative_to(self.out))
            if path.is_dir():
                seen[name] = "folder"
            elif path.suffix == ".db":
                seen.update((f"{name}: {table}", content) for table, content in read_tables(path).items())
            elif path.suffix == ".duckdb":
                seen.update((f"{name}: {table}", content) for table, content in duckdb_file.read_tables(path).items())
            elif not path.name.endswith((".db-wal", ".db-shm", ".db-journal", ".duckdb.wal")):
                seen[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        if self.writes_to_postgres():
            seen.update((f"PostgreSQL: {table}", content) for table, content in postgres_server.read_tables().items())
        return seen

    def writes_to_postgres(self):
        return "write: { postgres:" in self.job.read_text(encoding="utf-8")

    def leavings(self):
        """Files and tables that should have gone by the end of a run."""
        found = [str(p.relative_to(self.root)) for p in self.root.rglob("*")
                 if p.suffix == ".tmp" or p.name.startswith(".tranche-") or p.name in ("spill",)
                 or p.name.endswith(".db-journal")]
        tables = [table for path in self.out.rglob("*.db") for table in table_names(path)]
        tables += [table for path in self.out.rglob("*.duckdb") for table in duckdb_file.table_names(path)]
        if self.writes_to_postgres():
            tables += postgres_server.table_names()
        return found + [table for table in tables if "__tranche_" in table]


def open_to_read(path):
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def table_names(path):
    with open_to_read(path) as connection:
        return [name for name, in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]


def read_tables(path):
    """Definition, rows with their rowids, and their number of every table; of the table of commits only what does
    not differ from run to run."""
    tables = {}
    with open_to_read(path) as connection:
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall():
            query = f'SELECT rowid, * FROM "{name}" ORDER BY rowid'
            if name == "tranche_commits":
                query = "SELECT step, batch, rows, bytes, digest FROM tranche_commits ORDER BY step, batch"
            digest = hashlib.sha256(sql.encode())
            count = 0
            for row in connection.execute(query):
                digest.update(repr(row).encode())
                count += 1
            tables[name] = f"{count} rows, {digest.hexdigest()}"
    return tables


def counts_of(done):
    """What the summary counted, without what depends on time and on interruptions."""
    kept = ("name", "state", "read", "written", "filtered", "rejected", "batches", "bytes_read", "stages")
    return [{key: step.get(key) for key in kept} for step in done.json["steps"]]


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def children_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def wait_until(condition, what, seconds=480 if IS_SANITIZED else 60):
    """Waits for something that must come; how long it takes proves nothing."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds} s in vain: {what}")
        time.sleep(0.0005)


def cut_flights(path, rows):
    """Writes the first records of each thirtieth of the three million flights as CSV, through Tranche itself."""
    if not FLIGHTS.exists():
        raise AssertionError(f"{FLIGHTS} is missing: run tools/setup")
    batch = 100_000
    job = f"""job: cut
steps:
  - name: cut
    read: {{ parquet: {FLIGHTS} }}
    batch: {{ rows: {batch} }}
    process:
      - sql: SELECT * FROM batch LIMIT {rows * batch // 3_000_000}
        per_batch: true
    write: {{ csv: {path} }}
"""
    with Scene(job) as scene:
        done = scene.run()
        assert done.code == 0 and done.json["steps"][0]["written"] == rows, done


class Case(unittest.TestCase):
    """A test of what a command answers."""

    def expect(self, code, done, *words):
        self.assertEqual(code, done.code, done)
        for word in words:
            self.assertIn(word, done.err + done.out)
        return done
