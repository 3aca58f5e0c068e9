#!/usr/bin/env python3
"""The long proof: three million flights, a hundred runs a sink, each killed at a random moment and typed again.

    tests/crash/torture.py [--records N] [--kills N] [--minutes M] [--report FILE]

Sinks take turns, so that what fits into the minutes is shared among them. The report is Markdown; the exit code is 1
when one run differed from an undisturbed one.
"""
import argparse
import collections
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kills
import report
import scene as scenes

BATCHES = 60
SINKS = ("csv", "parquet", "sqlite append")


class Tally:
    """What happened to one sink."""

    def __init__(self, sink, job):
        self.sink = sink
        self.job = job
        self.expected = kills.Undisturbed(sink, job)
        self.runs = 0
        self.kills = []
        self.wrong = []


def torture(tallies, seed, runs_max, deadline):
    for number in range(runs_max):
        for tally in tallies:
            if time.monotonic() > deadline:
                return
            draw = random.Random(f"{seed}/{tally.sink}/{number}")
            killed, wrong = kills.disturbed_run(tally.sink, tally.job, tally.expected, draw, by_time=number % 5 == 0)
            tally.runs += 1
            tally.kills += killed
            tally.wrong += [f"{tally.sink} {number}: {text}" for text in wrong]
            print(f"{tally.sink} {number}: killed {'; then '.join(map(str, killed))}"
                  f"{'' if not wrong else ' DIFFERENT: ' + '; '.join(wrong)}", flush=True)


def describe(tallies, seed, records, seconds):
    text = f"""{records:,} flights with a lookup in SQL and damaged records, {BATCHES} batches, into each sink; `kill -9` of the process
group at a random moment (every fifth at any time of the run, the others behind a random number of commits, every
fourth of those once more on its way), then the same command. "Equal": files to the byte, rows with their rowids in
their order, counts, rejects, no temporary file left."""
    text = report.head("Kills", text, seed, "make torture", seconds) + """
| sink | groups | undisturbed | runs | kills | between first commit and seal | runs that ended equal |
|---|---|---|---|---|---|---|
"""
    for tally in tallies:
        equal = tally.runs - len({text.split(":")[0] for text in tally.wrong})
        between = sum(kill.between for kill in tally.kills)
        text += (f"| {tally.sink} | {tally.expected.groups} | {tally.expected.seconds:.1f} s | {tally.runs} "
                 f"| {len(tally.kills)} | {between} | {equal} |\n")
    text += "\n| sink | what was going on |\n|---|---|\n"
    for tally in tallies:
        phases = collections.Counter(kill.phase for kill in tally.kills)
        text += f"| {tally.sink} | {', '.join(f'{phase} {count}' for phase, count in phases.most_common())} |\n"
    wrong = [text for tally in tallies for text in tally.wrong]
    return text + "".join(f"\nDIFFERENT: {line}\n" for line in wrong)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=3_000_000)
    options.add_argument("--kills", type=int, default=100, help="runs a sink, each killed once at least")
    options.add_argument("--minutes", type=float, default=120)
    options.add_argument("--report")
    given = options.parse_args()
    seed = report.take_seed()
    with tempfile.TemporaryDirectory(prefix="tranche-torture-") as folder:
        flights = pathlib.Path(folder) / "flights.csv"
        scenes.cut_flights(flights, given.records)
        kills.damage(flights, 60, seed=1)
        kills.pack(flights)
        started = time.monotonic()
        part_bytes = flights.stat().st_size // (BATCHES // 2)
        tallies = [Tally(sink, kills.job_text(sink, flights, given.records // BATCHES, part_bytes)) for sink in SINKS]
        torture(tallies, seed, given.kills, started + given.minutes * 60)
        text = describe(tallies, seed, given.records, time.monotonic() - started)
    report.keep(text, given.report)
    sys.exit(1 if any(tally.wrong for tally in tallies) else 0)


if __name__ == "__main__":
    main()
