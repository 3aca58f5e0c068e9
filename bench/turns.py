"""Commands that take turns, so that the machine's moods meet them alike: their medians, every output compared."""
import resource
import statistics
import subprocess
import sys
import time


def cpu_seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(command, root):
    """Of the clock, and of the processors."""
    began, used = time.monotonic(), cpu_seconds_of_children()
    subprocess.run(command, cwd=root, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.monotonic() - began, cpu_seconds_of_children() - used


def take_turns(root, contenders, outputs, rounds):
    """Medians of (time, CPU time) by name. `outputs`: the files that a contender may make; they must all be equal."""
    times = {name: [] for name in contenders}
    kept = root / "expected.csv"
    for _ in range(rounds):
        for name, command in contenders.items():
            for output in outputs:
                (root / output).unlink(missing_ok=True)
            times[name].append(seconds(command, root))
            for made in (root / output for output in outputs if (root / output).exists()):
                if not kept.exists():
                    made.rename(kept)
                elif kept.read_bytes() != made.read_bytes():
                    sys.exit(f"{name} made something else than others")
    return {name: tuple(map(statistics.median, zip(*taken))) for name, taken in times.items()}
