#!/usr/bin/env python3
"""A part of the proof of every call, within a minute or so: `make torture-calls` is the whole.

Every sink meets every fault at a few of its calls; the seed draws which.
"""
import pathlib
import random
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import postgres_server
import report
import scene as scenes

faults = every_call.faults
STRACED = {"openat": "open", "mkdir": "mkdir", "rename": "rename", "linkat": "rename", "unlink": "remove",
           "ftruncate": "truncate", "fsync": "sync", "fdatasync": "sync", "write": "write", "pwrite64": "write",
           "writev": "write"}


def setUpModule():
    global seed, server, folder, bench
    seed = report.take_seed()
    every_call.work_in_memory()
    server = postgres_server.for_module()
    folder = tempfile.TemporaryDirectory(prefix="tranche-calls-")
    bench = every_call.Bench(folder.name, server.port)


def tearDownModule():
    folder.cleanup()


class EveryCall(unittest.TestCase):
    # How many calls of a sink each fault meets.
    KILLS = 4
    OTHERS = 1

    def meet(self, sink, fault, times):
        last = bench.calls_of(sink, fault)
        draw = random.Random(f"{seed}/{sink}/{fault.name}")
        for part in range(times):
            at = draw.randint(1 + part * last // times, (part + 1) * last // times)
            outcome = bench.disturb(sink, fault, at)
            self.assertEqual([], outcome.wrong, f"seed {seed}: {outcome}")

    def meet_all(self, sink):
        for fault in every_call.faults_of(sink):
            with self.subTest(fault=fault.name):
                self.meet(sink, fault, self.KILLS if fault is every_call.KILL else self.OTHERS)


    # A page that could not be written is clean for Linux from then on: the next sync would know of nothing.
    def test_a_sync_of_the_target_that_failed_is_never_passed_over(self):
        draw = random.Random(f"{seed}/syncs")
        for sink in ("csv", "parquet", "sqlite append", "duckdb append"):
            last = bench.calls_of(sink, every_call.FAILED_SYNC, below="out")
            for at in draw.sample(range(1, last + 1), min(last, 8 if report.IS_WHOLE else 4)):
                with self.subTest(sink=sink, at=at):
                    outcome = bench.disturb(sink, every_call.FAILED_SYNC, at, below="out")
                    self.assertEqual([], outcome.wrong, f"seed {seed}: {outcome}")

    # What makes a target is done once, at its first calls: by chance hardly one of them would be met.
    def test_a_target_that_is_being_made_is_made_when_the_run_goes_on(self):
        for sink in every_call.SINKS:
            first = range(1, 9)
            for at in first if report.IS_WHOLE else random.Random(f"{seed}/{sink}/made").sample(first, 3):
                with self.subTest(sink=sink, at=at):
                    outcome = bench.disturb(sink, every_call.KILL, at, below="out")
                    self.assertNotEqual("", outcome.hit)
                    self.assertEqual([], outcome.wrong, outcome)


def add_tests():
    for sink in every_call.SINKS:
        name = f"test_{re.sub('[^a-z]', '_', sink)}_comes_out_right_of_any_fault_at_any_call"
        setattr(EveryCall, name, lambda self, sink=sink: self.meet_all(sink))


add_tests()


class Teeth(unittest.TestCase):
    """That the faults are there at all."""

    def test_what_the_kernel_sees_is_what_is_counted(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        for sink in ("csv", "parquet", "sqlite append", "duckdb append"):
            with self.subTest(sink=sink), scenes.Scene(bench.job(sink)) as scene, faults.Calls(scene.root) as calls:
                every_call.kills.prepare_target(scene, sink)
                trace = scene.root.parent / f"{scene.root.name}.trace"
                self.addCleanup(trace.unlink)
                done = scene.finish(scene.start_run(before=[
                    "strace", "-f", "-y", "-qq", "-e", f"trace={','.join(STRACED)}", "-o", str(trace), *calls.before]))
                self.assertEqual(0, done.code, done)
                seen = dict.fromkeys(calls.counts, 0)
                for line in trace.read_text(errors="replace").splitlines():
                    found = re.match(r"\d+\s+(\w+)\((.*)", line)
                    if found and self.counts(scene, found[1], found[2]):
                        seen[STRACED[found[1]]] += 1
                self.assertEqual(seen, calls.counts)

    def counts(self, scene, name, arguments):
        if name != "openat":
            return f"{scene.root}" in arguments
        path = arguments.split('"')[1]
        return path.startswith((f"{scene.root}", "/proc/self/fd/")) and re.search("O_WRONLY|O_RDWR|O_CREAT", arguments)

    def test_a_fault_comes_at_its_call_and_at_no_other(self):
        error = next(fault for fault in every_call.ERRORS if fault.name == "ENOSPC from then on")
        with scenes.Scene(bench.job("csv")) as scene, faults.Calls(scene.root, kinds=error.kinds) as calls:
            scene.out.mkdir()
            error.disturb(calls, 1)
            done = scene.finish(scene.start_run(before=calls.before))
            self.assertEqual(2, done.code, done)
            self.assertIn("Can't create the folder", done.err)
            self.assertIn("No space left on device", done.err)
            self.assertEqual("mkdir .tranche", calls.first_hit)
            self.assertEqual(calls.count, calls.hits)


if __name__ == "__main__":
    unittest.main(verbosity=2)
