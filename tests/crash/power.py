"""Power cuts: an XFS in a file is shut down at the Nth I/O call of a run, so that it forgets what was not synced; it is
mounted again, as a machine that starts, and the same command goes on. Shared by power.test.py and torture_power.py.

What is acknowledged is what another process saw: a reader of the ledger. Of files it sees a commit behind the ledger's
fsync; of tables behind the target's, which is where a resume finds it.
"""
import fcntl
import multiprocessing
import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import kills
import scene as scenes

faults = every_call.faults
SINKS = ("csv", "csv.gz", "parquet", "sqlite append", "sqlite replace", "duckdb append")
FS_IOC_SHUTDOWN, WITHOUT_FLUSHING_THE_LOG = 0x8004587D, 2
IMAGE_BYTES = 320 << 20  # the least that mkfs.xfs takes; the file is sparse


class Disk:
    """An XFS in a file, mounted; scenes lie on it while it is there."""

    def __init__(self, folder):
        self.image = pathlib.Path(folder) / "disk.xfs"
        self.folder = pathlib.Path(folder) / "disk"

    def __enter__(self):
        self.folder.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.xfs", "-q", self.image], check=True, capture_output=True)
        self._mount()
        self.before, tempfile.tempdir = tempfile.tempdir, str(self.folder)
        return self

    def __exit__(self, *_):
        tempfile.tempdir = self.before
        self._unmount()

    def _mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.folder], check=True, capture_output=True)

    # A killed process may hold it for a moment.
    def _unmount(self):
        for _ in range(500):
            done = subprocess.run(["umount", self.folder], capture_output=True, text=True)
            if done.returncode == 0:
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.folder} is still busy: {done.stderr}")

    def sync(self):
        subprocess.run(["sync", "-f", self.folder], check=True)

    def cut_power(self):
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_LOG))
        finally:
            os.close(descriptor)

    def power_on(self):
        self._unmount()
        self._mount()


def why_no_disk():
    """None: power cuts can be had here."""
    if os.geteuid() != 0:
        return "only root can mount"
    if shutil.which("mkfs.xfs") is None:
        return "mkfs.xfs is not installed (the package xfsprogs)"
    with tempfile.TemporaryDirectory(prefix="tranche-power-") as folder:
        try:
            with Disk(folder):
                return None
        except (subprocess.CalledProcessError, OSError) as error:
            return f"no XFS can be mounted here: {(getattr(error, 'stderr', None) or str(error).encode()).decode().strip()}"


class Cut:
    """What a power cut left."""

    def __init__(self, sink, at):
        self.sink = sink
        self.at = at
        self.hit = ""           # the call at which it came; empty: behind the end of the run
        self.acknowledged = 0   # groups that somebody saw committed
        self.kept = 0           # groups that the ledger has afterwards, or the table, from which a resume copies them
        self.phase = ""
        self.wrong = []

    def __str__(self):
        text = (f"{self.sink}, cut at call {self.at} ({self.hit or 'behind the end'}): {self.acknowledged} groups "
                f"acknowledged, {self.kept} kept")
        return text + "".join(f"\n  WRONG: {line}" for line in self.wrong[:4])


def groups_of_target(scene, sink):
    """How many groups a database has committed, read from a copy as it would recover; files say so to the resume."""
    name = {"sqlite": "flights.db", "duckdb": "flights.duckdb"}.get(sink.split()[0])
    if name is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tranche-target-") as copy:
        for path in scene.out.glob(f"{name}*"):
            shutil.copy(path, copy)
        query = "SELECT count(*) FROM tranche_commits WHERE batch >= 0"
        if sink.startswith("duckdb"):
            with scenes.duckdb_file.File(f"{copy}/{name}") as file:
                return int(file.rows(query)[0][0])
        connection = sqlite3.connect(f"{copy}/{name}")
        try:
            return connection.execute(query).fetchone()[0]
        finally:
            connection.close()


def keep_watching(scene, commits):
    watching = scene.watch()
    while True:
        commits.value = max(commits.value, watching.look().commits)
        time.sleep(0.0003)


def watch(scene, process):
    """How many groups were seen committed, by a process of its own: what it has mapped goes with the disk, and it too."""
    commits = multiprocessing.RawValue("Q", 0)  # a lock would die with the watcher
    watcher = multiprocessing.Process(target=keep_watching, args=(scene, commits), daemon=True)
    watcher.start()
    done = scene.finish(process)
    watcher.kill()
    watcher.join()
    return commits.value, done


def cut(disk, bench, sink, at, lies=None):
    """One run with a power cut at its call `at`, and the run after it."""
    expected = bench.expect(sink)
    found = Cut(sink, at)
    with scenes.Scene(bench.job(sink)) as scene, faults.Calls(scene.root, kinds=faults.OF_FILES) as calls:
        kills.prepare_target(scene, sink)
        disk.sync()
        calls.cut_power(at)
        if lies:
            calls.let_syncs_lie(of=lies)
        found.acknowledged, done = watch(scene, scene.start_run(before=calls.before))
        found.hit = calls.first_hit
        if done.code == 0:  # all is acknowledged
            found.acknowledged = every_call.BATCHES
            disk.cut_power()
        disk.power_on()
        try:
            found.wrong += look_after(scene, found, expected, done)
        except Exception as error:  # a damaged database, a table that is gone: what the control must see
            found.wrong.append(f"{type(error).__name__}: {error}")
    return found


def look_after(scene, found, expected, done):
    state = scene.look()
    found.kept, found.phase = state.commits, state.phase
    wrong = []
    if max(found.kept, found.acknowledged) > 0:
        groups = groups_of_target(scene, found.sink)
        if groups is not None and groups < state.commits:
            wrong.append(f"the ledger has {state.commits} groups, the table {groups}")
        found.kept = max(state.commits, groups or 0)
    if found.kept < found.acknowledged:
        wrong.append(f"{found.acknowledged} groups were acknowledged, {found.kept} are kept")
    if state.phase == "completed":
        return wrong + kills.differences(expected, scene, done if done.code == 0 else None)
    if done.code == 0:
        wrong.append("the run had said that it was completed")
    done = scene.run()
    if done.code != 0:
        return wrong + [f"The same command did not complete it: {done}"]
    return wrong + kills.differences(expected, scene, done)
