#!/usr/bin/env python3
"""The long proof: runs into every sink, with threads and with processes, killed at random moments and typed again until
they are through.

    tests/crash/torture.py [--kills N] [--records N] [--sinks A,B] [--minutes M] [--report FILE]

Sinks and kinds of workers take turns, so that what fits into the minutes is shared among them. The report is Markdown;
the exit code is 1 when one run differed from an undisturbed one.
"""
import argparse
import collections
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kills
import postgres_server
import report
import scene as scenes

BATCHES = 60
APART_MOST = 12  # commits from one kill of a run to the next, so that a run is killed many times
SINKS = ("csv", "csv.gz", "jsonl", "parquet", "sqlite append", "duckdb append", "postgres append")
WORKERS = {"threads": "{ threads: 2 }", "processes": "{ processes: 2 }"}


class Tally:
    """What happened to one sink, with one kind of workers."""

    def __init__(self, sink, kind, job, expected):
        self.sink = sink
        self.kind = kind
        self.job = job
        self.expected = expected
        self.runs = 0
        self.kills = []
        self.seconds = 0
        self.wrong = []

    def disturb(self, seed):
        number = self.runs
        draw = random.Random(f"{seed}/{self.sink}/{self.kind}/{number}")
        started = time.monotonic()
        killed, wrong = kills.disturbed_run(self.sink, self.job, self.expected, draw, by_time=number % 10 == 0,
                                            workers=WORKERS[self.kind], again=0.95, apart_most=APART_MOST)
        self.seconds += time.monotonic() - started
        self.runs += 1
        self.kills += killed
        self.wrong += [f"{self.sink}, {self.kind}, {number}: {text}" for text in wrong]
        print(f"{self.sink}, {self.kind}, {number}: killed {'; then '.join(map(str, killed))}"
              f"{'' if not wrong else ' DIFFERENT: ' + '; '.join(wrong)}", flush=True)


def torture(tallies, seed, kills_wanted, deadline):
    while any(len(tally.kills) < kills_wanted for tally in tallies):
        for tally in tallies:
            if time.monotonic() > deadline:
                return
            if len(tally.kills) < kills_wanted:
                tally.disturb(seed)


def describe(tallies, seed, records, seconds):
    text = f"""{records:,} flights with a lookup in SQL and damaged records, {BATCHES} batches, into each sink; `kill -9` of the process
group at a random moment (every tenth run once, at any time; the others behind a random number of commits, 1 to
{APART_MOST} from one kill to the next), then the same command. "Equal": files to the byte, rows with their rowids in
their order, counts, rejects, no temporary file left."""
    text = report.head("Kills", text, seed, "make torture", seconds) + """
| sink | workers | groups | undisturbed | runs | kills | a kill | between first commit and seal | runs that ended equal |
|---|---|---|---|---|---|---|---|---|
"""
    for tally in tallies:
        equal = tally.runs - len({text.split(":")[0] for text in tally.wrong})
        between = sum(kill.between for kill in tally.kills)
        text += (f"| {tally.sink} | {tally.kind} | {tally.expected.groups} | {tally.expected.seconds:.1f} s | {tally.runs} "
                 f"| {len(tally.kills)} | {tally.seconds / max(1, len(tally.kills)):.2f} s | {between} | {equal} |\n")
    text += "\n| sink | workers | what was going on |\n|---|---|---|\n"
    for tally in tallies:
        phases = collections.Counter(kill.phase for kill in tally.kills)
        text += (f"| {tally.sink} | {tally.kind} | "
                 f"{', '.join(f'{phase} {count}' for phase, count in phases.most_common())} |\n")
    wrong = [text for tally in tallies for text in tally.wrong]
    return text + "".join(f"\nDIFFERENT: {line}\n" for line in wrong)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=60_000)
    options.add_argument("--kills", type=int, default=500, help="of each sink and kind of workers")
    options.add_argument("--sinks", default=",".join(SINKS))
    options.add_argument("--minutes", type=float, default=240)
    options.add_argument("--report")
    given = options.parse_args()
    seed = report.take_seed()
    with tempfile.TemporaryDirectory(prefix="tranche-torture-") as folder, postgres_server.Server() as server:
        os.environ[postgres_server.VARIABLE] = server.url
        flights = pathlib.Path(folder) / "flights.csv"
        scenes.cut_flights(flights, given.records)
        kills.damage(flights, 60, seed=1)
        kills.pack(flights)
        started = time.monotonic()
        part_bytes = flights.stat().st_size // (BATCHES // 2)
        tallies = []
        for sink in given.sinks.split(","):
            job = kills.job_text(sink, flights, given.records // BATCHES, part_bytes)
            expected = kills.Undisturbed(sink, job)  # the same whatever the workers
            tallies += [Tally(sink, kind, job, expected) for kind in WORKERS]
        torture(tallies, seed, given.kills, started + given.minutes * 60)
        text = describe(tallies, seed, given.records, time.monotonic() - started)
    report.keep(text, given.report)
    sys.exit(1 if any(tally.wrong for tally in tallies) else 0)


if __name__ == "__main__":
    main()
