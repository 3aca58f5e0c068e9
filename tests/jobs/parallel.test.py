#!/usr/bin/env python3
"""The same output whatever the number of workers, and however often a run is stopped on the way."""
import os
import pathlib
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 24_000
SQL = """
    process:
      - sql: |
          SELECT id, name, price * 2 AS doubled, kind,
                 CASE WHEN id % 4001 = 7 THEN error('unlucky') ELSE id END AS checked
          FROM batch WHERE id % 10 <> 3
"""
WRITES = {
    "csv": "{ csv: out/o.csv }",
    "parquet": "{ parquet: out/o, mode: append, partition_by: kind, part_size: 64KiB }",
    "sqlite": "{ sqlite: out/o.db, table: t, mode: append }",
}


def job_text(write, process="", rows=1000):
    return f"""job: parallel
steps:
  - name: load
    read:
      csv: [in-1.csv, in-2.csv]
      columns: {{ id: bigint, name: varchar, price: "decimal(10,2)", kind: varchar }}
    batch: {{ rows: {rows} }}
    on_error: {{ max_rejects: 1000, rejects: out/rejects.jsonl }}{process or chr(10)}    write: {write}
"""


def input_files():
    """Records of uneven length, some quoted with line ends, some wrong; two files, cut where no batch ends."""
    lines = []
    for i in range(RECORDS):
        name = f'"name {i}, with a ""quote"" and\na line"' if i % 11 == 0 else "n" * (i * 7 % 90)
        price = "wrong" if i % 1709 == 100 else f"{i % 1000}.{i % 100:02}"
        lines.append(f"{i},{name},{price},kind-{i // 500 % 3}")
    head = "id,name,price,kind\n"
    cut = RECORDS * 2 // 5 + 17
    return {"in-1.csv": head + "\n".join(lines[:cut]) + "\n", "in-2.csv": head + "\n".join(lines[cut:]) + "\n"}


INPUT = input_files()


def new_scene(job, workers):
    scene = scenes.Scene(job, workers)
    for name, text in INPUT.items():
        scene.write(name, text)
    return scene


def what_came(scene, done):
    """All that must be equal; the file of rejects but for the run's id."""
    output = scene.output()
    output.pop("rejects.jsonl")
    file = (scene.out / "rejects.jsonl").read_text(encoding="utf-8").replace(done.json["run"], "RUN")
    return {"output": output, "counts": scenes.counts_of(done), "rejects": scene.rejects(), "file of rejects": file}


class Parallel(unittest.TestCase):
    maxDiff = 2000

    def test_1_2_and_7_threads_and_3_processes_give_the_same_output(self):
        for sink, write in WRITES.items():
            for kind, process in (("plain", ""), ("SQL", SQL)):
                with self.subTest(sink=sink, kind=kind):
                    expected = None
                    for workers in (1, 2, 7, "{ processes: 3 }"):
                        with new_scene(job_text(write, process), workers) as scene:
                            done = scene.run()
                            self.assertEqual(0, done.code, done)
                            came = what_came(scene, done)
                            self.assertGreater(len(came["rejects"]), 10)
                            self.assertEqual([], scene.leavings())
                            expected = expected or came
                            self.assertEqual(expected, came, f"{workers} workers")


def freeze(scene, process):
    """Stops all processes of the run, but not while one of them writes the ledger: nobody else could write it then."""
    while True:
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(0.02)   # until all its threads stand still
        ledger = sqlite3.connect(os.path.join(scene.state, "ledger.db"), timeout=0, isolation_level=None)
        try:
            ledger.execute("BEGIN IMMEDIATE")
            ledger.execute("ROLLBACK")
            return
        except sqlite3.OperationalError:
            os.killpg(process.pid, signal.SIGCONT)
            time.sleep(0.002)
        finally:
            ledger.close()


class Stops(unittest.TestCase):
    """A run that is asked to end does so behind a batch, with exit code 3, and the same command goes on."""

    def stop(self, sink, how):
        job = job_text(WRITES[sink], SQL, rows=100)
        with new_scene(job, 2) as scene:
            done = scene.run()
            self.assertEqual(0, done.code, done)
            expected = what_came(scene, done)
            groups = scene.look().commits
        with new_scene(job, 2) as scene:
            process = scene.start_run()
            watch = scene.watch()
            scenes.wait_until(lambda: watch.look().commits >= 3 or process.poll() is not None, "no commits")
            watch.close()
            # Frozen while it is asked, since it would be done before a command had even started; and for
            # longer than the time between two of its looks at the ledger.
            freeze(scene, process)
            how(scene, process)
            time.sleep(0.3)
            os.killpg(process.pid, signal.SIGCONT)
            done = scene.finish(process)
            self.assertEqual(3, done.code, done)
            state = scene.look()
            self.assertEqual("stopped", state.run_state)
            self.assertTrue(3 <= state.commits < groups, f"{state.commits} of {groups} were committed")
            self.assertEqual("stopped", done.json["state"])
            again = scene.run()
            self.assertEqual(0, again.code, again)
            self.assertGreater(again.json["steps"][0]["batches_resumed"], 0)
            self.assertEqual(expected, what_came(scene, again))
            self.assertEqual([], scene.leavings())

    def test_sigint_ends_a_run_at_a_batch_boundary(self):
        self.stop("csv", lambda scene, process: process.send_signal(signal.SIGINT))

    def test_sigint_to_the_whole_group_as_a_terminal_sends_it_ends_a_run_at_a_batch_boundary(self):
        self.stop("parquet", lambda scene, process: os.killpg(process.pid, signal.SIGINT))

    def test_sigterm_ends_a_run_at_a_batch_boundary(self):
        self.stop("sqlite", lambda scene, process: process.send_signal(signal.SIGTERM))

    def test_the_command_stop_ends_a_run_at_a_batch_boundary(self):
        def ask(scene, _):
            done = scene.type("stop", "last", "--state", scene.state)
            self.assertEqual(0, done.code, done)
        self.stop("csv", ask)


if __name__ == "__main__":
    unittest.main(verbosity=2)
