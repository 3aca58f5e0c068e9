#!/usr/bin/env python3
"""`tranche new` and `tranche test`: what is written runs as the printed words say, and a test compares what comes of a
job with what is expected of it, without a trace in the job's own outputs and state.
"""
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import program_scene
import scene as scenes

JOB = """job: shop
steps:
  - name: load
    read: { csv: data/*.csv, columns: { id: bigint, qty: integer } }
    process: [{ sql: "SELECT id, qty * 2 AS twice FROM batch" }]
    on_error: { max_rejects: 10, rejects: REJECTS }
    write: WRITE
"""


class Case(unittest.TestCase):
    maxDiff = 4000

    def folder(self, write="{ csv: out.csv }", more="", rejects="bad.jsonl"):
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        folder.write_job(JOB.replace("WRITE", write).replace("REJECTS", rejects) + more)
        for place, records in (("data", "7,7\n"), ("tests/job/first/data", "1,1\n2,x\n")):
            (folder.root / place).mkdir(parents=True)
            (folder.root / place / "in.csv").write_text("id,qty\n" + records)
        self.expected = folder.root / "tests" / "job" / "first" / "expected"
        return folder

    def expect(self, folder, code, *words, flags=()):
        done = folder.tranche("test", "job.yaml", *flags)
        self.assertEqual(done.code, code, done)
        for word in words:
            self.assertIn(word, done.out + done.err)

    def snapshot(self, folder):
        return {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}


class New(Case):
    def type_all(self, folder, *words):
        """Types what `tranche new` says is next."""
        made = folder.tranche("new", *words)
        self.assertEqual(made.code, 0, made)
        commands = [re.split(r"\s{2,}", line.strip())[0] for line in made.out.split("Next:\n")[1].splitlines()]
        script = "\n".join(re.sub(r"^tranche ", f"'{scenes.TRANCHE}' ", command) for command in commands)
        done = subprocess.run(["sh", "-ec", script], cwd=folder.root, env=folder.environment(), capture_output=True,
                              text=True, timeout=scenes.SECONDS_MAX, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("The case passed.", done.stdout)

    def test_starts_a_job_that_does_what_the_printed_words_say(self):
        folder = self.folder()
        self.type_all(folder, "shop")
        self.assertEqual((folder.root / "shop" / "out" / "totals.csv").read_text(),
                         "sku,euros\nchair,202.20\nlamp,39.80\ntable,111.02\n")

    def test_starts_a_plugin_that_is_built_as_the_printed_words_say(self):
        folder = self.folder()
        self.type_all(folder, "plugin", "shop")
        self.assertEqual(len((folder.root / "shop" / "out" / "scores.csv").read_text().splitlines()), 3)
        again = folder.tranche("new", "shop")
        self.assertEqual(again.code, 2, again)
        self.assertIn("shop is there already, and is not written over", again.err)


class Tests(Case):
    def test_say_what_differs_and_nothing_else_when_it_is_right(self):
        folder = self.folder()
        before = self.snapshot(folder)
        self.expect(folder, 1, "nothing says what is expected; --update writes what came")
        self.assertEqual(self.snapshot(folder), before)
        self.expect(folder, 0, "wrote tests/job/first/expected/out.csv", flags=["--update"])
        self.assertEqual((self.expected / "out.csv").read_text(), "id,twice\n1,2\n")
        self.assertIn('"error":"Column 2 \\"qty\\"', (self.expected / "rejects.jsonl").read_text())
        before = self.snapshot(folder)
        self.expect(folder, 0, "✓ first", "The case passed.")
        self.assertEqual(self.snapshot(folder), before)
        (self.expected / "out.csv").write_text("id,twice\n1,3\n")
        (self.expected / "more.csv").write_text("")
        self.expect(folder, 1, "✗ first", "out.csv differs from line 2 on: 2 lines expected, 2 came",
                    "      - 1,3\n      + 1,2\n", "more.csv was expected, and did not come", "1 of 1 cases failed")

    def test_touch_no_output_of_a_run(self):
        folder = self.folder()
        self.assertEqual(folder.tranche("run", "job.yaml").code, 0)
        before = self.snapshot(folder)
        self.expect(folder, 0, flags=["--update"])
        after = {path: bytes for path, bytes in self.snapshot(folder).items() if self.expected not in path.parents}
        self.assertEqual(after, before)
        self.assertEqual((folder.root / "out.csv").read_text(), "id,twice\n7,14\n")
        self.assertEqual(self.rows(folder), "id,twice\n1,2\n")

    def rows(self, folder, name="out.csv"):
        return (self.expected / name).read_text()

    def test_compare_tables_and_parquet_as_csv(self):
        for write, name in (("{ sqlite: shop.db, table: sales, mode: append }", "shop.db/sales.csv"),
                            ("{ parquet: out/sales, mode: replace }", "out/sales.csv"),
                            ("{ csv: out.csv.gz }", "out.csv.gz.csv"), ('{ csv: "-" }', "standard-output")):
            with self.subTest(write=write):
                folder = self.folder(write)
                self.expect(folder, 0, flags=["--update"])
                self.assertEqual(self.rows(folder, name), "id,twice\n1,2\n")
                self.expect(folder, 0, "The case passed.")

    def test_leave_out_what_acts_elsewhere_and_refuse_to_write_there(self):
        folder = self.folder(more="  - name: publish\n    exec: [touch, published]\n")
        self.expect(folder, 0, flags=["--update"])
        self.expect(folder, 0, 'step "publish" was not run: it runs a program')
        self.assertFalse((folder.root / "published").exists())
        for write in ("{ csv: /tmp/out.csv }", "{ csv: ../out.csv }",
                      "{ postgres: postgresql://host/db, table: t, mode: append }"):
            with self.subTest(write=write):
                self.expect(self.folder(write), 2, 'job.yaml:3:5', 'Step "load" writes to')

    def test_have_steps_wait_for_what_those_left_out_waited_for(self):
        folder = self.folder(more="  - name: publish\n    exec: [touch, published]\n  - name: again\n"
                                  "    after: [publish]\n    when: { publish: completed }\n"
                                  "    query: SELECT sum(twice) AS sum FROM 'out.csv'\n    write: { csv: sum.csv }\n")
        self.expect(folder, 0, flags=["--update"])
        self.assertEqual(self.rows(folder, "sum.csv"), "sum\n2\n")

    def test_show_why_a_run_failed(self):
        folder = self.folder()
        folder.write_job((folder.root / "job.yaml").read_text().replace("max_rejects: 10", "max_rejects: 0"))
        self.expect(folder, 1, "✗ first: the run failed")

    def test_need_a_case(self):
        folder = self.folder()
        self.expect(folder, 2, 'There is no case "fist"; did you mean "first"?', flags=["--case", "fist"])
        (folder.root / "tests" / "job").rename(folder.root / "tests" / "other")
        self.expect(folder, 2, "job.yaml has no cases: make a folder tests/job/first, with files in it")


if __name__ == "__main__":
    unittest.main()
