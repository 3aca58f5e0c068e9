#!/usr/bin/env python3
"""Going on after a failure, after changes of input and job, and after a completed run; two runs at once; giving up;
verifying. Everything here is what a person types, and what the exit code and the output say to it.
"""
import os
import pathlib
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 1_000
BAD = (405, 411, 777)  # records of batches 4 and 7


def line(i):
    return f"bad-{i},text {i}" if i in BAD else f"{i},text {i}"


def input_text(lines=None):
    return "a,b\n" + "".join(text + "\n" for text in lines or [line(i) for i in range(RECORDS)])


WRITES = {
    "csv": "{ csv: out/o.csv }",
    "parquet": "{ parquet: out/o, mode: append, part_size: 1KiB }",
    "sqlite": "{ sqlite: out/o.db, table: t, mode: append }",
}


def job_text(sink, process="", max_rejects=0, extra=""):
    return f"""job: resumed
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ a: integer, b: varchar }}{extra} }}
    batch: {{ rows: 100 }}
    on_error: {{ max_rejects: {max_rejects} }}{process or chr(10)}    write: {WRITES[sink]}
"""


def sql(text):
    return f"\n    process:\n      - sql: {text}\n"


class Case(scenes.Case):
    def scene(self, job, text=None):
        scene = scenes.Scene(job)
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", input_text() if text is None else text)
        return scene

    def keys(self, scene, sink):
        """The values of the first column in the output, as they come."""
        if sink == "sqlite":
            connection = sqlite3.connect(f"file:{scene.out}/o.db?mode=ro", uri=True)
            try:
                return [row[0] for row in connection.execute("SELECT a FROM t ORDER BY rowid")]
            finally:
                connection.close()
        if sink == "parquet":
            # Tranche reads its own parts back, in the order of their names.
            with scenes.Scene(f"job: back\nsteps:\n  - name: back\n    read: {{ parquet: '{scene.out}/o/*.parquet' }}\n"
                              "    write: { csv: out/o.csv }\n") as back:
                self.assertEqual(0, back.run().code)
                return self.keys(back, "csv")
        lines = (scene.out / "o.csv").read_text().splitlines()
        self.assertEqual("a", lines[0].split(",")[0])
        return [int(text.split(",")[0]) for text in lines[1:]]


class Failures(Case):
    def test_a_failed_run_goes_on_when_its_limit_is_raised(self):
        for sink in WRITES:
            with self.subTest(sink=sink):
                scene = self.scene(job_text(sink))
                done = self.expect(1, scene.run(), "in.csv, line 407", "bad-405", "bad-411", "2 bad records")
                self.assertNotIn("bad-777", done.err)
                self.assertEqual("failed", done.json["state"])
                self.assertEqual(4, scene.look().commits)
                if sink == "sqlite":
                    self.assertEqual(list(range(400)), self.keys(scene, sink))
                else:
                    self.assertEqual([], [p for p in scene.out.rglob("*") if p.is_file() and p.suffix != ".tmp"])
                self.expect(1, scene.run("--max-rejects", "2"), "line 779")
                self.assertEqual(7, scene.look().commits)
                scene.write_job(job_text(sink, max_rejects=3))  # the limit is no part of what was loaded
                done = self.expect(0, scene.run())
                step = done.json["steps"][0]
                self.assertEqual((997, 3, 10, 7), tuple(step[key] for key in (
                    "written", "rejected", "batches", "batches_resumed")))
                self.assertEqual([i for i in range(RECORDS) if i not in BAD], self.keys(scene, sink))
                self.assertEqual([i for i in BAD], [reject["record"] for reject in scene.rejects()])
                self.assertEqual([], scene.leavings())

    def test_a_mended_line_is_accepted_and_every_record_comes_once(self):
        for sink in WRITES:
            with self.subTest(sink=sink):
                scene = self.scene(job_text(sink))
                self.expect(1, scene.run(), "line 407")
                mended = input_text([f"{i},text {i}" for i in range(RECORDS)])
                scene.write("in.csv", mended)
                self.expect(2, scene.run(), "in.csv", "--accept input", "--fresh")
                self.assertEqual(4, scene.look().commits, "a refusal changes nothing")
                done = self.expect(0, scene.run("--accept", "input"))
                step = done.json["steps"][0]
                self.assertEqual((1000, 0, 4), (step["written"], step["rejected"], step["batches_resumed"]))
                self.assertEqual(list(range(RECORDS)), self.keys(scene, sink))
                self.assertIn("input was accepted", " ".join(done.json.get("warnings", [])) + done.err)
                self.assertEqual([], scene.rejects())

    def test_input_that_changed_where_it_is_committed_is_never_accepted(self):
        scene = self.scene(job_text("csv"))
        self.expect(1, scene.run())
        changed = input_text().replace("\n17,text 17\n", "\n18,text 17\n")
        scene.write("in.csv", changed)
        self.expect(2, scene.run("--accept", "input"), "batch 0", "--fresh")
        self.expect(1, scene.run("--fresh"), "line 407")
        self.expect(0, scene.run("--max-rejects", "3"))
        self.assertEqual(18, self.keys(scene, "csv")[17])

    def test_a_record_that_was_mended_into_two_lines_and_one_that_went_are_planned_anew(self):
        scene = self.scene(job_text("sqlite"))
        self.expect(1, scene.run())
        lines = [f"{i},text {i}" for i in range(RECORDS) if i != 500]
        lines[405] = '405,"two\nlines"'
        scene.write("in.csv", input_text(lines))
        self.expect(0, scene.run("--accept", "input"))
        self.assertEqual([i for i in range(RECORDS) if i != 500], self.keys(scene, "sqlite"))

    def test_an_input_that_is_gone_is_named(self):
        scene = self.scene(job_text("csv"))
        self.expect(1, scene.run())
        (scene.root / "in.csv").rename(scene.root / "elsewhere.csv")
        self.expect(2, scene.run(), "in.csv")
        (scene.root / "elsewhere.csv").rename(scene.root / "in.csv")
        self.expect(0, scene.run("--max-rejects", "3"))

    def test_a_changed_sql_is_refused_until_it_is_accepted(self):
        scene = self.scene(job_text("sqlite", sql("SELECT a, b FROM batch")))
        self.expect(1, scene.run())
        scene.write_job(job_text("sqlite", sql("SELECT a, upper(b) AS b FROM batch"), max_rejects=3))
        self.expect(2, scene.run(), "job", "upper(b)", "--accept job")
        done = self.expect(0, scene.run("--accept", "job"))
        self.assertEqual(4, done.json["steps"][0]["batches_resumed"])
        connection = sqlite3.connect(scene.out / "o.db")
        rows = connection.execute("SELECT a, b FROM t ORDER BY rowid").fetchall()
        connection.close()
        self.assertEqual([(i, f"text {i}" if i < 400 else f"TEXT {i}") for i in range(RECORDS) if i not in BAD], rows)

    def test_a_changed_lookup_table_is_refused_by_its_name_until_it_is_accepted(self):
        process = sql("SELECT a, b, word FROM batch LEFT JOIN words USING (a)") + (
            "        tables: { words: { csv: words.csv, columns: { a: integer, word: varchar } } }\n")
        scene = self.scene(job_text("csv", process))
        scene.write("words.csv", "a,word\n1,one\n900,nine hundred\n")
        self.expect(1, scene.run())
        scene.write("words.csv", "a,word\n1,uno\n900,novecento\n")
        self.expect(2, scene.run(), "lookup table words", "--accept code")
        self.expect(0, scene.run("--accept", "code", "--max-rejects", "3"))
        text = (scene.out / "o.csv").read_text()
        self.assertIn("1,text 1,one\n", text)
        self.assertIn("900,text 900,novecento\n", text)

    def test_what_does_not_shape_the_output_may_change(self):
        scene = self.scene(job_text("csv"))
        self.expect(1, scene.run())
        scene.write_job(job_text("csv", max_rejects=3).replace("job: resumed\n",
                                                               "job: resumed\ndescription: other\nmemory: 300MiB\n"))
        self.expect(0, scene.run("--workers", "3"))

    def test_fresh_starts_anew_and_takes_back_what_was_not_sealed(self):
        for sink in ("csv", "parquet"):
            with self.subTest(sink=sink):
                scene = self.scene(job_text(sink))
                self.expect(1, scene.run())
                done = self.expect(0, scene.run("--fresh", "--max-rejects", "3"))
                self.assertEqual(0, done.json["steps"][0]["batches_resumed"])
                self.assertEqual([i for i in range(RECORDS) if i not in BAD], self.keys(scene, sink))
                self.assertEqual([], scene.leavings())

    def test_rows_committed_to_a_table_are_given_up_only_when_that_is_said(self):
        scene = self.scene(job_text("sqlite"))
        self.expect(1, scene.run())
        done = scene.run("--fresh", "--max-rejects", "3")
        self.assertIn(done.code, (1, 2), done)
        self.assertIn("--accept committed", done.err + done.out)
        self.assertEqual(400, len(self.keys(scene, "sqlite")))
        self.expect(0, scene.run("--fresh", "--accept", "committed", "--max-rejects", "3"))
        self.assertEqual(list(range(400)) + [i for i in range(RECORDS) if i not in BAD], self.keys(scene, "sqlite"))


class Completed(Case):
    def test_an_append_is_loaded_once_until_again_is_said_or_something_changes(self):
        for sink in ("parquet", "sqlite"):
            with self.subTest(sink=sink):
                scene = self.scene(job_text(sink, max_rejects=3))
                run = self.expect(0, scene.run()).json["run"]
                once = self.keys(scene, sink)
                done = self.expect(0, scene.run(), "already loaded")
                self.assertEqual(run, done.json["run"])
                self.assertEqual(once, self.keys(scene, sink))
                again = self.expect(0, scene.run("--again")).json["run"]
                self.assertNotEqual(run, again)
                self.assertEqual(once + once, self.keys(scene, sink))
                scene.write("in.csv", input_text([f"{i},more" for i in range(5000, 5100)]))
                self.expect(0, scene.run())
                self.assertEqual(once + once + list(range(5000, 5100)), self.keys(scene, sink))

    def test_a_file_is_written_anew_by_every_run(self):
        scene = self.scene(job_text("csv", max_rejects=3))
        first = self.expect(0, scene.run()).json["run"]
        second = self.expect(0, scene.run()).json["run"]
        self.assertNotEqual(first, second)
        self.assertEqual([i for i in range(RECORDS) if i not in BAD], self.keys(scene, "csv"))

    def test_verify_finds_a_flipped_byte_and_a_part_that_is_gone(self):
        for sink in ("csv", "parquet"):
            with self.subTest(sink=sink):
                scene = self.scene(job_text(sink, max_rejects=3))
                self.expect(0, scene.run())
                verify = ("verify", "last", "--state", scene.state)
                self.expect(0, scene.type(*verify))
                path = sorted(p for p in scene.out.rglob("*") if p.suffix in (".csv", ".parquet"))[-1]
                good = path.read_bytes()
                flipped = bytearray(good)
                flipped[len(good) // 2] ^= 1
                path.write_bytes(flipped)
                self.expect(1, scene.type(*verify), path.name)
                path.write_bytes(good[:-1])
                self.expect(1, scene.type(*verify), path.name)
                path.unlink()
                self.expect(1, scene.type(*verify), path.name)
                path.write_bytes(good)
                self.expect(0, scene.type(*verify))

    def test_verify_finds_rows_that_are_gone(self):
        scene = self.scene(job_text("sqlite", max_rejects=3))
        self.expect(0, scene.run())
        verify = ("verify", "last", "--state", scene.state)
        self.expect(0, scene.type(*verify))
        connection = sqlite3.connect(scene.out / "o.db")
        connection.execute("DELETE FROM t WHERE a = 500")
        connection.commit()
        connection.close()
        self.expect(1, scene.type(*verify), "996 rows", "997")


class TwoAtOnce(Case):
    """A run that lasts as long as the test wants: its engine is stopped by SIGSTOP."""

    def frozen(self, scene):
        process = scene.start_run("--max-rejects", "3")
        scenes.wait_until(lambda: scenes.children_of(process.pid), "no engine")
        engine = scenes.children_of(process.pid)[0]
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().run_state == "running", "no run")
        watch.close()
        os.kill(engine, signal.SIGSTOP)
        return process, engine

    def long_text(self):
        return input_text([f"{i},{'text ' * 20}{i}" for i in range(40_000)])

    def test_a_second_run_of_the_job_is_refused_or_waits(self):
        scene = self.scene(job_text("csv"), self.long_text())
        process, engine = self.frozen(scene)
        try:
            self.expect(4, scene.run(), "--wait")
            self.expect(4, scene.type("abandon", "last", "--state", scene.state))
            waiting = scene.start_run("--wait", "2m")
            time.sleep(0.2)
            self.assertIsNone(waiting.poll(), "it did not wait")
        finally:
            os.kill(engine, signal.SIGCONT)
        self.expect(0, scene.finish(process))
        self.expect(0, scene.finish(waiting))
        self.assertEqual(list(range(40_000)), self.keys(scene, "csv"))

    def test_two_jobs_never_write_one_target_at_once(self):
        scene = self.scene(job_text("csv"), self.long_text())
        other = scene.root / "other.yaml"
        other.write_text(job_text("csv").replace("job: resumed", "job: other"))
        process, engine = self.frozen(scene)
        try:
            watch = scene.watch()
            self.expect(4, scene.type("run", other), "o.csv")
            watch.close()
        finally:
            os.kill(engine, signal.SIGCONT)
        self.expect(0, scene.finish(process))
        self.expect(0, scene.type("run", other))

    def test_a_killed_run_is_seen_as_interrupted_and_can_be_given_up(self):
        scene = self.scene(job_text("csv"), self.long_text())
        process, _ = self.frozen(scene)
        scenes.kill_group(process)
        process.communicate()
        status = self.expect(0, scene.type("status", "last", "--state", scene.state, "--json")).json
        self.assertEqual(("interrupted", False), (status["state"], status["alive"]))
        self.expect(0, scene.type("abandon", "last", "--state", scene.state))
        self.assertEqual([], scene.leavings())
        self.assertFalse((scene.out / "o.csv").exists())
        done = self.expect(0, scene.run())
        self.assertEqual(0, done.json["steps"][0]["batches_resumed"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
