#!/usr/bin/env python3
"""What is around a run goes wrong: the same job is started many times at once, the state folder can't be written or is of
a newer version, somebody sets the clock."""
import hashlib
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import kills
import report
import scene as scenes

faults = every_call.faults
YEARS = 10 * 365 * 86400
BUSY = 4


def setUpModule():
    global seed, folder, bench
    seed = report.take_seed()
    every_call.work_in_memory()
    folder = tempfile.TemporaryDirectory(prefix="tranche-around-")
    bench = every_call.Bench(folder.name)


def tearDownModule():
    folder.cleanup()


def digests(root):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.rglob("*")) if path.is_file()}


class Around(scenes.Case):
    def scene(self, sink):
        bench.expect(sink)
        scene = scenes.Scene(bench.job(sink))
        self.addCleanup(scene.__exit__)
        kills.prepare_target(scene, sink)
        return scene

    def complete(self, sink, scene, done, where=""):
        self.assertEqual(0, done.code, f"{where}\n{done}")
        self.assertEqual([], kills.differences(bench.expect(sink), scene, done), where)


class AtOnce(Around):
    def test_of_many_runs_that_start_together_each_waits_its_turn_or_says_that_it_is_busy(self):
        for sink in ("csv", "parquet", "sqlite append", "duckdb append"):
            for wait in ([], ["--wait", "5m"]):
                with self.subTest(sink=sink, wait=wait):
                    scene = self.scene(sink)
                    all_done = [scene.finish(process) for process in [scene.start_run(*wait) for _ in range(6)]]
                    codes = {done.code for done in all_done}
                    self.assertIn(0, codes)
                    self.assertLessEqual(codes, {0} if wait else {0, BUSY}, "\n".join(map(str, all_done)))
                    if sink != "csv":  # which is written anew by each: an append is loaded once
                        self.assertEqual(1, sum(done.code == 0 and not done.json.get("already_loaded") for done in all_done))
                    self.assertEqual([], kills.differences(bench.expect(sink), scene))


class StateFolder(Around):
    def as_nobody(self, scene):
        """Root may write everywhere."""
        if os.geteuid() != 0:
            return []
        if shutil.which("setpriv") is None:
            self.skipTest("setpriv is not installed")
        for path in (pathlib.Path(folder.name), scene.root, scene.out):
            path.chmod(0o777)
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def test_one_that_cannot_be_written_is_said_before_anything_is_done(self):
        scene = self.scene("csv")
        scene.state.mkdir()
        scene.state.chmod(0o555)
        before = self.as_nobody(scene)
        done = scene.finish(scene.start_run(before=before))
        self.expect(2, done, str(scene.state), "ermission denied")
        self.assertEqual({}, digests(scene.out))
        scene.state.chmod(0o777)
        self.complete("csv", scene, scene.finish(scene.start_run(before=before)))

    def test_one_that_can_no_longer_be_written_keeps_what_it_has(self):
        scene = self.scene("sqlite append")
        before = self.as_nobody(scene)
        process = scene.start_run(before=before, fault="kill:committed:3")
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().commits >= 2, "no commits")
        scenes.kill_group(process)
        process.communicate()
        everything = [scene.state, *scene.state.rglob("*")]
        for path in everything:
            path.chmod(0o555)
        kept = digests(scene.state)
        done = scene.finish(scene.start_run(before=before))
        self.assertIn(done.code, (1, 2), done)
        self.assertRegex(done.err, "ermission denied|readonly|can't be written|unable to open", done)
        self.assertEqual(kept, digests(scene.state))
        for path in everything:
            path.chmod(0o777)
        self.complete("sqlite append", scene, scene.finish(scene.start_run(before=before)))

    def test_one_of_a_newer_version_is_left_as_it_is(self):
        scene = self.scene("sqlite append")
        self.complete("sqlite append", scene, scene.run())
        connection = sqlite3.connect(scene.state / "ledger.db")
        known = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {known + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        before = digests(scene.state / "runs") | digests(scene.out)
        ledger = (scene.state / "ledger.db").read_bytes()
        for words in (scene.run_words(), ["runs", "--state", scene.state], ["status", "last", "--state", scene.state],
                      ["resume", "last", "--state", scene.state], ["abandon", "last", "--state", scene.state],
                      ["verify", "last", "--state", scene.state], ["rejects", "last", "--state", scene.state]):
            with self.subTest(words=words[0]):
                done = scene.type(*words)
                self.assertIn(done.code, (1, 2), done)
                self.assertIn("newer version of Tranche", done.err)
        self.assertEqual(before, digests(scene.state / "runs") | digests(scene.out))
        self.assertEqual(ledger, (scene.state / "ledger.db").read_bytes())


class Clock(Around):
    def test_one_that_jumps_changes_nothing_but_the_times(self):
        draw = random.Random(f"{seed}/clock")
        for sink in ("csv", "parquet", "sqlite replace", "duckdb append"):
            last = bench.calls_of(sink, every_call.KILL)
            for seconds in (-YEARS, YEARS):
                at = draw.randint(1, last)
                with self.subTest(sink=sink, seconds=seconds), self.disturbed(sink) as (scene, calls):
                    calls.jump(at, seconds)
                    self.complete(sink, scene, scene.finish(scene.start_run(before=calls.before)), f"seed {seed}")
                    self.assertGreater(calls.hits, 0)

    def test_a_run_that_began_in_the_future_or_the_past_is_resumed_in_the_present(self):
        draw = random.Random(f"{seed}/resumed")
        for sink in ("csv", "parquet", "sqlite upsert", "duckdb append"):
            for seconds in (-YEARS, YEARS):
                with self.subTest(sink=sink, seconds=seconds), self.disturbed(sink) as (scene, calls):
                    calls.jump(1, seconds)
                    process = scene.start_run(before=calls.before, fault=f"kill:committed:{draw.randint(1, 5)}")
                    watch = scene.watch()
                    scenes.wait_until(lambda: watch.look().commits > 0 or process.poll() is not None, "no commits")
                    scenes.kill_group(process)
                    process.communicate()
                    started = scene.ask_ledger(lambda db: db.execute("SELECT started FROM runs").fetchone()[0])
                    self.assertGreater(abs(started / 1e6 - pathlib.Path(scene.job).stat().st_mtime), YEARS / 2)
                    self.complete(sink, scene, scene.run(), f"seed {seed}")

    def disturbed(self, sink):
        return Disturbed(self.scene(sink))


class Disturbed:
    """A scene with calls that can be disturbed."""

    def __init__(self, scene):
        self.scene = scene
        self.calls = faults.Calls(scene.root)

    def __enter__(self):
        return self.scene, self.calls

    def __exit__(self, *_):
        self.calls.__exit__()


if __name__ == "__main__":
    unittest.main(verbosity=2)
