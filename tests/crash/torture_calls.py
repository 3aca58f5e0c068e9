#!/usr/bin/env python3
"""The whole proof of every call: a job of five batches, killed or failed at I/O call N = 1, 2, 3, ... until it runs clean.

    tests/crash/torture_calls.py [--every K] [--sinks csv,parquet] [--faults kill,EIO] [--report FILE]

A kill of all processes comes at every N; all other faults at every Kth, from a first one that the seed draws. The
report is Markdown; the exit code is 1 when one run ended otherwise than it must.
"""
import argparse
import collections
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import postgres_server
import report


class Sweep:
    """One fault at one sink, from the first call to a run that is over before its Nth one."""

    def __init__(self, sink, fault):
        self.sink = sink
        self.fault = fault
        self.disturbed = 0
        self.completed = 0  # by themselves, in spite of it
        self.calls = 0
        self.wrong = []
        self.kinds = collections.Counter()

    def add(self, outcome):
        if outcome.wrong:
            self.wrong.append(str(outcome))
            print(outcome, flush=True)
        if not outcome.hit:
            return
        self.disturbed += 1
        self.completed += outcome.code == 0
        self.kinds[outcome.hit.split()[0]] += 1


def start_worker(url, folder):
    """Each process of the pool has a database of its own."""
    global bench
    name = f"calls_{os.getpid()}"
    postgres_server.sql(url, f"CREATE DATABASE {name}")
    os.environ[postgres_server.VARIABLE] = url.replace("/postgres", f"/{name}")
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    bench = every_call.Bench(tempfile.mkdtemp(dir=folder), port)


def sweep(task):
    sink, name, first, every = task
    fault = next(fault for fault in every_call.faults_of(sink) if fault.name == name)
    found = Sweep(sink, name)
    at = first
    while True:
        outcome = bench.disturb(sink, fault, at)
        found.add(outcome)
        if not outcome.hit:
            break
        found.calls = at
        at += every
    print(f"{sink}, {name}: {found.disturbed} runs, {len(found.wrong)} wrong", flush=True)
    return found


def tasks(given, seed):
    wanted = given.faults.split(",") if given.faults else [""]
    for sink in given.sinks.split(",") if given.sinks else every_call.SINKS:
        for fault in every_call.faults_of(sink):
            if not any(fault.name.startswith(word) for word in wanted):
                continue
            every = 1 if fault is every_call.KILL else given.every
            yield sink, fault.name, random.Random(f"{seed}/{sink}/{fault.name}").randint(1, every), every


def describe(sweeps, given, seed, seconds):
    text = report.head("A fault at every I/O call", f"""A job of {every_call.BATCHES} batches with damaged records, into each sink. At its Nth I/O call (opening for
writing, write, fsync, rename, unlink, truncate, mkdir; for PostgreSQL also send and recv; of all its processes, the
libraries of SQLite, DuckDB and PostgreSQL included) the group of processes or the process is killed, or the call
fails. All N for `kill -9` of all processes, every {given.every} for the others. Right: the run completes with the output of an
undisturbed one, or it ends with a message and an exit code other than 0, and the same command then completes with
that output: files to the byte, rows in their order, counts, rejects, nothing temporary left.""",
                       seed, f"make torture-calls EVERY={given.every}", seconds)
    names = list(dict.fromkeys(found.fault for found in sweeps))
    for title, cell in (("runs disturbed, of them completed without a second start",
                         lambda found: f"{found.disturbed}, {found.completed}"),
                        ("runs that ended wrong", lambda found: str(len(found.wrong)))):
        sinks = list(dict.fromkeys(found.sink for found in sweeps))
        text += f"\n{title[0].upper()}{title[1:]}:\n\n| fault | {' | '.join(sinks)} |\n|---|{'---|' * len(sinks)}\n"
        cells = {(found.fault, found.sink): cell(found) for found in sweeps}
        for name in names:
            text += f"| {name} | {' | '.join(cells.get((name, sink), '-') for sink in sinks)} |\n"
    kinds = sum((found.kinds for found in sweeps), collections.Counter())
    total = sum(found.disturbed for found in sweeps)
    text += f"\n{total:,} runs; what was hit: {', '.join(f'{kind} {count:,}' for kind, count in kinds.most_common())}.\n"
    return text + "".join(f"\n```\n{line}\n```\n" for found in sweeps for line in found.wrong)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--every", type=int, default=3, help="all faults but the kill of all processes come at every so many calls")
    options.add_argument("--sinks")
    options.add_argument("--faults", help="how their names begin")
    options.add_argument("--processes", type=int, default=os.cpu_count())
    options.add_argument("--report")
    given = options.parse_args()
    seed = report.take_seed()
    every_call.work_in_memory()
    started = time.monotonic()
    with postgres_server.Server() as server, tempfile.TemporaryDirectory(prefix="tranche-calls-") as folder:
        with multiprocessing.Pool(given.processes, start_worker, (server.url, folder)) as pool:
            sweeps = pool.map(sweep, list(tasks(given, seed)), chunksize=1)
    report.keep(describe(sweeps, given, seed, time.monotonic() - started), given.report)
    sys.exit(1 if any(found.wrong for found in sweeps) else 0)


if __name__ == "__main__":
    main()
