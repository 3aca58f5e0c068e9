#!/usr/bin/env python3
"""The same logic in Python: as a program of a Tranche job over 2 workers, and in a multiprocessing.Pool of 2 processes.

    bench/programs.py [RECORDS] [ROUNDS]

The pool is given the rows of csv.reader by imap, which keeps their order, with each of several chunk sizes; it writes by
csv.writer, keeps no rejects and can't go on after a kill. Ours has its ledger, fsync and rejects on. All take turns; the
figures are medians, and every output is compared.
"""
import csv
import multiprocessing
import os
import pathlib
import sys
import tempfile

import turns

SOURCE = pathlib.Path(__file__).resolve().parent.parent
TRANCHE = os.environ.get("TRANCHE_BIN") or str(SOURCE / "build" / "release" / "tranche")
CHUNK_SIZES = (10, 100, 1000, 10_000)
WORKERS = 2

LOGIC = '''
def hash_of(text, turns):
    """Some work: about a microsecond a turn."""
    value = 7
    for _ in range(turns):
        for letter in text[:8]:
            value = (value * 31 + ord(letter)) % 1000003
    return value
'''
PROGRAM = '''import tranche
from logic import hash_of

@tranche.record
def score(record):
    return {"score": hash_of(record["name"], TURNS)}
'''
JOB = '''job: programs
steps:
  - name: score
    read: { csv: in.csv, columns: { id: bigint, name: varchar, qty: integer } }
    process:
      - command: [PYTHON, program.py]
        columns: { score: bigint }
    workers: WORKERS
    write: { csv: out.csv }
'''
POOL = '''import csv, multiprocessing, sys
from logic import hash_of

def score(row):
    return row + [hash_of(row[1], TURNS)]

if __name__ == "__main__":
    with open("in.csv", newline="") as records, open("pool.csv", "w", newline="") as out, \\
            multiprocessing.Pool(WORKERS) as pool:
        reader = csv.reader(records)
        writer = csv.writer(out, lineterminator="\\n")
        writer.writerow(next(reader) + ["score"])
        writer.writerows(pool.imap(score, reader, int(sys.argv[1])))
'''


def fill(text, turns):
    return text.replace("TURNS", str(turns)).replace("WORKERS", str(WORKERS)).replace("PYTHON", sys.executable)


def measure(root, work, rounds):
    for name, text in (("logic.py", LOGIC), ("program.py", PROGRAM), ("job.yaml", JOB), ("pool.py", POOL)):
        (root / name).write_text(fill(text, work))
    contenders = {f"Pool, chunks of {size}": [sys.executable, "pool.py", str(size)] for size in CHUNK_SIZES}
    contenders["Tranche"] = [TRANCHE, "run", "job.yaml", "--fresh"]
    return turns.take_turns(root, contenders, ("out.csv", "pool.csv"), rounds)


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"{records:,} records, {rounds} rounds, {multiprocessing.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for work in (0, 10, 40):
        with tempfile.TemporaryDirectory(prefix="tranche-bench-") as folder:
            root = pathlib.Path(folder)
            with open(root / "in.csv", "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["id", "name", "qty"])
                writer.writerows((i, f"customer {i * 7919 % 100_003}", i % 17) for i in range(records))
            medians = measure(root, work, rounds)
        print(f"\n{work} turns a record")
        for name, (taken, computed) in medians.items():
            print(f"  {name:22} {taken:7.2f} s  {taken / records * 1e6:7.2f} us a record  {computed:7.2f} s of CPU time")
        for place, what in enumerate(("time", "CPU time")):
            best = min(taken[place] for name, taken in medians.items() if name != "Tranche")
            print(f"  Tranche takes {medians['Tranche'][place] / best:.2f} of the best pool's {what}")


if __name__ == "__main__":
    main()
