"""A job of five batches that is disturbed at its Nth I/O call, and what must come of it: shared by the quick proof
(every_call.test.py) and the whole one (torture_calls.py).

The calls of all processes of a run are counted together, and threads take turns as they like, so N names about the
same place of the next run, not exactly the same one. What was hit is said with each outcome.
"""
import errno
import os
import pathlib
import signal
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "faults")]
import calls as faults
import kills
import postgres_server
import scene as scenes

BATCHES = 5
RECORDS = 200
READING = """
    read:
      csv: {input}
      columns:
        id: bigint
        departed_at: timestamp
        origin: varchar
        origin_city: varchar
        destination: varchar
        miles: integer
        delay_minutes: integer
        month: varchar
        is_late: boolean
    batch: {{ rows: {rows} }}
    on_error: {{ max_rejects: 10000, rejects: out/rejects.jsonl }}
"""
SINKS = ("csv", "jsonl", "csv.gz", "parquet", "sqlite append", "sqlite replace", "sqlite upsert", "duckdb append",
         "postgres append", "postgres replace")
# SQLite closes a journal before it says that it could not be written, and the kernel's reason goes with it.
SQLITE_SAYS = ("disk I/O error", "unable to open database file", "can't be written")
DUCKDB_SAYS = tuple(f".duckdb: {why}fsync failed"
                    for why in ("", "DuckDB can't be opened: ", "Failed to create checkpoint because of error: "))
SECONDS_MAX = 100  # a run of these takes less than one; what takes so long hangs


class Fault:
    def __init__(self, name, disturb, kinds=faults.KINDS, reasons=("",)):
        self.name = name
        self.disturb = disturb  # (calls, N)
        self.kinds = kinds
        self.reasons = reasons  # one of them is in the message of a run that fails


def _error(name, kinds, times=1):
    number = getattr(errno, name)
    often = {1: "once", faults.ALWAYS: "from then on"}.get(times, f"{times} times")
    reasons = [os.strerror(number), *{errno.ENOSPC: ["the disk is full"], errno.ECONNRESET: ["PostgreSQL"]}.get(number, [])]
    return Fault(f"{name} {often}", lambda calls, at: calls.fail(at, number, times), kinds, reasons)


_TAKE_SPACE = ("open", "write", "sync", "rename", "truncate", "mkdir")  # to remove and to cut costs no space
KILL = Fault("kill -9 of all processes", lambda calls, at: calls.kill_group(at))
KILL_ONE = Fault("kill -9 of one process", lambda calls, at: calls.kill_process(at))
ERRORS = (
    _error("EIO", faults.OF_FILES), _error("EIO", faults.OF_FILES, faults.ALWAYS),
    _error("ENOSPC", _TAKE_SPACE), _error("ENOSPC", _TAKE_SPACE, faults.ALWAYS),
    _error("EDQUOT", _TAKE_SPACE), _error("EDQUOT", _TAKE_SPACE, faults.ALWAYS),
    _error("EINTR", faults.KINDS), _error("EINTR", faults.KINDS, 3),
    Fault("short write once", lambda calls, at: calls.write_short(at), ("write", "send", "receive")),
    Fault("short writes from then on", lambda calls, at: calls.write_short(at, faults.ALWAYS),
          ("write", "send", "receive")),
)
FAILED_SYNC = _error("EIO", ("sync",))
OF_SOCKETS = (_error("ECONNRESET", faults.OF_SOCKETS), _error("ECONNRESET", faults.OF_SOCKETS, faults.ALWAYS))


def faults_of(sink):
    return (KILL, KILL_ONE) + ERRORS + (OF_SOCKETS if sink.startswith("postgres") else ())


def input_text(records):
    """One record in thirty can't be read."""
    lines = ["id,departed_at,origin,origin_city,destination,miles,delay_minutes,month,is_late"]
    for i in range(records):
        miles = "far" if i % 30 == 4 else 100 + i
        lines.append(f"{i},2001-{i % 3 + 1:02}-01 10:00:00,SEA,Seattle,LAX,{miles},{i % 50},{i % 3 + 1:02},{i % 2 == 0}")
    return "\n".join(lines) + "\n"


def work_in_memory():
    """Neither a kill nor an error asks whether anything would outlive the machine: no disk is waited for."""
    if "TMPDIR" not in os.environ and os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"


class Outcome:
    def __init__(self, sink, fault, at):
        self.sink = sink
        self.fault = fault
        self.at = at
        self.hit = ""        # what was disturbed; empty: the run was over before the Nth call
        self.code = None
        self.message = ""
        self.wrong = []

    @property
    def was_resumed(self):
        return self.code != 0

    def __str__(self):
        text = f"{self.sink}, {self.fault.name}, call {self.at} ({self.hit}): exit code {self.code}"
        return text + "".join(f"\n  WRONG: {line}" for line in self.wrong)


class Bench:
    """The jobs, and what each gives undisturbed; `port` is that of PostgreSQL."""

    def __init__(self, folder, port=0, records=RECORDS, batches=BATCHES):
        self.port = port
        self.batches = batches
        self.rows = records // batches
        self.input = pathlib.Path(folder) / "in.csv"
        self.input.write_text(input_text(records))
        kills.pack(self.input)
        self.expected = {}

    def job(self, sink):
        return kills.job_text(sink, self.input, self.rows, "1KiB", READING)

    def expect(self, sink):
        if sink not in self.expected:
            self.expected[sink] = kills.Undisturbed(sink, self.job(sink))
            assert self.expected[sink].groups == self.batches, self.expected[sink].groups
        return self.expected[sink]

    def calls_of(self, sink, fault, below="."):
        """How many calls an undisturbed run makes that the fault could hit."""
        with scenes.Scene(self.job(sink)) as scene, self._calls(scene, fault, below) as calls:
            kills.prepare_target(scene, sink)
            done = self._run(scene, calls)
            assert done.code == 0, done
            return calls.count

    def _calls(self, scene, fault, below="."):
        return faults.Calls(scene.root, self.port, fault.kinds, below)

    def _run(self, scene, calls):
        return scene.finish(scene.start_run(before=calls.before), SECONDS_MAX)

    def disturb(self, sink, fault, at, below="."):
        """One run, disturbed at its call `at` (of those below a folder); resumed undisturbed where it failed."""
        self.expect(sink)
        outcome = Outcome(sink, fault, at)
        with scenes.Scene(self.job(sink)) as scene, self._calls(scene, fault, below) as calls:
            kills.prepare_target(scene, sink)
            fault.disturb(calls, at)
            try:
                done = self._run(scene, calls)
                outcome.hit, outcome.code, outcome.message = calls.first_hit, done.code, done.err
                if done.code != 0:
                    outcome.wrong += complaints(fault, done)
                elif passed_over(fault, outcome, done):
                    outcome.wrong.append(f"A sync that failed was passed over: {done}")
                outcome.wrong += [line for line in self._judge(sink, scene, done) if not is_owned_up(line, outcome)]
            except AssertionError as error:
                outcome.wrong.append(str(error))
        return outcome

    def _judge(self, sink, scene, done):
        """What is wrong with the output, after a second start where that is needed."""
        if done.code != 0:
            if scene.look().phase == "completed":  # it died on its way out; what starts now is another run
                return kills.differences(self.expect(sink), scene)
            done = scene.run()
        if done.code != 0:
            return [f"The same command did not complete it: {done}"]
        return kills.differences(self.expect(sink), scene, done)


def passed_over(fault, outcome, done):
    """After a failed sync of the target nobody knows what the disk has: the run fails, or does the group again. SQLite
    itself does not ask how the sync of a new journal's folder ended."""
    failed = fault in (FAILED_SYNC, *ERRORS) and outcome.hit.startswith("sync out/" if outcome.sink.startswith("sqlite") else "sync out")
    return failed and not any(step["retries"] for step in done.json["steps"])


def is_owned_up(line, outcome):
    """A file that could not be removed is left behind, with a warning."""
    head = "left behind: "
    return line.startswith(head) and "Can't remove" in outcome.message and line[len(head):] in outcome.message


def complaints(fault, done):
    """What is wrong with how a run failed."""
    if fault in (KILL, KILL_ONE) and done.code == -signal.SIGKILL:
        return []
    if done.code not in (1, 2):
        return [f"It should end by itself: {done}"]
    if not any(reason in done.err for reason in (*fault.reasons, *SQLITE_SAYS, *DUCKDB_SAYS)):
        return [f"It should say why: {done}"]
    return []
