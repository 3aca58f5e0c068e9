#!/usr/bin/env python3
"""`tranche guess`: from files of whatever form to a job file that runs at once and loads what is in them."""
import gzip
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import scene as scenes

DATA = scenes.SOURCE / ".deps" / "data"
PUBLIC = sorted((path for path in DATA.iterdir() if path.suffix in (".csv", ".tsv", ".json")), key=lambda path: path.stat().st_size)
PUBLIC = PUBLIC[:12] + PUBLIC[-10:]  # the smallest and the largest


class Guess(scenes.Case):
    def scene(self, **files):
        scene = scenes.Scene("")
        self.addCleanup(scene.__exit__)
        scene.job.unlink()
        for name, data in files.items():
            scene.write(name.replace("__", "."), data)
        return scene

    def guess(self, scene, *names):
        self.expect(0, scene.type("guess", *names, "--output", scene.job))
        return scene.job.read_text()

    def loaded(self, scene, name, columns="*"):
        with duckdb_file.File(":memory:") as files:
            return files.rows(f"SELECT {columns} FROM '{scene.root}/out/{name}/*.parquet'")

    def guess_and_load(self, data, name="in.csv"):
        scene = self.scene(**{name.replace(".", "__"): data})
        text = self.guess(scene, name)
        self.expect(0, scene.run())
        return text, self.loaded(scene, "in")

    def test_files_that_the_public_has_run_at_once(self):
        self.assertGreaterEqual(len(PUBLIC), 20)
        for path in PUBLIC:
            with self.subTest(path.name), scenes.Scene("") as scene:
                scene.job.unlink()
                self.assertNotIn("max_rejects", self.guess(scene, path))
                step = self.expect(0, scene.run()).json["steps"][0]
                with duckdb_file.File(":memory:") as files:
                    reader = "read_json" if path.suffix == ".json" else "read_csv"
                    (rows,), = files.rows(f"SELECT count(*) FROM {reader}('{path}')")
                self.assertEqual((int(rows), int(rows), 0), (step["read"], step["written"], step["rejected"]))

    def test_the_way_that_a_csv_file_is_written_is_found(self):
        for says, data, rows in (
                (['delimiter: ";"', 'date_format: "%d.%m.%Y"', "decimal_comma: true"],
                 "a;b;d\n1;2,5;31.12.2026\n2;3,25;01.02.2025\n", [("1", "2.5", "2026-12-31"), ("2", "3.25", "2025-02-01")]),
                (['delimiter: "\\t"'], "a\tb\n1\tx\n2\ty\n", [("1", "x"), ("2", "y")]),
                (["encoding: latin-1"], "a,b\n1,é\n2,x\n".encode("latin-1"), [("1", "é"), ("2", "x")]),
                (["encoding: utf-16"], "a,b\n1,é\n2,x\n".encode("utf-16"), [("1", "é"), ("2", "x")]),
                (["header: false"], "1,2,x\n3,4,y\n5,6,z\n", [("1", "2", "x"), ("3", "4", "y"), ("5", "6", "z")]),
                (['null: ["", NA]'], "a,b\n1,NA\nNA,2.5\n3,4\n", [("1", None), (None, "2.5"), ("3", "4.0")]),
                (['comment: "#"'], "# of today\na,b\n1,2\n# more\n3,4\n", [("1", "2"), ("3", "4")])):
            with self.subTest(says=says):
                text, loaded = self.guess_and_load(data)
                for option in says:
                    self.assertIn(option, text)
                self.assertEqual(rows, loaded)

    def test_a_date_that_could_be_read_in_two_ways_stays_text_and_is_said(self):
        text, loaded = self.guess_and_load("id,day\n1,03/04/2026\n2,05/06/2026\n")
        self.assertIn("# date_format:", text)
        self.assertIn('day: varchar', text)
        self.assertEqual(("1", "03/04/2026"), loaded[0])
        text, loaded = self.guess_and_load("id,day\n1,03/04/2026\n2,25/06/2026\n")
        self.assertIn('date_format: "%d/%m/%Y"', text)
        self.assertEqual(("1", "2026-04-03"), loaded[0])

    def test_records_that_do_not_fit_are_counted_and_said(self):
        rows = "".join(f"{i},x\n" for i in range(1000))
        for broken in (rows + "1,2,3,4\n", "1,2,3,4\n" + rows, rows[:2000] + "0\n" + rows[2000:]):
            with self.subTest(broken.index("1,2,3,4") if "1,2,3,4" in broken else "too few"):
                text, loaded = self.guess_and_load("a,b\n" + broken)
                self.assertRegex(text, r"on_error: \{ max_rejects: [12] \}")
                self.assertNotIn("skip_lines", text)
                self.assertGreaterEqual(len(loaded), 999)

    def test_a_preamble_is_skipped(self):
        text, loaded = self.guess_and_load("Sales of the year\n\na,b\n" + "".join(f"{i},x\n" for i in range(50)))
        self.assertIn("skip_lines: 2", text)
        self.assertEqual(50, len(loaded))

    def test_json_lines_arrays_and_compressed_files_are_known(self):
        for name, data, says in (("in.jsonl", '{"id":1,"tags":["a"],"o":{"x":1.5}}\n{"id":2,"tags":[],"o":{"x":2}}\n', 'tags: "varchar[]"'),
                                 ("in.json", '[{"id":1},{"id":2}]', "id: bigint"),
                                 ("in.csv.gz", gzip.compress(b"id,b\n1,x\n2,y\n"), "csv: in.csv.gz"),
                                 ("in.txt", '{"id":1}\n{"id":2}\n', "jsonl: in.txt")):
            with self.subTest(name=name):
                text, loaded = self.guess_and_load(data, name)
                self.assertIn(says, text)
                self.assertEqual(["1", "2"], [row[0] for row in loaded])

    def test_files_of_one_form_are_one_step_and_others_their_own(self):
        scene = self.scene(a__csv="x,y\n1,2\n", b__csv="x,y\n3,4\n", c__csv="other\n5\n", more__jsonl='{"z":1}\n')
        text = self.guess(scene, "a.csv", "b.csv", "c.csv", "more.jsonl")
        self.assertIn("csv: [a.csv, b.csv]", text)
        self.assertEqual(3, len(self.expect(0, scene.run()).json["steps"]))
        self.assertEqual([("1", "2"), ("3", "4")], self.loaded(scene, "a"))

    def test_each_table_of_a_database_is_a_step(self):
        scene = self.scene()
        with sqlite3.connect(scene.root / "shop.db") as shop:
            shop.executescript("CREATE TABLE sales (id INTEGER PRIMARY KEY, what TEXT); INSERT INTO sales VALUES (1, 'x');"
                               "CREATE TABLE \"big orders\" (id INTEGER); INSERT INTO \"big orders\" VALUES (7), (8);")
        shop.close()
        with duckdb_file.File(scene.root / "w.duckdb") as file:
            file.rows("CREATE TABLE days AS SELECT DATE '2026-01-01' AS day")
        self.guess(scene, "shop.db", "w.duckdb")
        self.expect(0, scene.run())
        self.assertEqual([("1", "x")], self.loaded(scene, "sales"))
        self.assertEqual([("7",), ("8",)], self.loaded(scene, "big_orders"))
        self.assertEqual([("2026-01-01",)], self.loaded(scene, "days"))

    def test_paths_are_right_wherever_the_job_file_lies(self):
        scene = self.scene(data__csv="a\n1\n")
        (scene.root / "jobs").mkdir()
        self.expect(0, scene.type("guess", "data.csv", "--output", "jobs/load.yaml"))
        self.assertIn("csv: ../data.csv", (scene.root / "jobs/load.yaml").read_text())
        self.expect(0, scene.type("run", "jobs/load.yaml"))

    def test_what_can_not_be_guessed_is_said_and_nothing_is_written_over(self):
        scene = self.scene(empty__csv="", doc__json='{\n "a": {\n  "b": 1\n }\n}', image__png=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", a__csv="a\n1\n")
        for words, *said in ((["nothing.csv"], "No such file: nothing.csv"), (["empty.csv"], "empty.csv is empty"),
                             (["doc.json"], "doc.json has no JSON object"), (["image.png"], "image.png is no text"),
                             (["."], "is a folder"), ([], "Name the files")):
            with self.subTest(words=words):
                self.expect(2, scene.type("guess", *words), *said)
        self.guess(scene, "a.csv")
        self.expect(2, scene.type("guess", "a.csv", "--output", scene.job), "is there already")


if __name__ == "__main__":
    unittest.main(verbosity=2)
