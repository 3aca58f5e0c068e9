#!/usr/bin/env python3
"""Business logic that waits: `workers: auto` has more records in work at once than there are cores, says why, and what
comes out is what one worker makes. The logic is tests/programs/waiting.cpp.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

PROGRAM = pathlib.Path(scenes.TRANCHE).parent / "programs" / "waiting"
CORES = len(os.sched_getaffinity(0))


def records(count, deeds=()):
    """Texts of many lengths, so that they are short and long strings to Tranche."""
    deeds = dict(deeds)
    return {i: deeds.get(i, "x" * (i % 30)) for i in range(count)}


class Folder:
    """A folder with records.csv, in which the program runs."""

    def __init__(self, deeds, **environment):
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-waiting-")
        self.root = pathlib.Path(self.folder.name)
        self.deeds = deeds
        self.environment = {name: str(value) for name, value in environment.items()}

    def __enter__(self):
        lines = ["id,deed\n"] + [f'{i},"{deed}"\n' for i, deed in self.deeds.items()]
        (self.root / "records.csv").write_text("".join(lines))
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def run(self, *words):
        environment = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8", **self.environment)
        environment.pop("TRANCHE_STATE", None)
        environment["ASAN_OPTIONS"] = "handle_abort=0:detect_leaks=0"
        environment["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + ":handle_abort=0"
        done = subprocess.run([PROGRAM, "run", "--json", *words], cwd=self.root, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                              timeout=scenes.SECONDS_MAX, check=False)
        return scenes.Done(done.returncode, done.stdout, done.stderr)

    def output(self):
        return (self.root / "out.csv").read_text()

    def rejects(self, done):
        path = done.json.get("rejects")
        found = [json.loads(line) for line in (self.root / path).read_text().splitlines()] if path else []
        for reject in found:
            reject.pop("run")
        return found


class Waiting(scenes.Case):
    def what_comes(self, deeds, *words, **environment):
        with Folder(deeds, **environment) as folder:
            done = self.expect(0, folder.run(*words))
            return done.json["steps"][0], folder.output(), folder.rejects(done)

    def test_auto_has_more_at_once_than_there_are_cores_and_says_why(self):
        step, output, _ = self.what_comes(records(4000), AT_ONCE=64)
        self.assertEqual("threads", step["workers"]["kind"])
        self.assertGreater(step["workers"]["count"], CORES, step["workers"])
        self.assertIn("the work waits", step["workers"]["why"])
        self.assertEqual(4001, len(output.splitlines()))

    def test_as_many_as_asked_are_at_once_even_in_a_single_page(self):
        step, _, _ = self.what_comes(records(640), "--workers", "64", AT_ONCE=64)
        self.assertEqual({"kind": "threads", "count": 64, "why": "as asked"}, step["workers"])

    def test_output_and_rejects_do_not_depend_on_the_number_of_workers(self):
        deeds = records(1200, [(i, "reject") for i in range(0, 1200, 7)] + [(i, "filter") for i in range(5, 1200, 11)])
        expected = None
        for workers in ("1", "2", "auto", "50"):
            with self.subTest(workers=workers):
                step, output, rejects = self.what_comes(deeds, "--workers", workers, MILLISECONDS=1)
                self.assertGreater(len(rejects), 150)
                self.assertGreater(step["read"] - step["written"] - len(rejects), 80)  # were filtered
                step.pop("workers"), step.pop("seconds")
                expected = expected or (step, output, rejects)
                self.assertEqual(expected, (step, output, rejects))

    def test_a_record_that_kills_its_lane_is_quarantined_alone(self):
        deeds = records(1500, [(700, "abort")])
        with Folder(deeds, MILLISECONDS=5) as folder:
            done = self.expect(0, folder.run("--workers", "{ threads: 16, timeout: 60s }"))
            rejects = folder.rejects(done)
            self.assertEqual([700], [reject["record"] for reject in rejects], rejects)
            self.assertIn("signal 6 (SIGABRT)", rejects[0]["error"])
            self.assertEqual(1500, len(folder.output().splitlines()))

    def test_a_record_that_hangs_in_its_lane_is_quarantined_alone(self):
        deeds = records(1500, [(700, "hang")])
        with Folder(deeds, MILLISECONDS=5) as folder:
            done = self.expect(0, folder.run("--workers", "{ threads: 16, timeout: 2s }"))
            rejects = folder.rejects(done)
            self.assertEqual([700], [reject["record"] for reject in rejects], rejects)
            self.assertIn("made no progress", rejects[0]["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
