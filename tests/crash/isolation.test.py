#!/usr/bin/env python3
"""One bad record costs one record, whatever it does to its worker; and an innocent one is never quarantined.

The business logic is tests/programs/poisoned.cpp. `make torture-workers` runs the full measure: a million RECORDS
with 100 of POISON, and 1,000 KILLS from outside; what it measured is printed.
"""
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR") or pathlib.Path(scenes.TRANCHE).parent)
PROGRAM = BUILD / "programs" / "poisoned"
RECORDS = int(os.environ.get("RECORDS", 60_000))
KILLS = int(os.environ.get("KILLS", 12))
SEED = int(os.environ.get("SEED", 1))
TIMEOUT = 3 if not scenes.IS_SANITIZED else 10  # seconds without progress

# What a record does, and what its reject says of it; None: it harms nobody.
DEEDS = {
    "segfault": "was killed by signal 11 (SIGSEGV)",
    "null": "was killed by signal 11 (SIGSEGV)",
    "abort": "was killed by signal 6 (SIGABRT)",
    "exit": "exited with code 3",
    "exit0": "exited with code 0",
    "throw": "thrown by the record",
    "throw int": "no std::exception",
    "hang": "made no progress",
    "spin": "made no progress",
    "overflow": "was killed by signal 11 (SIGSEGV)",
    "allocate": "memory",
    "stop": "made no progress",
    "noise": None,
    "leak": None,
    "child": None,
}
SIGNALS = {"segfault": 11, "null": 11, "abort": 6, "overflow": 11}
WORKERS = {
    "threads": f"{{ threads: 2, timeout: {TIMEOUT}s }}",
    "processes": f"{{ processes: 2, memory: 128MiB, timeout: {TIMEOUT}s }}",
}
if scenes.IS_SANITIZED:
    print("A sanitizer takes memory of its own: no limits of memory are tested.", flush=True)
    del DEEDS["allocate"]
    WORKERS["processes"] = f"{{ processes: 2, timeout: {TIMEOUT}s }}"
POISON = int(os.environ.get("POISON", len(DEEDS)))


def shared_memory_and_processes():
    """What a run could leave behind on the machine. Other tests work there meanwhile: with servers, and in folders."""
    found = {name for name in os.listdir("/dev/shm") if not name.startswith(("PostgreSQL.", "tranche-calls-"))}
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    found |= {line for line in listing.splitlines() if str(PROGRAM) in line or line == "sleep 1000"}
    return found | {str(group) for place in memory_groups() for group in place.glob("tranche-*")}


def wait_until_nothing_is_left(before):
    scenes.wait_until(lambda: not shared_memory_and_processes() - before, "something was left behind")


def memory_groups():
    """The control groups in which this process may make others that limit memory."""
    found = []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            own = pathlib.Path("/sys/fs/cgroup", controllers, path.lstrip("/"))
            found.append(own)
    return found


def can_limit_memory():
    for place in memory_groups():
        group = place / f"tranche-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if any((group / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
                return True
        finally:
            group.rmdir()
    return False


class Folder:
    """A folder with records.csv, in which the program runs."""

    def __init__(self, deeds):
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-poison-")
        self.root = pathlib.Path(self.folder.name)
        self.deeds = deeds  # of records by their number

    def __enter__(self):
        lines = ["id,deed\n"] + [f"{i},{self.deeds.get(i, 'good')}\n" for i in range(RECORDS)]
        (self.root / "records.csv").write_text("".join(lines))
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def start(self, *words):
        environment = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8")
        environment.pop("TRANCHE_STATE", None)
        environment.update(scenes.SIGNALS_LEFT_ALONE)
        memory = [] if "--memory" in words else ["--memory", "1GiB"]
        command = [PROGRAM, "run", "--json", *memory, *words]
        return subprocess.Popen(command, cwd=self.root, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True,
                                errors="backslashreplace", env=environment)

    def run(self, *words):
        return self.finish(self.start(*words))

    @staticmethod
    def finish(process):
        out, err = process.communicate(timeout=scenes.SECONDS_MAX * 3)
        return scenes.Done(process.returncode, out, err)

    def output(self):
        return (self.root / "out.csv").read_text()

    def rejects(self, done):
        path = done.json.get("rejects")
        return [json.loads(line) for line in (self.root / path).read_text().splitlines()] if path else []


def expected_output(left_out):
    return "id,square\n" + "".join(f"{i},{i * i}\n" for i in range(RECORDS) if i not in left_out)


def poison(count, seed, deeds):
    """Every deed in turn, on records drawn by chance."""
    chance = random.Random(seed)
    places = sorted(chance.sample(range(RECORDS), count))
    return {place: deeds[i % len(deeds)] for i, place in enumerate(places)}


class Poison(unittest.TestCase):
    maxDiff = 4000

    def check(self, workers, deeds, *more):
        before = shared_memory_and_processes()
        guilty = {record: deed for record, deed in deeds.items() if DEEDS[deed] is not None}
        with Folder(deeds) as folder:
            began = time.monotonic()
            done = folder.run("--workers", workers, *more)
            seconds = time.monotonic() - began
            print(f"{RECORDS:,} records, {len(guilty)} culprits, {workers}: {seconds:.1f} s", flush=True)
            self.assertEqual(0, done.code, done)
            rejects = folder.rejects(done)
            self.assertEqual(sorted(guilty), [reject["record"] for reject in rejects], done)
            for reject in rejects:
                deed = guilty[reject["record"]]
                self.assertIn(DEEDS[deed], reject["error"], f"{deed}: {reject}")
                self.assertEqual(SIGNALS.get(deed), reject["signal"], reject)
                self.assertEqual(reject["record"] + 2, reject["line"])
                self.assertEqual(f"{reject['record']},{deed}", reject["raw"])
            self.assertTrue(expected_output(guilty) == folder.output(), "the output differs")
            self.assertEqual(RECORDS - len(guilty), done.json["steps"][0]["written"])
        wait_until_nothing_is_left(before)

    def test_in_processes_exactly_the_poisoned_records_are_rejected(self):
        self.check(WORKERS["processes"], poison(POISON, SEED, list(DEEDS)))

    def test_in_threads_exactly_the_poisoned_records_are_rejected(self):
        self.check(WORKERS["threads"], poison(POISON, SEED + 1, list(DEEDS)))

    def test_neighbours_that_are_all_poisoned_are_found_one_by_one(self):
        for workers in WORKERS.values():
            with self.subTest(workers=workers):
                self.check(workers, {record: "abort" for record in range(1000, 1006)})

    def test_a_record_that_leaves_no_descriptor_free_harms_nobody_in_a_process(self):
        with Folder({5: "leak all", 30_000: "leak all"}) as folder:
            done = folder.run("--workers", WORKERS["processes"])
            self.assertEqual(0, done.code, done)
            rejected = {reject["record"] for reject in folder.rejects(done)}
            self.assertLessEqual(rejected, {5, 30_000})
            self.assertTrue(expected_output(rejected) == folder.output(), "the output differs")

    def test_memory_that_a_worker_only_shares_is_limited_where_the_system_has_control_groups(self):
        if scenes.IS_SANITIZED or not can_limit_memory():
            self.skipTest("no control group for memory can be made here")
        DEEDS["share"] = "took more memory than the 64 MiB that a worker may have"
        try:
            self.check("{ processes: 2, memory: 64MiB, timeout: 60s }", {100: "share", 30_000: "share"},
                       "--memory", "256MiB")
        finally:
            del DEEDS["share"]

    def test_max_rejects_holds_for_culprits_too(self):
        with Folder({100: "abort", 40_000: "segfault"}) as folder:
            done = folder.run("--workers", WORKERS["processes"], "--max-rejects", "1")
            self.assertEqual(1, done.code, done)
            self.assertIn("was killed by signal 11 (SIGSEGV)", done.err)
            again = folder.run("--workers", WORKERS["processes"], "--max-rejects", "2")
            self.assertEqual(0, again.code, again)
            self.assertTrue(expected_output({100, 40_000}) == folder.output(), "the output differs")

    def test_a_culprit_stays_one_when_the_run_is_killed_and_goes_on(self):
        with Folder({100: "abort", RECORDS - 5: "hang"}) as folder:
            process = folder.start("--workers", "{ processes: 2, timeout: 60s }")
            ledger = folder.root / ".tranche" / "ledger.db"
            scenes.wait_until(lambda: culprits_of(ledger) == [100] or process.poll() is not None, "no culprit")
            scenes.kill_group(process)
            process.communicate()
            done = folder.run("--workers", WORKERS["processes"])
            self.assertEqual(0, done.code, done)
            self.assertNotIn("SIGABRT", done.err)  # nobody had to die of it again
            self.assertEqual([100, RECORDS - 5], [reject["record"] for reject in folder.rejects(done)])


def culprits_of(ledger):
    try:
        connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
        try:
            return [record for (record,) in connection.execute("SELECT record FROM trials WHERE guilty")]
        finally:
            connection.close()
    except sqlite3.Error:
        return []


class Progress(unittest.TestCase):
    """A batch that takes longer than `timeout` is none that hangs, as long as rows move."""

    def test_sql_and_merges_that_get_on_are_not_timed_out(self):
        slow = " + ".join(f"list_sum(list_transform(range(400), x -> x * id % {n}))" for n in range(7, 17))
        job = f"""job: slow
memory: 1GiB
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint }} }}
    process:
      - sql: SELECT id, CAST({slow} AS BIGINT) AS slow FROM batch
    write: {{ parquet: out/o, mode: replace }}
"""
        for workers in (f"{{ threads: 1, timeout: {TIMEOUT}s }}", f"{{ processes: 1, timeout: {TIMEOUT}s }}"):
            with self.subTest(workers=workers), scenes.Scene(job, workers) as scene:
                scene.write("in.csv", "id\n" + "".join(f"{i}\n" for i in range(40_000)))
                done = scene.run()
                self.assertEqual(0, done.code, done)
                self.assertEqual(40_000, done.json["steps"][0]["written"])
                self.assertNotIn("no progress", done.err)


class Jitter(unittest.TestCase):
    """Records that take their time by chance change nothing."""

    def test_any_number_of_threads_and_processes_gives_the_same_bytes(self):
        with Folder({record: "jitter" for record in range(0, RECORDS, 50)}) as folder:
            for kind in ("threads", "processes"):
                for count in (1, 3, 16):
                    with self.subTest(kind=kind, count=count):
                        done = folder.run("--workers", f"{{ {kind}: {count} }}")
                        self.assertEqual(0, done.code, done)
                        self.assertEqual(count, done.json["steps"][0]["workers"]["count"])
                        self.assertTrue(expected_output(set()) == folder.output(), "the output differs")


class Innocence(unittest.TestCase):
    """Whoever is killed from outside has done nothing."""

    def kill_at_random(self, workers, kills, chance):
        """Kills one process after the other until the run is done all the same; the number of kills."""
        before = shared_memory_and_processes()
        with Folder({record: "jitter" for record in range(0, RECORDS, 40)}) as folder:
            killed = 0
            for _ in range(50 + kills):
                process = folder.start("--workers", workers)
                while process.poll() is None and killed < kills:
                    time.sleep(chance.uniform(0.01, 0.15))
                    victims = family_of(process.pid)
                    if not victims:
                        continue
                    victim = chance.choice(victims)
                    try:
                        os.kill(victim, signal.SIGKILL)
                        killed += 1
                    except ProcessLookupError:
                        pass
                done = folder.finish(process)
                if done.code == 0:
                    break
            self.assertEqual(0, done.code, done)
            self.assertEqual(0, done.json["steps"][0]["rejected"], done)
            self.assertTrue(expected_output(set()) == folder.output(), "the output differs")
        wait_until_nothing_is_left(before)
        return killed

    def test_kills_from_outside_quarantine_nobody(self):
        chance = random.Random(SEED)
        killed, runs = 0, 0
        while killed < KILLS:
            for workers in WORKERS.values():
                killed += self.kill_at_random(workers, KILLS, chance)
                runs += 1
        print(f"{killed} kills in {runs} runs of {RECORDS:,} records, seed {SEED}", flush=True)


def family_of(pid):
    """The process and all its descendants: supervisor, engine and workers."""
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += scenes.children_of(found[-1])
    return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
