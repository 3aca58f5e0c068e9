#!/usr/bin/env python3
"""The memory of a run stays within its budget, whatever the size of the data.

Sales records go through `tranche run` with a `memory:` far smaller than the data; the proportional set size
of the whole process tree is sampled every 20 ms and must never be above the budget.

    tests/memory/budget.test.py                                 as a test, with 2 million records
    tests/memory/budget.test.py --records 10000000 --report F   measures, and writes F as well
    tests/memory/budget.test.py --only csv-to-csv               the load of this name
    tests/memory/budget.test.py --only lookup                   or all whose name has this
"""
import argparse
import dataclasses
import datetime
import gzip
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(os.environ.get("TRANCHE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(ROOT / "bench"))

import measure                              # noqa: E402
from measure import MIB                     # noqa: E402

TRANCHE = os.environ.get("TRANCHE_BIN", str(ROOT / "build" / "tranche"))
BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR", pathlib.Path(TRANCHE).resolve().parent))

COLUMNS = """      columns:
        id: bigint
        sold_at: timestamp
        store: integer
        sku: varchar
        qty: integer
        unit_price: decimal(12,2)
        currency: varchar
        customer: varchar
        note: varchar
"""

SQL = """    process:
      - sql: |
          SELECT id, sold_at, store, sku, qty, qty * unit_price * rate AS total, customer
          FROM batch JOIN rates USING (currency)
          WHERE qty > 0
        tables:
          rates: { csv: rates.csv, columns: { currency: varchar, rate: "decimal(9,4)" } }
"""

# The first batch takes much longer than all others, whose results wait for it.
SLOW_BATCH = """    process:
      - sql: |
          SELECT *, CASE WHEN id <= 40000
                    THEN list_sum(list_transform(range(500), x -> x * id % 7)) END AS slow
          FROM batch
"""

RATES = "currency,rate\nEUR,1.0000\nUSD,0.9213\nGBP,1.1702\nCHF,1.0311\nSEK,0.0891\nPLN,0.2304\n"

SINKS = {
    "csv": "csv: out/sales.csv",
    "csv.zst": "csv: out/sales.csv.zst",
    "parquet": "parquet: out/sales\n      mode: replace",
    "sqlite": "sqlite: out/sales.db\n      table: sales\n      mode: append",
}


@dataclasses.dataclass
class Load:
    name: str
    sink: str
    sql: bool | str = False
    memory_mib: int = 256
    workers: str = "2"
    batch: str = ""
    rejected: bool = False  # every record
    source: str = "sales.csv"
    records: int = 0  # of another source than the sales

    def job(self):
        columns = COLUMNS.replace("sku: varchar", "sku: integer") if self.rejected else COLUMNS
        if self.source == "large.csv":
            columns = "      max_record: 64MiB\n      columns: { id: bigint, text: varchar }\n"
        return (f"job: {self.name}\nmemory: {self.memory_mib}MiB\nsteps:\n  - name: load\n"
                f"    read:\n      csv: {self.source}\n{columns}"
                + ("    on_error: { max_rejects: 100%, same_failures_max: 0 }\n" if self.rejected else "")
                + (f"    batch: {self.batch}\n" if self.batch else "")
                + (SQL if self.sql is True else self.sql or "")
                + f"    workers: {self.workers}\n    write:\n      {SINKS[self.sink]}\n")


LARGE_RECORDS = 6 * 1001  # one of a thousand and one has 50 MB

LOADS = [
    Load("csv-to-csv", "csv"),
    Load("csv-to-parquet", "parquet"),
    Load("csv-to-sqlite", "sqlite"),
    Load("csv-to-parquet-with-a-lookup", "parquet", sql=True),
    Load("csv-to-csv-in-128MiB", "csv", memory_mib=128),
    Load("csv-to-csv-with-7-workers", "csv", workers="7"),
    Load("csv-to-parquet-with-a-lookup-and-7-workers", "parquet", sql=True, workers="7"),
    Load("csv-to-csv-with-4-processes", "csv", workers="{ processes: 4 }"),
    Load("csv-to-parquet-with-4-processes", "parquet", workers="{ processes: 4 }"),
    Load("csv-to-parquet-with-a-lookup-and-4-processes", "parquet", sql=True,
         workers="{ processes: 4 }"),
    Load("csv-to-csv-with-a-slow-batch", "csv", sql=SLOW_BATCH),
    Load("csv-to-csv-with-a-slow-batch-and-4-processes", "csv", sql=SLOW_BATCH,
         workers="{ processes: 4 }"),
    Load("csv-of-50-MB-records-to-csv", "csv", source="large.csv", records=LARGE_RECORDS),
    Load("csv-of-50-MB-records-to-csv-with-2-processes", "csv", source="large.csv",
         records=LARGE_RECORDS, workers="{ processes: 2 }"),
    Load("csv.gz-to-csv-with-2-processes", "csv", source="sales.csv.gz",
         workers="{ processes: 2 }"),
    Load("csv.gz-to-csv", "csv", source="sales.csv.gz"),
    Load("csv.gz-to-csv.zst-in-128MiB", "csv.zst", source="sales.csv.gz", memory_mib=128),
    Load("csv.gz-to-parquet-with-a-lookup", "parquet", source="sales.csv.gz", sql=True),
    Load("csv.gz-to-csv.zst-with-7-workers", "csv.zst", source="sales.csv.gz", workers="7"),
    Load("csv-to-parquet-all-rejected", "parquet", rejected=True),
    Load("csv-to-parquet-with-a-lookup-all-rejected", "parquet", sql=True, rejected=True),
]

# More than 256 MiB in work: refused before the start, with a budget that does.
TOO_LARGE = Load("csv-to-csv-with-a-lookup-in-batches-of-64MiB", "csv", sql=True,
                 batch="{ bytes: 64MiB }")


@dataclasses.dataclass
class Outcome:
    load: Load
    exit_code: int
    message: str
    summary: dict
    seconds: float
    peak: int
    samples: int


def run_load(load, data):
    folder = data / load.name
    folder.mkdir()
    try:
        for name in ("sales.csv", "sales.csv.gz", "large.csv"):
            (folder / name).symlink_to(data / name)
        (folder / "rates.csv").write_text(RATES, encoding="utf-8")
        (folder / "job.yaml").write_text(load.job(), encoding="utf-8")
        (folder / "out").mkdir()
        began = time.monotonic()
        process = subprocess.Popen([TRANCHE, "run", "job.yaml", "--json"], cwd=folder, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        sampler = measure.Sampler(process.pid)
        sampler.start()
        output, errors = process.communicate()
        seconds = time.monotonic() - began
        sampler.stop()
        summary = json.loads(output) if output.strip().startswith("{") else {}
        return Outcome(load, process.returncode, errors[-2000:], summary, seconds, sampler.peak,
                       sampler.samples)
    finally:
        shutil.rmtree(folder)


def generate(records, folder, sources):
    """Makes the sources that are asked for; the sales are needed for all of them but the large records."""
    subprocess.run([str(BUILD / "bench" / "generate_sales"), str(records), str(folder / "sales.csv")],
                   check=True)
    if "sales.csv.gz" in sources:
        with open(folder / "sales.csv", "rb") as plain, gzip.open(folder / "sales.csv.gz", "wb", 1) as packed:
            shutil.copyfileobj(plain, packed, MIB)
    if "large.csv" not in sources:
        return
    with open(folder / "large.csv", "w", encoding="ascii") as large:
        large.write("id,text\n")
        for i in range(LARGE_RECORDS):
            large.write(f"{i},{'abcdefghij' * 5_000_000 if i % 1001 == 500 else 'small'}\n")


@unittest.skipIf(os.environ.get("TRANCHE_SANITIZE"), "A sanitizer takes memory of its own.")
class Budget(unittest.TestCase):
    records = 2_000_000
    only = ""
    outcomes = []

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tranche-memory-")
        cls.data = pathlib.Path(cls.folder.name)
        generate(cls.records, cls.data, {load.source for load in cls.asked_for()})

    @classmethod
    def asked_for(cls):
        named = [load for load in LOADS if load.name == cls.only]
        return named or [load for load in LOADS if cls.only in load.name]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_load_stays_within_its_budget(self):
        for load in self.asked_for():
            with self.subTest(load.name):
                self.check(load)

    def test_a_batch_too_large_for_the_budget_is_refused_with_one_that_does(self):
        if self.only not in TOO_LARGE.name:
            self.skipTest("not among the loads that were asked for")
        refused = run_load(TOO_LARGE, self.data)
        self.assertEqual(refused.exit_code, 2, refused.message)
        self.assertLessEqual(refused.peak, TOO_LARGE.memory_mib * MIB)
        named = re.search(r"`memory: (\d+)MiB`", refused.message)
        self.assertTrue(named, refused.message)
        self.check(dataclasses.replace(TOO_LARGE, memory_mib=int(named[1])))

    def check(self, load):
        outcome = run_load(load, self.data)
        self.outcomes.append(outcome)
        print(f"{load.name}: peak {outcome.peak / MIB:.0f} of {load.memory_mib} MiB in "
              f"{outcome.samples} samples, {outcome.seconds:.1f} s", flush=True)
        self.assertEqual(outcome.exit_code, 0, outcome.message)
        step = outcome.summary["steps"][0]
        self.assertEqual(step["read"], 0 if load.rejected else load.records or self.records)
        self.assertEqual(step["rejected"], self.records if load.rejected else 0)
        self.assertGreater(outcome.samples, 10)
        self.assertLessEqual(outcome.peak, load.memory_mib * MIB)

    def test_the_sampler_sees_a_child_that_takes_memory(self):
        child = "x = bytearray(96 << 20); import time; time.sleep(0.6)"
        process = subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{child}'; true"])
        sampler = measure.Sampler(process.pid)
        sampler.start()
        process.wait()
        sampler.stop()
        self.assertGreater(sampler.peak, 96 * MIB)


def report(path, records, bytes_read):
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], text=True,
                            stdout=subprocess.PIPE, check=False).stdout.strip()
    lines = [f"# Memory of a run, {datetime.date.today()}", "",
             f"{records:,} sales records, {bytes_read / 1e6:,.0f} MB of CSV. Peak of the proportional set size",
             f"of the whole process tree, sampled every {measure.SAMPLE_SECONDS * 1000:.0f} ms. `make memory` writes this page.",
             "Workers are those that the budget carried; seconds are with the sampler and whatever else ran"
             " (load average " + f"{os.getloadavg()[0]:.1f}).", "",
             f"Commit {commit}, {os.cpu_count()} cores, {measure.processor()}, Linux {platform.release()}.", "",
             "| load | workers | budget MiB | peak MiB | samples | seconds | rows written |",
             "|---|---|---|---|---|---|---|"]
    for outcome in Budget.outcomes:
        steps = outcome.summary.get("steps") or [{}]
        workers = steps[0].get("workers", {}).get("count", 0)
        lines.append(f"| {outcome.load.name} | {workers} | {outcome.load.memory_mib} | "
                     f"{outcome.peak / MIB:.0f} | {outcome.samples} | {outcome.seconds:.1f} | "
                     f"{steps[0].get('written', 0):,} |")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    arguments = argparse.ArgumentParser(description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=Budget.records)
    arguments.add_argument("--report", type=pathlib.Path)
    arguments.add_argument("--only", default="")
    given = arguments.parse_args()
    Budget.records = given.records
    Budget.only = given.only
    program = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1)
    if given.report:
        bytes_read = max((step.get("bytes_read", 0) for outcome in Budget.outcomes
                          for step in outcome.summary.get("steps", [])), default=0)
        report(given.report, given.records, bytes_read)
    sys.exit(0 if program.result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
