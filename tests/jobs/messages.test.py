#!/usr/bin/env python3
"""What the command says where a person has mistyped something, or names what is none."""
import gzip
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

JOB = """job: said
params: {{ day: {{ type: varchar, default: x }} }}
steps:
  - name: load
    read: {{ {} }}
    write: {{ csv: out.csv }}
"""


class Messages(scenes.Case):
    def scene(self, read="csv: in.csv"):
        scene = scenes.Scene(JOB.format(read))
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", "id,name\n1,a\n")
        return scene

    def test_a_file_that_is_no_duckdb_database_is_called_so(self):
        for read in ("duckdb: in.csv, table: t", "duckdb: job.yaml, table: t"):
            self.expect(2, self.scene(read).run(), "is no DuckDB database")

    def test_a_damaged_file_is_named_once(self):
        scene = self.scene("csv: in.csv.gz")
        scene.write("in.csv.gz", gzip.compress(b"id\n1\n")[:-6])
        self.assertEqual(1, self.expect(2, scene.run()).err.count("in.csv.gz"))

    def test_a_word_that_yaml_takes_for_nothing_is_to_be_quoted(self):
        done = self.expect(2, self.scene("csv: in.csv, null: [NO, ~]").run(), "which is YAML's null", 'put it in quotes')
        self.assertIn("job.yaml:5:37: ", done.err)
        self.expect(0, self.scene('csv: in.csv, null: [NO, "~"]').run())

    def test_what_is_given_twice_or_empty_is_refused(self):
        scene = self.scene()
        self.expect(2, scene.run("-p", "day=a", "-p", "day=b"), "-p day is given twice, as a and as b")
        self.expect(2, scene.run("--state", ""), "--state needs a value")
        self.expect(2, scene.type("runs", "--state", "nowhere"), "There is no folder nowhere")
        self.expect(0, scene.type("runs"), "There are no runs here yet")

    def test_one_file_by_two_names_is_read_once_or_not_at_all(self):
        scene = self.scene("csv: '*/*.csv'")
        scene.write("data/a.csv", "id\n1\n")
        (scene.root / "data" / "latest.csv").symlink_to("a.csv")
        for words in (["check", "job.yaml"], ["run", "job.yaml"]):
            self.expect(2, scene.type(*words), "data/a.csv and data/latest.csv in `csv:` are one file")
        (scene.root / "data" / "latest.csv").unlink()
        (scene.root / "now").symlink_to("data")
        self.expect(2, scene.type("run", "job.yaml"), "data/a.csv and now/a.csv in `csv:` are one file")
        scene.write_job(scene.job.read_text().replace("'*/*.csv'", "'*/*.csv', incremental: { files: true }"))
        self.expect(0, scene.type("check", "job.yaml"))
        self.assertEqual(1, self.expect(0, scene.run()).json["steps"][0]["written"])

    def test_a_partition_that_no_folder_can_stand_for_is_a_reject(self):
        scene = self.scene()
        scene.write("in.csv", "id,name\n1,a\n2," + "x" * 300 + "\n3,__HIVE_DEFAULT_PARTITION__\n4,\n5," + "/" * 84 + "\n6," + "y" * 250 + "\n")
        scene.write_job(scene.job.read_text().replace("csv: out.csv", "parquet: out, partition_by: [name], mode: append")
                        .replace("    write", "    on_error: { max_rejects: 3 }\n    write"))
        for words in ([], ["--workers", "{ processes: 2 }", "--again"]):
            done = self.expect(0, scene.run(*words))
            self.assertEqual((3, 3), (done.json["steps"][0]["written"], done.json["steps"][0]["rejected"]))
            rejects = scene.rejects()
            self.assertEqual([(1, "write", 3), (2, "write", 4), (4, "write", 6)], [(r["record"], r["phase"], r["line"]) for r in rejects])
            self.assertIn('Column "name"', rejects[0]["error"])
            self.assertIn("a text of 300 bytes: the folder's name would have 305, and 255 is the most", rejects[0]["error"])
            self.assertIn("stands for null", rejects[1]["error"])
            self.expect(0, scene.type("verify", "last"))
        scene.write_job(scene.job.read_text().replace("max_rejects: 3", "max_rejects: 2"))
        self.expect(1, scene.run("--again"), "Nothing of batch 0 was committed")

    def test_a_partition_called_null_is_none(self):
        scene = self.scene()
        scene.write("in.csv", "id,name\n1,NULL\n2,\n")
        scene.write_job(scene.job.read_text().replace("csv: out.csv", "parquet: out, partition_by: [name], mode: append")
                        + "  - name: look\n    query: SELECT id, name FROM read_parquet('out/*/*.parquet') ORDER BY id\n"
                          "    write: { csv: seen.csv }\n")
        self.expect(0, scene.run())
        self.assertEqual("id,name\n1,NULL\n2,\n", (scene.root / "seen.csv").read_text())

    def test_a_report_is_among_the_outputs(self):
        scene = self.scene()
        with scene.job.open("a") as job:
            job.write("  - name: page\n    report: page.html\n    sections:\n      - title: t\n        text: all\n")
        done = self.expect(0, scene.type("run", "job.yaml", "--lineage", "lineage.jsonl"))
        self.assertRegex(done.err, r"output +page\.html  \(page\)")
        self.assertIn("page.html", (scene.root / "lineage.jsonl").read_text())

    def test_the_way_on_behind_a_refused_change_accepts_it(self):
        scene = self.scene()
        wrong = "  - name: mark\n    execute: { sqlite: marks.db, sql: INSERT INTO marks VALUES (1) }\n"
        text = scene.job.read_text()
        scene.write("late.csv", "id\nx\n")
        scene.write_job(text.replace("csv: in.csv", "csv: late.csv, columns: { id: bigint }") + wrong.replace("mark\n", "mark\n    after: []\n"))
        self.expect(1, scene.run())
        scene.write_job(scene.job.read_text().replace("(1)", "(2)"))
        done = self.expect(1, scene.type("run", "job.yaml", "--max-rejects", "1"), "--accept job")
        self.assertIn("tranche run job.yaml --max-rejects 1 --accept job\n", done.err)


if __name__ == "__main__":
    unittest.main()
