#!/usr/bin/env python3
"""A disk that is full, at any size: the run says so, and when there is space again the same command completes it.

SIZES is the number of sizes a sink (2; `make torture-full` takes 40), spread from where the job just fits on the disk to
where its run goes through; the seed moves them.
"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import kills
import report
import scene as scenes

SIZES = int(os.environ.get("SIZES") or 2)
SINKS = [sink for sink in every_call.SINKS if not sink.startswith("postgres")]  # whose disk is another one
RECORDS = 4000
KIB = 1024
PAGE = 4 * KIB


class SmallDisk:
    """A file system in memory, with just so much space; scenes lie on it while it is there."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.folder], check=True, capture_output=True)
        self.before, tempfile.tempdir = tempfile.tempdir, str(self.folder)
        return self

    def __exit__(self, *_):
        tempfile.tempdir = self.before
        subprocess.run(["umount", self.folder], check=True)

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def used(self):
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


def why_no_small_disk(folder):
    try:
        with SmallDisk(folder):
            return None
    except subprocess.CalledProcessError as error:
        return f"no file system in memory can be mounted here: {error.stderr.decode().strip()}"


def setUpModule():
    global seed, folder, disk, bench
    seed = report.take_seed()
    folder = tempfile.TemporaryDirectory(prefix="tranche-full-")
    disk = pathlib.Path(folder.name) / "disk"
    disk.mkdir()
    bench = every_call.Bench(folder.name, 0, RECORDS)


def tearDownModule():
    folder.cleanup()


class Full(unittest.TestCase):
    def complete(self, sink, scene, done, where):
        self.assertEqual(0, done.code, f"{where}\n{done}")
        self.assertEqual([], kills.differences(bench.expect(sink), scene, done), where)

    def refused(self, done, where, *reasons):
        self.assertIn(done.code, (1, 2), f"{where}\n{done}")
        self.assertTrue(any(reason in done.err for reason in reasons), f"{where}\n{done}")

    def spread(self, sink, least, most):
        draw = random.Random(f"{seed}/{sink}")
        step = (most - least) / SIZES
        return [int(least + (part + draw.random()) * step) // PAGE * PAGE for part in range(SIZES)]

    def used_undisturbed(self, sink):
        """What lies on the disk before the run, and about the most that does during it."""
        with SmallDisk(disk) as small, scenes.Scene(bench.job(sink)) as scene:
            kills.prepare_target(scene, sink)
            before = small.used()
            process = scene.start_run()
            most = before
            while process.poll() is None:
                most = max(most, small.used())
            self.assertEqual(0, scene.finish(process).code)
        return before, most

    def test_a_full_disk_fails_the_run_and_space_completes_it(self):
        reason = why_no_small_disk(disk)
        if reason:
            self.skipTest(reason)
        for sink in SINKS:
            before, most = self.used_undisturbed(sink)
            failed = 0
            for size in self.spread(sink, before + PAGE, most * 5 // 4):
                with self.subTest(sink=sink, size=size), SmallDisk(disk) as small, scenes.Scene(bench.job(sink)) as scene:
                    kills.prepare_target(scene, sink)
                    small.resize(size)
                    where = f"{sink}, {size // KIB} KiB, seed {seed}"
                    done = scene.run()
                    small.resize("64m")
                    if done.code != 0:
                        failed += 1
                        self.refused(done, where, "No space left on device", "disk is full")
                        done = scene.run()
                    self.complete(sink, scene, done, where)
            print(f"{sink}: {failed} of {SIZES} sizes were too small, {before // KIB} to {most // KIB} KiB", flush=True)
            self.assertGreater(failed, 0, f"{sink}: no size was too small")

    def test_a_limit_of_the_size_of_files_fails_the_run_and_without_it_it_completes(self):
        if shutil.which("prlimit") is None:
            self.skipTest("prlimit is not installed")
        for sink in SINKS:
            failed = 0
            for size in self.spread(sink, PAGE, 400 * KIB):
                with self.subTest(sink=sink, size=size), scenes.Scene(bench.job(sink)) as scene:
                    kills.prepare_target(scene, sink)
                    where = f"{sink}, files of {size // KIB} KiB, seed {seed}"
                    done = scene.finish(scene.start_run(before=["prlimit", f"--fsize={size}"]))
                    if done.code != 0:
                        failed += 1
                        self.refused(done, where, "File too large", *every_call.SQLITE_SAYS)
                        done = scene.run()
                    self.complete(sink, scene, done, where)
            print(f"{sink}: {failed} of {SIZES} limits were too low", flush=True)
            self.assertGreater(failed, 0, f"{sink}: no limit was too low")


if __name__ == "__main__":
    unittest.main(verbosity=2)
