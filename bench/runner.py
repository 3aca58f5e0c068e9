"""Runs a workload: all contenders in turns, so that the machine's moods meet them alike."""
import csv
import os
import statistics
import subprocess
import sys

import check
import measure
import report
import workloads


class Row:
    """What one contender showed."""

    def __init__(self, contender):
        self.contender = contender
        self.seconds = []
        self.units = []        # seconds of a whole unit of work, where a run does a share of it or several
        self.cpu_seconds = []
        self.peak_bytes = 0
        self.output_bytes = 0
        self.finding = None
        self.failure = f"not measured: {contender.absent}" if contender.absent else ""

    def median_seconds(self):
        return measure.median(self.seconds)

    def median_cpu_seconds(self):
        return measure.median(self.cpu_seconds)

    def is_wrong(self):
        """Only ours has to pass: that a peer is wrong, or is not here, is a result."""
        failed = self.failure.startswith("failed")
        return self.contender.ours and (failed or (self.finding is not None and not self.finding.right))


class Result:
    def __init__(self, workload, records):
        self.workload = workload
        self.records = records
        self.rows = [Row(contender) for contender in workload.contenders]
        self.load = os.getloadavg()[0]

    def row(self, name):
        return next(row for row in self.rows if row.contender.name == name)

    def ratio(self, target):
        of, against = self.row(target.of), self.row(target.against)
        if of.failure or against.failure or not of.units or not against.units:
            return None
        ours, theirs = statistics.median(of.units), statistics.median(against.units)
        return ours / theirs if target.at_most else theirs / ours

    def target_rows(self):
        for target in self.workload.targets:
            yield report.target_cells(target, self.ratio(target))
        if self.workload.size_within:
            of, against, factor = self.workload.size_within
            sizes = self.row(of).output_bytes, self.row(against).output_bytes
            yield report.bounds_cells(of, against, factor, sizes[0] / sizes[1] if all(sizes) else None)
        for row in self.rows:
            if row.contender.budget_bytes:
                yield report.budget_cells(row.contender.name, row.peak_bytes, row.contender.budget_bytes)

    def ratio_to_ours(self, row):
        ours = self.rows[0]
        if row.contender.ours or ours.failure or not row.seconds:
            return ""
        return (f"{row.median_seconds() / ours.median_seconds():.2f}x, by CPU "
                f"{row.median_cpu_seconds() / max(ours.median_cpu_seconds(), 0.001):.2f}x")


def bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run_once(row, folder, sample):
    contender = row.contender
    contender.clean(folder)
    share = contender.prepare(folder) if contender.prepare else contender.share
    outcome = measure.run(contender.command, folder, contender.environment, sample)
    if outcome.exit_code != 0:
        raise ValueError(outcome.complaint())
    if sample:
        row.peak_bytes = outcome.peak_bytes
    else:
        row.seconds.append(outcome.seconds)
        row.units.append(outcome.seconds / share)
        row.cpu_seconds.append(outcome.cpu_seconds)
    return outcome


def attempt(row, folder, sample):
    """One run; a contender that failed once is out, and its row says why."""
    if row.failure:
        return None
    try:
        return run_once(row, folder, sample)
    except (ValueError, OSError) as why:
        row.failure = f"{'not measured' if isinstance(why, workloads.TooSmall) else 'failed'}: {why}"
        return None


def judge(row, folder, outcome):
    """A result that can't even be looked at is a wrong one."""
    try:
        return row.contender.judge(folder, outcome)
    except (ValueError, KeyError, OSError, csv.Error, subprocess.CalledProcessError) as why:
        return check.Finding(False, f"it can't be judged: {why}")


def run_workload(workload, records, repeat, folder):
    result = Result(workload, records)
    for path in workload.data:
        measure.warm(path)
    for turn in range(repeat if workload.timed else 0):
        order = list(enumerate(result.rows))
        for number, row in order if turn % 2 == 0 else reversed(order):  # nobody always follows the same one
            outcome = attempt(row, folder / str(number), sample=False)
            # At once: what it has not written to the disk must not be written just before the next one runs.
            row.contender.clean(folder / str(number))
            if outcome:
                print(f"bench: {workload.key} {records:,} {turn + 1}/{repeat} {row.contender.name}: "
                      f"{outcome.seconds:.2f} s", file=sys.stderr, flush=True)
    # The last run of each is the one whose memory is sampled and whose result is judged.
    for number, row in enumerate(result.rows):
        place = folder / str(number)
        outcome = attempt(row, place, sample=True)
        if outcome:
            row.output_bytes = bytes_below(place / "out")
            row.finding = judge(row, place, outcome)
            print(f"bench: {workload.key} {records:,} {row.contender.name}: {row.peak_bytes / measure.MIB:.0f} MiB, "
                  f"{row.finding.text}", file=sys.stderr, flush=True)
        elif row.failure:
            print(f"bench: {workload.key} {records:,} {row.contender.name}: {row.failure}", file=sys.stderr, flush=True)
        row.contender.clean(place)
    return result
