#!/usr/bin/env python3
"""The examples do what their READMEs say: their commands run word for word, in a folder of their own, and what comes out is looked at."""
import csv
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


class Examples(unittest.TestCase):
    def example(self, name):
        root = pathlib.Path(tempfile.mkdtemp(prefix="tranche-example-"))
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        self.folder = root / name
        shutil.copytree(scenes.SOURCE / "examples" / name, self.folder,
                        ignore=shutil.ignore_patterns("out", ".tranche", "__pycache__"))
        return self.folder

    def commands(self, **replaced):
        """All of the README's commands, in order."""
        text = "\n".join(re.findall(r"^```sh\n(.*?)^```", (self.folder / "README.md").read_text(), re.S | re.M))
        for old, new in replaced.items():
            text = text.replace(old.lstrip("_"), new)
        return text

    def run_commands(self, text):
        path = f"{os.path.dirname(scenes.TRANCHE)}:{os.environ['PATH']}"
        script = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + text
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=dict(os.environ, PATH=path),
                              capture_output=True, text=True, timeout=scenes.SECONDS_MAX, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_orders_for_an_erp_are_created_once_and_the_poison_one_is_found(self):
        folder = self.example("erp-orders")
        said = self.run_commands(self.commands(_8099=free_port()))
        created = list(csv.DictReader((folder / "out/created.csv").read_text().splitlines()))
        booked = [json.loads(line) for line in (folder / "out/erp-orders.jsonl").read_text().splitlines()]
        self.assertEqual(198, len(created))  # one of the three was mended
        self.assertEqual({(one["reference"], one["number"]) for one in created},
                         {(one["reference"], one["number"]) for one in booked})
        self.assertEqual(len(booked), len({one["reference"] for one in booked}))
        for words in ("there is no customer C-999", "an order needs a line", "internal error", '"line":164'):
            self.assertIn(words, said)

    def test_the_end_of_a_month_is_reported_with_what_could_not_be_read(self):
        folder = self.example("month-end-report")
        self.run_commands(self.commands())
        page = (folder / "out/month-2026-10.html").read_text()
        self.assertIn("1498 sales were counted, <strong>2</strong> could not be read", page)
        sales = list(csv.DictReader((folder / "data/sales-2026-10.csv").read_text().splitlines()))
        good = [sale for sale in sales if sale["qty"].isdigit() and sale["sold_on"] != "2026-10-32"]
        revenue = sum(int(sale["qty"]) * round(100 * float(sale["unit_price"])) for sale in good if sale["store"] == "1")
        stores = {row["name"]: row for row in csv.DictReader((folder / "out/stores.csv").read_text().splitlines())}
        self.assertEqual(f"{revenue / 100:.2f}", stores["Harbour"]["revenue"])
        self.assertIn(f"{revenue / 100:,.2f}", page)
        self.assertTrue((folder / "out/month-2026-10.xlsx").read_bytes().startswith(b"PK"))
        self.assertIn("Run of month-end", (folder / "out/run.html").read_text())


if __name__ == "__main__":
    unittest.main()
