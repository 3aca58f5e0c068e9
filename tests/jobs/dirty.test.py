#!/usr/bin/env python3
"""A file with one broken record in 10,000: each of them is rejected with its place and its column, and no other.

What was broken is told by the generator. Rejects and counts are the same for every number of workers, for every size
of batch, and whether the broken column is wanted by the query or not.
"""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 200_000
BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR", pathlib.Path(scenes.TRANCHE).resolve().parent))
COLUMNS = {"id": "bigint", "sold_at": "timestamp", "store": "integer", "sku": "varchar", "qty": "integer",
           "unit_price": '"decimal(12,2)"', "currency": "varchar", "customer": "varchar", "note": "varchar"}
# The last one wants none of the columns that are broken.
QUERIES = {
    "none": "",
    "a filter": "SELECT id, qty * unit_price AS total FROM batch WHERE qty > 0",
    "an untouched column": "SELECT store FROM batch",
}


def job_text(query, batch=""):
    columns = ", ".join(f"{name}: {kind}" for name, kind in COLUMNS.items())
    process = f"    process:\n      - sql: {query}\n" if query else ""
    return (f"job: dirty\nsteps:\n  - name: load\n    read:\n      csv: sales.csv\n      columns: {{ {columns} }}\n"
            f"{batch}{process}    on_error: {{ max_rejects: 0.1% }}\n    write: {{ csv: out/o.csv }}\n")


def column_of(error):
    """The column that the sentence of a reject names."""
    return error.split('"')[1] if error.startswith("Column ") else ""


def kind_of(error):
    if error.startswith("Expected 9 columns"):
        return "too_few_columns" if error.endswith("found 8.") else "too_many_columns"
    return "date" if error.endswith("is not a timestamp.") else "number"


class Dirty(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tranche-dirty-")
        cls.clean, cls.dirty, cls.truth_file = (pathlib.Path(cls.folder.name) / name
                                                for name in ("clean.csv", "dirty.csv", "truth.csv"))
        generator = str(BUILD / "bench" / "generate_sales")
        subprocess.run([generator, str(RECORDS), str(cls.clean)], check=True)
        subprocess.run([generator, str(RECORDS), str(cls.dirty), "--broken", str(cls.truth_file)], check=True)
        with open(cls.truth_file, newline="", encoding="utf-8") as file:
            cls.truth = [(int(row["record"]), int(row["line"]), int(row["offset"]), row["kind"], row["column"])
                         for row in csv.DictReader(file)]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_job(self, job, workers):
        with scenes.Scene(job, workers) as scene:
            (scene.root / "sales.csv").symlink_to(self.dirty)
            done = scene.run()
            self.assertEqual(0, done.code, done)
            return done, scene.rejects(), (scene.out / "o.csv").read_bytes()

    def check(self, job, workers):
        done, rejects, output = self.run_job(job, workers)
        found = [(reject["record"], reject["line"], reject["offset"], kind_of(reject["error"]),
                  column_of(reject["error"])) for reject in rejects]
        self.assertEqual(self.truth, found)
        step = done.json["steps"][0]
        self.assertEqual((RECORDS - len(self.truth), len(self.truth)), (step["read"], step["rejected"]))
        return output

    def test_the_truth_is_one_record_in_10000_and_a_third_of_each_kind(self):
        kinds = [kind for _, _, _, kind, _ in self.truth]
        self.assertEqual(RECORDS // 10_000, len(kinds))
        counts = [kinds.count("number"), kinds.count("date"),
                  kinds.count("too_few_columns") + kinds.count("too_many_columns")]
        self.assertLessEqual(max(counts) - min(counts), 1)
        self.assertLessEqual(abs(kinds.count("too_few_columns") - kinds.count("too_many_columns")), 1)

    def test_the_other_records_are_those_of_a_clean_file(self):
        """By Python's csv, and not by us."""
        def rows(path):
            with open(path, newline="", encoding="utf-8") as file:
                return list(csv.reader(file))[1:]
        broken = {record for record, *_ in self.truth}
        clean, dirty = rows(self.clean), rows(self.dirty)
        self.assertEqual(len(clean), len(dirty))
        self.assertEqual(broken, {number for number in range(RECORDS) if clean[number] != dirty[number]})

    def test_rejects_are_the_truth_for_every_number_of_workers_and_every_query(self):
        for name, query in QUERIES.items():
            expected = None
            for workers in (1, 2, 7):
                with self.subTest(query=name, workers=workers):
                    output = self.check(job_text(query), workers)
                    expected = expected or output
                    self.assertEqual(expected, output)

    def test_rejects_are_the_truth_for_small_batches(self):
        for batch in ("    batch: { rows: 777 }\n", "    batch: { bytes: 64KiB }\n"):
            with self.subTest(batch=batch):
                self.check(job_text("", batch), 2)


if __name__ == "__main__":
    unittest.main()
