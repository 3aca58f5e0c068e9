#!/usr/bin/env python3
"""Where a job writes: never over what it reads, nor over the job, and a file that is replaced stays as open as it was."""
import os
import pathlib
import stat
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

INPUT = "id,name\n1,a\nx,b\n"


def job_text(write, rejects="rejects.jsonl", read="in.csv"):
    return f"""job: places
steps:
  - name: load
    read: {{ csv: "{read}", columns: {{ id: bigint, name: varchar }} }}
    on_error: {{ max_rejects: 10, rejects: "{rejects}" }}
    write: {{ {write} }}
"""


class Places(scenes.Case):
    def refused(self, job, word, *untouched):
        scene = scenes.Scene(job)
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", INPUT)
        scene.write("kept.db", "")
        os.link(scene.root / "in.csv", scene.root / "linked.csv")
        before = {name: (scene.root / name).read_bytes() for name in ("in.csv", "job.yaml", *untouched)}
        done = self.expect(2, scene.type("check", "job.yaml"))
        self.assertIn(word, done.out + done.err)
        done = self.expect(2, scene.run())
        self.assertRegex(done.err, r"job\.yaml:\d+:\d+: ")
        self.assertIn(word, done.err)
        for name, text in before.items():
            self.assertEqual(text, (scene.root / name).read_bytes(), name)

    def test_rejects_that_would_replace_something_are_refused(self):
        self.refused(job_text("sqlite: kept.db, table: t, mode: append", rejects="kept.db"), "is what the step writes", "kept.db")
        self.refused(job_text("csv: out.csv", rejects="./sub/../out.csv"), "is what the step writes")
        self.refused(job_text("csv: out.csv", rejects="in.csv"), "is read by the step")
        self.refused(job_text("csv: out.csv", rejects="job.yaml"), "is the job file")

    def test_an_output_that_would_replace_the_input_or_the_job_is_refused(self):
        for write in ("csv: in.csv", "csv: ./x/../in.csv", "csv: linked.csv"):
            self.refused(job_text(write), "is read by the step")
        self.refused(job_text("csv: job.yaml"), "is the job file")
        self.refused(job_text("jsonl: linked.csv", read="*.csv"), "is read by the step")

    def test_what_lies_in_the_state_folder_is_refused(self):
        for write in ("sqlite: .tranche/ledger.db, table: t, mode: append", "csv: ./x/../.tranche/out.csv",
                      "duckdb: .tranche/runs/a.duckdb, table: t, mode: append"):
            self.refused(job_text(write), "where Tranche keeps its runs")
        scene = scenes.Scene(job_text("csv: out.csv") + "  - name: wipe\n    execute: { sqlite: .tranche/ledger.db, sql: DELETE FROM runs }\n")
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", INPUT)
        self.expect(2, scene.run(), "job.yaml:8:24: ")
        self.assertFalse((scene.root / "out.csv").exists())
        (scene.root / "in.csv").unlink()
        done = self.expect(2, scene.type("check", "job.yaml"), "No such file: in.csv")  # and what else is wrong
        self.assertIn("where Tranche keeps its runs", done.err)

    def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_to_it_stays(self):
        scene = scenes.Scene(job_text("csv: out.csv"))
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", INPUT)
        scene.write("real.csv", "old\n")
        (scene.root / "real.csv").chmod(0o600)
        (scene.root / "out.csv").symlink_to("real.csv")
        self.expect(0, scene.run())
        self.assertTrue((scene.root / "out.csv").is_symlink())
        self.assertEqual("id,name\n1,a\n", (scene.root / "real.csv").read_text())
        self.assertEqual(0o600, stat.S_IMODE((scene.root / "real.csv").stat().st_mode))
        self.assertEqual([], [path.name for path in scene.root.glob("*.tmp")])


if __name__ == "__main__":
    unittest.main()
