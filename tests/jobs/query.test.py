#!/usr/bin/env python3
"""Steps with a query: SQL over files, tables and what earlier steps have written, into any sink, exactly once."""
import pathlib
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

SALES = "store,qty,price\n1,2,10.50\n2,1,3.25\n1,5,1.00\n3,4,2.00\n"
LOAD = """  - name: load
    read: { csv: sales.csv, columns: { store: integer, qty: integer, price: "decimal(8,2)" } }
    write: { parquet: sales, mode: replace }
"""


def job_text(query, write="csv: out.csv", more="", steps="", head=""):
    return f"""job: totals
{head}
steps:
{steps}
  - name: totals
    query: |
{chr(10).join("      " + line for line in query.splitlines())}
{more}
    write: {{ {write} }}
"""


class Query(scenes.Case):
    def scene(self, *words, **more):
        scene = scenes.Scene(job_text(*words, **more))
        self.addCleanup(scene.__exit__)
        scene.write("sales.csv", SALES)
        return scene

    def test_reads_what_an_earlier_step_wrote_and_tables_of_any_source(self):
        scene = self.scene("SELECT name, sum(qty * price) AS revenue, sum(qty) AS pieces FROM 'sales/*.parquet' JOIN stores\n"
                           "ON store = id WHERE qty >= $least GROUP BY ALL ORDER BY ALL  -- best of all",
                           steps=LOAD, head="params: { least: { type: integer, default: 2 } }",
                           more="    tables: { stores: { sqlite: stores.db, table: stores } }")
        with sqlite3.connect(scene.root / "stores.db") as stores:
            stores.execute("CREATE TABLE stores (id INTEGER PRIMARY KEY, name TEXT)")
            stores.execute("INSERT INTO stores VALUES (1, 'Berlin'), (2, 'Paris'), (3, 'Oslo')")
        done = self.expect(0, scene.run())
        self.assertEqual("name,revenue,pieces\nBerlin,26.00,7\nOslo,8.00,4\n", (scene.root / "out.csv").read_text())
        self.assertEqual(2, done.json["steps"][1]["written"])
        self.expect(0, scene.type("verify", "last"))
        self.expect(0, scene.run("-p", "least=5"))
        self.assertEqual("name,revenue,pieces\nBerlin,5.00,5\n", (scene.root / "out.csv").read_text())

    def test_keeps_sums_of_whole_numbers_exact(self):
        scene = self.scene("SELECT sum(n) AS total FROM (SELECT 9223372036854775807 AS n FROM range(1000))")
        self.expect(0, scene.run())
        self.assertEqual("total\n9223372036854775807000\n", (scene.root / "out.csv").read_text())

    def test_may_end_with_a_semicolon_and_words_about_it(self):
        scene = self.scene("SELECT ';' AS one -- not the end;\n; -- done\n-- by me")
        self.expect(0, scene.run())
        self.assertEqual("one\n;\n", (scene.root / "out.csv").read_text())

    def test_runs_wherever_its_job_lies(self):
        scene = self.scene("SELECT count(*) AS n FROM 'sales.csv'")
        scene.write("elsewhere/job.yaml", job_text("SELECT count(*) AS n FROM '../sales.csv'"))
        self.expect(0, scene.type("run", "elsewhere/job.yaml"))
        self.assertEqual("n\n4\n", (scene.root / "elsewhere" / "out.csv").read_text())

    def test_reads_the_files_beside_its_job_and_not_those_of_the_folder_where_the_command_is_typed(self):
        query = """WITH c AS (SELECT 'größer' AS word), d AS (SELECT * FROM "r.csv")
SELECT (SELECT count(*) FROM r.csv) AS a, (SELECT max(x) FROM 'r.csv' r WHERE r.x > '') AS b,
  (SELECT string_agg(x, '+' ORDER BY x) FROM read_csv(['r.csv', './sub/r.csv'])) AS c, (SELECT x FROM d) AS d,
  (SELECT x FROM read_csv('r*.csv')) AS e, (SELECT trim(content, chr(10)) FROM read_text('r.csv')) AS f, word FROM c"""
        for sql in (False, True):
            with self.subTest(sql=sql):
                scene = self.scene("SELECT 1 AS one")
                scene.write("r.csv", "x\nwrong\n")
                scene.write("sub/r.csv", "x\nwrong too\n")
                scene.write("it's, there too/r.csv", "x\nwrong as well\n")
                scene.write("it's, [t]here*/r.csv", "x\nright\n")
                scene.write("it's, [t]here*/sub/r.csv", "x\nbelow\n")
                job = job_text(query)
                if sql:
                    scene.write("it's, [t]here*/one.csv", "one\n1\n")
                    text = query.replace("word FROM c", "word FROM batch, c").replace("(SELECT x FROM d)", "'right'")
                    job = job.replace("    query: |", "    read: { csv: one.csv }\n    process:\n    - per_batch: true\n      sql: |")
                    job = job.replace(job[job.index("      WITH"):job.index("\n\n    write")],
                                      "\n".join("        " + line for line in text.splitlines()))
                scene.write("it's, [t]here*/job.yaml", job)
                self.expect(0, scene.type("run", "it's, [t]here*/job.yaml"))
                self.assertEqual('a,b,c,d,e,f,word\n1,right,below+right,right,right,"x\nright",größer\n',
                                 (scene.root / "it's, [t]here*" / "out.csv").read_text())

    def test_that_is_given_up_leaves_nothing_of_its_result(self):
        scene = self.scene("SELECT range AS n FROM range(10)", write="sqlite: out.db, table: t, mode: append")
        with sqlite3.connect(scene.root / "out.db") as out:
            out.execute("CREATE TABLE t (n BIGINT CHECK (n <> 5))")
        self.expect(1, scene.run())
        self.assertNotEqual([], list(scene.state.glob("runs/*/queries/*")))
        self.expect(0, scene.type("abandon", "last"))
        self.assertEqual([], list(scene.state.glob("runs/*/queries/*")))

    def test_without_a_row_writes_what_its_sink_writes_of_nothing(self):
        scene = self.scene("SELECT 1 AS one WHERE false")
        self.expect(0, scene.run())
        self.assertEqual("one\n", (scene.root / "out.csv").read_text())

    def test_that_was_killed_while_it_is_written_goes_on_with_the_same_result(self):
        scene = self.scene("SELECT range AS n, (SELECT count(*) FROM 'sales.csv') AS sales FROM range(1500000) ORDER BY n",
                           write="sqlite: out.db, table: t, mode: append")
        process = scene.start_run()
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().commits >= 1, "a group is committed")
        scenes.kill_group(process)
        watch.close()
        scene.finish(process)
        scene.write("sales.csv", SALES * 2)
        done = self.expect(0, scene.run())
        self.assertGreater(done.json["steps"][0]["batches_resumed"], 0)
        with sqlite3.connect(scene.root / "out.db") as out:
            self.assertEqual([(1_500_000, 1_500_000, 4, 4)],
                             out.execute("SELECT count(*), count(DISTINCT n), min(sales), max(sales) FROM t").fetchall())
        self.assertEqual([], list(scene.state.glob("runs/*/queries/*")), "the result is kept no longer than it is needed")

    def test_ends_when_it_is_stopped_and_runs_again(self):
        scene = self.scene("SELECT sum(sqrt(a.range * b.range)) AS s FROM range(10000000) a, range(10000000) b")
        process = scene.start_run()
        scenes.wait_until(lambda: "runs its query" in process.stderr.readline(), "the query runs")
        process.send_signal(signal.SIGINT)
        self.expect(3, scene.finish(process))
        scene.write_job(job_text("SELECT 1 AS s"))
        self.expect(0, scene.run())
        self.assertEqual("s\n1\n", (scene.root / "out.csv").read_text())

    def test_that_is_wrong_is_found_before_the_start(self):
        for query, why in (("SELEC 1", 'syntax error at or near "SELEC"'), ("SELECT nothing FROM 'sales.csv'", '"nothing" not found'),
                           ("SELECT 1; SELECT 2", "one SELECT, and these are 2 statements"),
                           ("SELECT 1 AS id, 2 AS \"ID\", sum(n) AS s FROM (SELECT 1 AS n)", 'Two columns of the query are named "ID"'),
                           ("CREATE TABLE t (id INT)", "for SQL that changes something there are `execute:` steps"),
                           ("SELECT [1::HUGEINT] AS list", 'Column "list" is a HUGEINT[]'),
                           ("SELECT 1 AS n FROM 'nowhere.csv'", "nowhere.csv")):
            with self.subTest(query):
                scene = self.scene(query)
                done = scene.run()
                self.assertIn(why, done.err)
                self.assertEqual(2, done.code, done)
                self.assertFalse((scene.root / "out.csv").exists())

    def test_that_is_wrong_behind_other_steps_fails_the_run_which_goes_on_with_it(self):
        scene = self.scene("SELECT nothing FROM 'sales/*.parquet'", steps=LOAD)
        done = self.expect(1, scene.run())
        self.assertIn('"nothing" not found', done.err)
        scene.write_job(job_text("SELECT sum(qty) AS pieces FROM 'sales/*.parquet'", steps=LOAD))
        again = self.expect(0, scene.run())
        self.assertEqual(done.json["run"], again.json["run"])
        self.assertEqual("pieces\n12\n", (scene.root / "out.csv").read_text())

    def test_is_shown_by_check_plan_and_preview_which_write_nothing(self):
        scene = self.scene("SELECT store, max(price) AS dearest FROM 'sales.csv' GROUP BY store ORDER BY store")
        self.assertIn("dearest", self.expect(0, scene.type("check", scene.job)).out)
        self.assertIn("when its query has run", self.expect(0, scene.type("plan", scene.job)).out)
        self.assertIn("10.5", self.expect(0, scene.type("preview", scene.job)).out)
        self.assertFalse((scene.root / "out.csv").exists())
        self.assertFalse(scene.state.exists())


if __name__ == "__main__":
    unittest.main()
