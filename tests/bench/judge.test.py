#!/usr/bin/env python3
"""The judges of the measurements find what is planted: a judge that calls everything right would make ours look right."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("TRANCHE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
TRANCHE = pathlib.Path(os.environ.get("TRANCHE_BIN", ROOT / "build" / "tranche")).absolute()
BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR", TRANCHE.resolve().parent))
sys.path.insert(0, str(ROOT / "bench"))

import check                                # noqa: E402
import data as sales                        # noqa: E402

HEADER = "id,sold_at,sku,total,currency,customer\n"
ROWS = ['1,2022-01-01 13:35:50.920,SKU-1,671.28,PLN,"Meitner, Lise"\n',
        "2,2022-01-01 14:00:00,SKU-2,253.90,SEK,Emmy Noether\n",
        "5,2022-01-02 14:31:48.319,SKU-3,1.00,EUR,Alan Turing\n"]


class Totals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-judge-")
        self.addCleanup(self.folder.cleanup)

    def compare(self, rows):
        expected, found = (pathlib.Path(self.folder.name) / name for name in ("expected.csv", "found.csv"))
        expected.write_text(HEADER + "".join(ROWS), encoding="utf-8")
        found.write_text(HEADER + "".join(rows), encoding="utf-8")
        return check.compare_totals(expected, found)

    def expect_wrong(self, rows, words):
        finding = self.compare(rows)
        self.assertFalse(finding.right, finding.text)
        self.assertIn(words, finding.text)

    def test_equal_rows_are_right_however_a_time_or_a_zero_is_spelled(self):
        other = [ROWS[0].replace(" 13", "T13").replace(".920", ".92"), ROWS[1].replace("253.90", "253.9"), ROWS[2]]
        for rows in (ROWS, other):
            finding = self.compare(rows)
            self.assertTrue(finding.right, finding.text)

    def test_a_total_that_is_off_by_the_last_bit_of_a_double_is_wrong(self):
        self.expect_wrong([ROWS[0], ROWS[1].replace("253.90", "253.90000000000003"), ROWS[2]], "1 wrong cells of total")

    def test_another_time_is_wrong(self):
        self.expect_wrong([ROWS[0].replace(".920", ".902"), *ROWS[1:]], "1 wrong cells of sold_at")

    def test_a_cut_customer_is_wrong(self):
        self.expect_wrong([ROWS[0].replace('"Meitner, Lise"', "Meitner"), *ROWS[1:]], "1 wrong cells of customer")

    def test_missing_doubled_and_foreign_records_are_wrong(self):
        self.expect_wrong(ROWS[:2], "1 records missing")
        self.expect_wrong([*ROWS, ROWS[0]], "1 that are no record")
        self.expect_wrong([*ROWS, ROWS[0].replace("1,", "9,", 1)], "1 that are no record")

    def test_another_order_is_wrong(self):
        self.expect_wrong([ROWS[1], ROWS[0], ROWS[2]], "not in order")


class Rejects(unittest.TestCase):
    """With the true rejects of a run, and then with a truth that has one record more, less, or elsewhere."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-judge-")
        self.addCleanup(self.folder.cleanup)
        root = pathlib.Path(self.folder.name)
        self.data = sales.Data(root / "data", BUILD / "bench", 60_000)
        (root / "sales.csv").symlink_to(self.data.dirty())
        columns = ", ".join(f'{name}: "{kind}"' for name, kind in sales.COLUMNS.items())
        (root / "job.yaml").write_text(
            f"job: judged\nsteps:\n  - name: load\n    read:\n      csv: sales.csv\n      columns: {{ {columns} }}\n"
            "    on_error: { max_rejects: 100% }\n    write: { csv: out.csv }\n", encoding="utf-8")
        subprocess.run([TRANCHE, "run", "job.yaml", "--state", "state"], cwd=root, check=True, capture_output=True)

    def judge(self, truth):
        self.data.broken = lambda: truth
        return check.rejects(self.data, [TRANCHE, "rejects", "last", "--state", "state"], self.folder.name)

    def test_the_truth_is_right_and_every_other_one_is_not(self):
        truth = self.data.broken()
        self.assertEqual(6, len(truth))
        self.assertTrue(self.judge(truth).right, self.judge(truth).text)
        record, line, offset, kind, column = truth[0]
        for place in ((record + 1, line, offset, kind, column), (record, line + 1, offset, kind, column),
                      (record, line, offset + 1, kind, column), (record, line, offset, "date", column),
                      (record, line, offset, kind, "id")):
            self.assertFalse(self.judge([place, *truth[1:]]).right, place)
        self.assertFalse(self.judge(truth[1:]).right)
        self.assertFalse(self.judge([*truth, (59_999, 1, 1, "date", "sold_at")]).right)


if __name__ == "__main__":
    unittest.main()
