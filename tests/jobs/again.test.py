#!/usr/bin/env python3
"""No row is lost and none comes twice when a run is begun, resumed or given up after another one that a crash, a
failure or a person ended at a bad moment.
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 1_000


def input_text(records=RECORDS):
    return "a,b\n" + "".join(f"{i},text {i}\n" for i in range(records))


def job_text(rows=100, more=""):
    return f"""job: again
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ a: integer, b: varchar }} }}
    batch: {{ rows: {rows} }}
    write: {{ sqlite: out/o.db, table: t, mode: append }}
{more}"""


def open_files(pid):
    try:
        return [os.readlink(descriptor) for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # the process is gone, or just closed one
        return []


class Case(unittest.TestCase):
    def scene(self, job):
        scene = scenes.Scene(job)
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", input_text())
        return scene

    def expect(self, code, done, *words):
        self.assertEqual(code, done.code, done)
        for word in words:
            self.assertIn(word, done.err + done.out)
        return done

    def keys(self, scene):
        connection = sqlite3.connect(f"file:{scene.out}/o.db?mode=ro", uri=True)
        try:
            return [row[0] for row in connection.execute("SELECT a FROM t ORDER BY rowid")]
        finally:
            connection.close()


class Resumed(Case):
    def test_a_commit_that_only_the_target_knows_is_not_planned_anew(self):
        scene = self.scene(job_text())
        scene.write("in.csv", input_text().replace("\n300,", "\nbad,"))
        self.expect(1, scene.run(), "in.csv, line 302")
        # As a crash right behind the target's commit leaves it.
        with contextlib.closing(sqlite3.connect(scene.state / "ledger.db")) as ledger, ledger:
            ledger.execute("DELETE FROM commits WHERE group_number = 2")
        self.assertEqual((2, 300), (scene.look().commits, len(self.keys(scene))), "the target is ahead")
        scene.write_job(job_text(rows=150))
        self.expect(2, scene.run("--max-rejects", "1"), "--accept job")
        done = self.expect(0, scene.run("--max-rejects", "1", "--accept", "job"))
        self.assertEqual([key for key in range(RECORDS) if key != 300], self.keys(scene))
        self.assertEqual(RECORDS - 1, done.json["steps"][0]["written"])

    def test_a_run_that_completed_before_its_engine_died_is_not_begun_again(self):
        scene = self.scene(job_text().replace("sqlite: out/o.db, table: t, mode: append", "csv: out/o.csv"))
        done = self.expect(0, scene.run(fault="kill:ended"))
        self.assertEqual(("completed", RECORDS), (done.json["state"], done.json["steps"][0]["written"]))
        runs = scene.ask_ledger(lambda ledger: ledger.execute("SELECT count(*), max(starts) FROM runs").fetchone())
        self.assertEqual((1, 1), runs)

    def test_what_was_added_before_the_place_to_go_on_is_never_accepted(self):
        scene = self.scene(job_text().replace("csv: in.csv", "csv: [in.csv, more.csv]"))
        more = "a,b\n" + "".join(f"{i},more\n" for i in range(250)) + "x,bad"
        scene.write("more.csv", more)
        self.expect(1, scene.run(), "more.csv, line 252")
        scene.write("in.csv", input_text(RECORDS + 1))
        self.expect(2, scene.run("--accept", "input"), "in.csv had", "--fresh")
        scene.write("in.csv", input_text())
        scene.write("more.csv", more.replace("x,bad", "250,good\n"))
        self.expect(0, scene.run("--accept", "input"))
        self.assertEqual([*range(RECORDS), *range(251)], self.keys(scene))

    def test_a_committed_record_that_grew_is_never_accepted(self):
        scene = self.scene(job_text().replace("csv: in.csv", "csv: [in.csv, more.csv]"))
        scene.write("in.csv", input_text(200)[:-1])
        scene.write("more.csv", "a,b\nx,bad\n")
        self.expect(1, scene.run(), "more.csv, line 2")
        scene.write("in.csv", input_text(200)[:-1] + "9\n")
        done = scene.run("--accept", "input", "--max-rejects", "5")
        self.assertNotEqual(0, done.code, done)
        self.assertIn("within the last record", done.err)

    def test_a_target_that_was_accepted_is_remembered_as_what_it_is(self):
        append = job_text()
        scene = self.scene(append.replace("sqlite: out/o.db, table: t, mode: append", "csv: out/o.csv"))
        self.expect(1, scene.run(fault="kill:applied"))
        scene.write_job(append)
        self.expect(0, scene.run("--accept", "job"))
        self.expect(0, scene.run(), "already loaded")
        self.assertEqual(list(range(RECORDS)), self.keys(scene))


class GivenUp(Case):
    BROKEN_SECOND_STEP = """  - name: second
    read: { csv: second.csv, columns: { a: integer } }
    write: { csv: out/second.csv }
"""

    def test_rows_that_a_finished_step_appended_are_left_only_when_that_is_said(self):
        scene = self.scene(job_text(more=self.BROKEN_SECOND_STEP))
        scene.write("second.csv", "a\nno number\n")
        self.expect(1, scene.run(), "no number")
        self.expect(2, scene.run("--fresh"), "1000 rows", "--accept committed")
        self.expect(2, scene.type("abandon", "last", "--state", scene.state), "1000 rows", "--accept committed")
        self.assertEqual(list(range(RECORDS)), self.keys(scene))
        scene.write("second.csv", "a\n1\n")
        self.expect(2, scene.run(), "second.csv", "--accept input")  # no batch was dispatched
        self.expect(0, scene.run("--accept", "input"))
        self.assertEqual(list(range(RECORDS)), self.keys(scene))

    def test_what_is_loaded_stays_loaded_when_a_later_run_was_given_up(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run())
        for give_up in (lambda: scene.type("abandon", "last", "--state", scene.state), lambda: scene.run("--fresh")):
            self.expect(1, scene.run("--again", fault="kill:applied"))
            self.expect(0, give_up())
            self.expect(0, scene.run(), "already loaded")
            self.assertEqual(list(range(RECORDS)), self.keys(scene))


    def test_a_file_that_was_touched_or_copied_back_is_loaded_already(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run())
        os.utime(scene.root / "in.csv")
        self.expect(0, scene.run(), "already loaded")
        scene.write("in.csv", input_text().replace("text 7\n", "word 7\n"))
        self.expect(0, scene.run())
        self.assertEqual(2 * RECORDS, len(self.keys(scene)))

    def test_what_was_loaded_into_a_target_that_is_gone_is_loaded_again(self):
        scene = self.scene(job_text())
        for take_away in (lambda: (scene.out / "o.db").unlink(), lambda: self.drop_table(scene)):
            self.expect(0, scene.run())
            self.expect(0, scene.run(), "already loaded")
            take_away()
            self.expect(0, scene.run())
            self.assertEqual(list(range(RECORDS)), self.keys(scene))

    def test_an_increment_into_a_target_that_is_gone_begins_from_the_first_record(self):
        for target in ("sqlite: out/o.db, table: t", "duckdb: out/o.duckdb, table: t", "parquet: out/t"):
            for read in ("sqlite: in.db, table: s, incremental: { column: a }", 'csv: "*.csv", incremental: { files: true }'):
                with self.subTest(target=target, read=read):
                    scene = self.scene(f"job: grow\nsteps:\n  - name: load\n    read: {{ {read} }}\n"
                                       f"    write: {{ {target}, mode: append }}\n")
                    with contextlib.closing(sqlite3.connect(scene.root / "in.db")) as connection:
                        connection.executescript("CREATE TABLE s (a INTEGER PRIMARY KEY, b); INSERT INTO s VALUES (1, 'x');")
                    self.assertGreater(self.expect(0, scene.run()).json["steps"][0]["written"], 0)
                    self.assertEqual(0, self.expect(0, scene.run()).json["steps"][0]["written"])
                    shutil.rmtree(scene.out)
                    done = self.expect(0, scene.run())
                    self.assertGreater(done.json["steps"][0]["written"], 0)
                    self.assertIn("reads everything again", str(done.json["warnings"]))

    def drop_table(self, scene):
        with contextlib.closing(sqlite3.connect(scene.out / "o.db")) as connection:
            connection.execute("DROP TABLE t")


class Crashed(Case):
    def kill_engines(self, scene, process, count):
        """Kills engines that wait for the ledger, each before it has begun a run."""
        killed = set()

        def kill_one():
            for child in scenes.children_of(process.pid):
                waits = any(".tranche/ledger.db" in name for name in open_files(child))
                if waits and child not in killed:
                    os.kill(child, signal.SIGKILL)
                    killed.add(child)
            return len(killed) == count

        scenes.wait_until(kill_one, "engines that open the ledger")

    def locked(self, scene):
        connection = sqlite3.connect(scene.state / "ledger.db", isolation_level=None)
        self.addCleanup(connection.close)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def test_a_crash_before_a_run_began_changes_nothing_of_the_run_before(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run())
        scene.write("in.csv", input_text(1) + "1000,more\n")
        ledger = self.locked(scene)
        process = scene.start_run()
        self.kill_engines(scene, process, 3)
        ledger.execute("ROLLBACK")
        self.expect(1, scene.finish(process), "3 times")
        self.assertEqual("completed", scene.look().run_state)
        self.expect(0, scene.run())
        self.assertEqual([*range(RECORDS), 0, 1000], self.keys(scene), "the new input is loaded too")

    def test_again_holds_until_a_run_has_begun(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run())
        ledger = self.locked(scene)
        process = scene.start_run("--again")
        self.kill_engines(scene, process, 1)
        ledger.execute("ROLLBACK")
        self.expect(0, scene.finish(process))
        self.assertEqual(2 * [*range(RECORDS)], self.keys(scene))


class Waiting(Case):
    def hold(self, scene, is_target):
        """Takes the lock of the job, or of its target, as another run does."""
        path = next(p for p in (scene.state / "locks").iterdir() if p.name.startswith("target-") == is_target)
        lock = open(path, "rb")
        self.addCleanup(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def takes_signals(self, pid):
        def target(path):
            try:
                return os.readlink(path)
            except OSError:  # closed since
                return ""
        return any("signalfd" in target(path) for path in pathlib.Path(f"/proc/{pid}/fd").glob("*"))

    def test_ctrl_c_ends_the_wait_for_another_run(self):
        for is_target in (False, True):
            with self.subTest(is_target=is_target):
                scene = self.scene(job_text())
                self.expect(1, scene.run(fault="kill:applied"))
                lock = self.hold(scene, is_target)
                process = scene.start_run("--wait", "1h")
                if is_target:
                    watch = scene.watch()
                    scenes.wait_until(lambda: watch.look().run_state == "running", "no run")
                    watch.close()
                else:
                    scenes.wait_until(lambda: self.takes_signals(process.pid), "it waits, and listens to signals")
                os.kill(process.pid, signal.SIGINT)
                self.expect(3, scene.finish(process))
                lock.close()
                self.expect(0, scene.run())
                self.assertEqual(list(range(RECORDS)), self.keys(scene))

    def test_a_resumed_run_whose_target_is_busy_says_so_by_its_exit_code(self):
        scene = self.scene(job_text())
        self.expect(1, scene.run(fault="kill:applied"))
        lock = self.hold(scene, True)
        self.expect(4, scene.run(), "o.db", "--wait")
        lock.close()
        self.expect(0, scene.run())

    def test_an_earlier_run_is_not_alive_because_a_later_one_is(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run())
        run = scene.type("status", "last", "--state", scene.state, "--json").json["run"]
        self.hold(scene, False)
        self.expect(2, scene.type("stop", run, "--state", scene.state), "not running", "completed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
