#!/usr/bin/env python3
"""Steps with `backup:` and `restore:`, of SQLite and DuckDB: in their place among the others, killed and gone on with, given up,
and what is said of mistakes. With a server: moving_servers.test.py."""
import contextlib
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import scene as scenes

JOB = """job: nightly
params: { day: { type: date, default: 2026-01-31 } }
steps:
  - name: load
    read: { csv: sales.csv }
    write: { sqlite: shop.db, table: sale, mode: append }
  - name: keep
    backup: { sqlite: shop.db, to: "backups/${day}", exclude: [tranche_commits, "tmp_*"] }
  - name: copy
    restore: { from: "backups/${day}", duckdb: "copy.duckdb", cast: { sale.qty: integer } }
  - name: say
    query: SELECT $steps.keep.written AS kept, $steps.copy.written AS copied
    write: { csv: out.csv }
"""
ROWS = 2000


class Steps(scenes.Case):
    def setUp(self):
        self.scene = scenes.Scene(JOB)
        self.addCleanup(self.scene.__exit__)
        self.scene.write("sales.csv", "id,qty\n" + "".join(f"{n},{n % 7}\n" for n in range(ROWS)))
        self.change("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
                    "INSERT INTO customer VALUES (1, 'Ann'), (2, 'Bob'); CREATE TABLE tmp_x (id INTEGER);"
                    "CREATE VIEW names AS SELECT name FROM customer")

    def change(self, sql):
        with contextlib.closing(sqlite3.connect(self.scene.root / "shop.db")) as connection:
            connection.executescript(sql)

    def begin_keep(self):
        """A run whose engine dies in the middle of its backup, however often it is started again."""
        self.expect(1, self.scene.run(fault="kill:seal-manifest"), "3 times without a commit in between")

    def copied(self):
        with duckdb_file.File(self.scene.root / "copy.duckdb") as file:
            return [file.rows(query) for query in ("SELECT count(*), sum(qty), typeof(max(qty)) FROM sale",
                                                   "SELECT name FROM names ORDER BY name", "SHOW TABLES")]

    def expect_copy(self):
        sums = sum(n % 7 for n in range(ROWS))
        self.assertEqual([[(str(ROWS), str(sums), "INTEGER")], [("Ann", ), ("Bob", )], [("customer", ), ("names", ), ("sale", )]],
                         self.copied())
        self.assertEqual(f"kept,copied\n{ROWS + 2},{ROWS + 2}\n", (self.scene.root / "out.csv").read_text())

    def test_run_in_their_place_and_are_seen_like_the_others(self):
        done = self.expect(0, self.scene.run())
        self.expect_copy()
        self.assertEqual([("load", ROWS), ("keep", ROWS + 2), ("copy", ROWS + 2), ("say", 1)],
                         [(step["name"], step["written"]) for step in done.json["steps"]])
        self.assertIn(f"keep  completed  {ROWS + 2:,}", self.expect(0, self.scene.type("status")).out)
        self.expect(0, self.scene.type("verify", "backups/2026-01-31", "sqlite:shop.db"))
        self.expect(0, self.scene.type("verify", "last"), f"copy  {ROWS + 2:,} rows, as the ledger has it")
        with duckdb_file.File(self.scene.root / "copy.duckdb") as file:
            file.rows("UPDATE sale SET qty = -1 WHERE id = 5")
        part = next((self.scene.root / "backups/2026-01-31/tables/customer").glob("*.parquet"))
        part.write_bytes(part.read_bytes()[:-1] + b"x")
        self.expect(1, self.scene.type("verify", "last"), "sale: its rows are others", "has other bytes than")

    def test_go_on_where_a_kill_met_them(self):
        for fault in ("seal-manifest:2", "executed:1", "applied:2", "ended:1"):
            with self.subTest(fault=fault):
                self.setUp()
                died = self.scene.run(fault=f"kill:{fault}")
                self.assertIn("it is started again after the last commit", died.err)
                if died.code != 0:  # each start met it
                    self.expect(0, self.scene.run())
                self.expect_copy()
                self.expect(0, self.scene.type("verify", "last"))

    def test_go_on_when_a_kill_met_all_processes_at_once(self):
        for name in ("keep", "copy"):
            with self.subTest(step=name):
                self.setUp()
                process = self.scene.start("run", self.scene.job)
                ledgers = {"keep": "backups/2026-01-31/.tranche/ledger.db", "copy": ".tranche/runs/*/moves/copy/ledger.db"}
                scenes.wait_until(lambda: list(self.scene.root.glob(ledgers[name])) or process.poll() is not None, name)
                scenes.kill_group(process)
                self.scene.finish(process)
                self.expect(0, self.scene.run())
                self.expect_copy()

    def test_what_a_run_has_not_finished_is_taken_back_when_it_is_given_up(self):
        with open(self.scene.root / "sales.csv", "a", encoding="utf-8") as sales:
            sales.write(f"{ROWS},300\n")
        self.scene.write_job(JOB.replace("sale.qty: integer", "sale.qty: tinyint"))
        self.expect(1, self.scene.run(), "300")
        self.assertIn("sale", duckdb_file.table_names(self.scene.root / "copy.duckdb"))
        self.expect(0, self.scene.type("abandon", "last", "--accept", "committed"))
        self.assertEqual([], duckdb_file.table_names(self.scene.root / "copy.duckdb"))

    def test_a_source_that_was_changed_is_read_anew_where_the_job_says_so(self):
        small = """job: small
steps:
  - name: keep
    backup: { sqlite: shop.db, to: kept%s }
"""
        self.scene.write_job(small % "")
        self.begin_keep()
        self.change("INSERT INTO customer VALUES (3, 'Cid')")
        self.expect(2, self.scene.run(), "was written to since this was begun", "--accept snapshot")
        self.scene.write_job(small % ", on_change: restart")
        self.expect(0, self.scene.run("--accept", "job"))
        self.expect(0, self.scene.type("verify", "kept", "sqlite:shop.db"), "3  ")

    def test_their_memory_is_in_the_summary(self):
        self.scene.write_job("job: small\nsteps:\n  - name: keep\n    backup: { sqlite: shop.db, to: kept }\n")
        self.assertGreater(self.expect(0, self.scene.run()).json["peak_memory_bytes"], 1 << 20)

    def test_an_unfinished_one_belongs_to_its_run(self):
        self.begin_keep()
        words = ["backup", "sqlite:shop.db", "backups/2026-01-31"]
        self.expect(2, self.scene.type(*words), "was begun by a step of run", "--fresh")
        self.expect(0, self.scene.run())
        self.expect(2, self.scene.type(*words), "holds a backup already")

    def test_increments_are_added_run_by_run(self):
        self.scene.write_job("""job: often
params: { n: integer }
steps:
  - name: keep
    backup: { sqlite: shop.db, to: kept, tables: [customer], since: id }
""")
        self.expect(0, self.scene.run("-p", "n=1"))
        self.change("INSERT INTO customer VALUES (3, 'Cid')")
        self.assertEqual(1, self.expect(0, self.scene.run("-p", "n=2")).json["steps"][0]["written"])
        self.expect(0, self.scene.type("restore", "kept", "sqlite:back.db"))
        with contextlib.closing(sqlite3.connect(self.scene.root / "back.db")) as connection:
            self.assertEqual([(3, )], connection.execute("SELECT count(*) FROM customer").fetchall())

    def test_what_is_wrong_is_found_before_the_start(self):
        wrong = """job: wrong
steps:
  - name: a
    backup: { to: x, sqlite: shop.db, duckdb: b.duckdb }
  - name: b
    after: []
    backup: { sqlite: shop.db, too: x }
  - name: c
    after: []
    restore: { from: x, table: y, cast: { n: text }, schema_only: true, data_only: true }
  - name: d
    after: []
    backup: { postgres: nowhere, to: x }
"""
        self.scene.write_job(wrong)
        self.expect(2, self.scene.type("check", "job.yaml"), "job.yaml:4:39", "two databases, sqlite and duckdb",
                    "job.yaml:7:", 'did you mean "to"', 'names no database', "job.yaml:10:", "leave nothing to be restored",
                    "A cast is a table", "names none of the job's connections")
        one = """job: one
steps:
  - name: a
    backup: { sqlite: %s, to: %s }
"""
        self.scene.write_job(one % ("nothing.db", "kept"))
        self.expect(2, self.scene.run(), "job.yaml:4:", "nothing.db")
        self.scene.write_job(one % ("shop.db", "."))
        self.expect(2, self.scene.run(), "is not empty: it holds", "A backup needs a folder of its own")
        self.scene.write_job("""job: both
steps:
  - name: a
    backup: { sqlite: shop.db, to: kept }
  - name: b
    after: []
    backup: { sqlite: shop.db, to: ./kept }
""")
        self.expect(2, self.scene.type("check", "job.yaml"), "both write", "kept")


if __name__ == "__main__":
    unittest.main()
