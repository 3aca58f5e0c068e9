"""Runs one command and measures it: wall time, CPU time of the whole process tree, peak memory.

Time and memory are measured in runs of their own, since sampling the memory of a process slows it down.
"""
import dataclasses
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

MIB = 1 << 20
SAMPLE_SECONDS = 0.02


@dataclasses.dataclass
class Outcome:
    """One run. The CPU time is that of the command and of all descendants that were waited for."""
    exit_code: int
    out: str
    errors: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0   # where memory was sampled
    share: float = 1.0    # of the work that one unit is: seconds / share are compared

    def complaint(self):
        lines = self.errors.strip().splitlines() or ["it said nothing"]
        return f"exit code {self.exit_code}: {lines[-1][:200]}"


def proportional_set_bytes(process):
    """Of one process; 0 when it is gone."""
    try:
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def process_tree(process):
    found = [process]
    for parent in found:
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as children:
                    found += [int(child) for child in children.read().split()]
        except OSError:
            continue
    return found


def shared_memory_bytes(processes):
    """What lies in files in memory, which belong to no process's own; each counts once."""
    found = {}
    for process in processes:
        try:
            for name in os.listdir(f"/proc/{process}/fd"):
                path = f"/proc/{process}/fd/{name}"
                if os.readlink(path).startswith("/memfd:"):
                    status = os.stat(path)
                    found[status.st_ino] = status.st_blocks * 512
        except OSError:
            continue  # it has ended, or closed the file
    return sum(found.values())


class Sampler(threading.Thread):
    """Keeps the highest sum over the process tree."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.peak = 0
        self.samples = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            processes = process_tree(self.process)
            self.peak = max(self.peak, sum(map(proportional_set_bytes, processes)) + shared_memory_bytes(processes))
            self.samples += 1
            self.ended.wait(SAMPLE_SECONDS)

    def stop(self):
        self.ended.set()
        self.join()
        return self.peak


def run(command, folder, environment=None, sample=False):
    """Runs `command` in `folder`. What earlier runs left to be written is written before, and not on its account."""
    os.sync()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=errors, env={**os.environ, **(environment or {})})
        sampler = Sampler(process.pid) if sample else None
        if sampler:
            sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = sampler.stop() if sampler else 0
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Outcome(process.returncode, texts[0], texts[1], seconds, usage.ru_utime + usage.ru_stime, peak)


def warm(path):
    """Reads a file, so that it is in memory before the first run."""
    with open(path, "rb") as file:
        while file.read(4 * MIB):
            pass


def median(values):
    return statistics.median(values) if values else 0.0


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
