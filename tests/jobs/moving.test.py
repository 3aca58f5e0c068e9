#!/usr/bin/env python3
"""`migrate`, `backup`, `restore` and `verify DIR DATABASE` between SQLite and DuckDB; both judge what arrived. With a server:
moving_servers.test.py, with kills: ../crash/moving.test.py."""
import contextlib
import json
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import scene as scenes

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT 'x$y', joined DATE, rate REAL CHECK (rate >= 0));
INSERT INTO customer (joined, rate) VALUES ('2026-01-01', 0.1), ('2026-01-02', NULL), (NULL, 1e300);
DELETE FROM customer WHERE id = 3;
CREATE TABLE sale (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer (id), price DECIMAL(10,2), paid BOOLEAN,
                   doubled GENERATED ALWAYS AS (price * 2), UNIQUE (customer, price));
INSERT INTO sale (customer, price, paid) VALUES (1, 1.25, 1), (2, 2.5, 0), (2, 3, NULL);
CREATE INDEX sale_price ON sale (price DESC);
CREATE VIEW spent AS SELECT customer, count(*) AS sales FROM sale GROUP BY customer;
CREATE TRIGGER t AFTER INSERT ON sale BEGIN SELECT 1; END;
"""


class Moving(scenes.Case):
    def setUp(self):
        self.scene = scenes.Scene("")
        self.addCleanup(self.scene.__exit__)
        self.script("shop.db", SHOP)

    def script(self, name, text):
        with contextlib.closing(sqlite3.connect(self.scene.root / name)) as connection:
            connection.executescript(text)

    def type(self, code, *words, said=()):
        return self.expect(code, self.scene.type(*words), *said)

    def sqlite(self, name, query):
        with contextlib.closing(sqlite3.connect(self.scene.root / name)) as connection:
            return connection.execute(query).fetchall()

    def duckdb(self, name, query):
        with duckdb_file.File(self.scene.root / name) as file:
            return file.rows(query)

    def test_there_and_back(self):
        done = self.type(0, "migrate", "sqlite:shop.db", "duckdb:a.duckdb", "--json", said=["1 trigger (t)"])
        self.assertEqual([("customer", True, 2), ("sale", True, 3)],
                         [(table["table"], table["equal"], table["rows"]) for table in done.json["compared"]])
        self.assertEqual([("4", "x$y")], self.duckdb("a.duckdb", "INSERT INTO customer (rate) VALUES (1) RETURNING id, name"))
        self.assertEqual([("1", "1"), ("2", "2")], self.duckdb("a.duckdb", "SELECT * FROM spent ORDER BY 1"))
        self.assertEqual([("customer", ), ("sale", )], self.duckdb("a.duckdb", "SELECT table_name FROM duckdb_tables() ORDER BY 1"))
        with self.assertRaisesRegex(AssertionError, "foreign key"):
            self.duckdb("a.duckdb", "INSERT INTO sale (id, customer) VALUES (9, 9)")
        self.duckdb("a.duckdb", "DELETE FROM customer WHERE id = 4")
        self.type(0, "migrate", "duckdb:a.duckdb", "sqlite:b.db", said=["equal"])
        query = "SELECT id, customer, price, paid, doubled FROM sale ORDER BY id"
        self.assertEqual(self.sqlite("shop.db", query), self.sqlite("b.db", query))
        self.assertEqual([(5, )], self.sqlite("b.db", "INSERT INTO customer (rate) VALUES (1) RETURNING id"))

    def test_backup_restore_and_verify(self):
        self.type(0, "backup", "sqlite:shop.db", "kept")
        self.type(0, "verify", "kept", "sqlite:shop.db")
        self.type(0, "restore", "kept", "sqlite:b.db")
        schema = "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('table', 'index') ORDER BY 1, 2"
        self.assertEqual(self.sqlite("shop.db", schema), self.sqlite("b.db", schema))
        self.assertEqual(self.sqlite("shop.db", "SELECT * FROM customer"), self.sqlite("b.db", "SELECT * FROM customer"))
        self.script("b.db", "UPDATE sale SET price = 9 WHERE id = 2")
        self.type(1, "verify", "kept", "sqlite:b.db", said=["sale: its rows are others"])
        part = next((self.scene.root / "kept" / "tables" / "sale").glob("*.parquet"))
        part.write_bytes(part.read_bytes()[:-1] + b"x")
        self.type(1, "verify", "kept", said=["other bytes than were written"])
        self.type(2, "backup", "sqlite:shop.db", "kept", said=["holds a backup already"])
        (self.scene.root / "kept" / "manifest.json").unlink()
        for words in (["restore", "kept", "sqlite:c.db"], ["verify", "kept"]):
            self.type(2, *words, said=["kept has lost its manifest.json"])

    def test_what_is_no_whole_backup_is_called_what_it_is(self):
        self.assertEqual(1, self.scene.type("backup", "sqlite:shop.db", "begun", fault="kill:committed").code)
        self.type(0, "migrate", "sqlite:shop.db", "duckdb:a.duckdb")
        for folder, said in (("begun", "begun is not finished"), (".", "holds no backup")):
            for words in (["verify", folder], ["restore", folder, "sqlite:c.db"]):
                self.type(2, *words, said=[said])

    def test_values_of_several_storage_classes_come_back_as_they_were(self):
        values = "5), ('5'), (-2.5), (1e300), (3.0), (9e999), ('it''s'), (''), (NULL), (x''), (x'00ff'), (9223372036854775807), (CAST(x'ff0041' AS TEXT)"
        self.script("m.db", f"CREATE TABLE t (id INTEGER PRIMARY KEY, n); INSERT INTO t (n) VALUES ({values});"
                    "CREATE TABLE u (n INTEGER, d DATE, v TEXT, f); INSERT INTO u VALUES ('x', 5, 'a', 1), (2.5, '2026-01-01', x'41', 2.5);"
                    "CREATE TABLE w (n PRIMARY KEY, m INTEGER) WITHOUT ROWID; INSERT INTO w VALUES (1, 'only'), ('1', 'text');")
        every = "SELECT id, typeof(n), quote(CAST(n AS BLOB)), n FROM t ORDER BY id", "SELECT *, typeof(n), typeof(d), typeof(v), typeof(f) FROM u", \
            "SELECT *, typeof(n) FROM w"
        self.type(0, "migrate", "sqlite:m.db", "sqlite:a.db", said=["equal"])
        self.type(0, "backup", "sqlite:m.db", "nb", said=["t.n (integer, real, text, blob)", "literals"])
        self.type(0, "restore", "nb", "sqlite:b.db", said=["equal"])
        self.type(0, "verify", "nb", "sqlite:b.db")
        for query in every:
            with self.subTest(query):
                self.assertEqual(self.bytes("m.db", query), self.bytes("a.db", query))
                self.assertEqual(self.bytes("m.db", query), self.bytes("b.db", query))

    def bytes(self, name, query):
        with contextlib.closing(sqlite3.connect(self.scene.root / name)) as connection:
            connection.text_factory = bytes
            return connection.execute(query).fetchall()

    def test_values_of_several_storage_classes_become_text_elsewhere(self):
        self.script("m.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, n, f, b); INSERT INTO t VALUES (1, 5, 1, 'x'), (2, 'it''s', 2.5, x'00')")
        said = ["integer, text", "becomes text: t.n"]
        self.type(0, "migrate", "sqlite:m.db", "duckdb:a.duckdb", "--dry-run", said=["becomes text: t.n"])
        self.type(0, "migrate", "sqlite:m.db", "duckdb:a.duckdb", said=said)
        self.type(0, "backup", "sqlite:m.db", "nb")
        self.type(0, "restore", "nb", "duckdb:b.duckdb", said=said)
        self.type(0, "verify", "nb", "duckdb:b.duckdb", said=["only counted"])
        for name in ("a.duckdb", "b.duckdb"):
            self.assertEqual([("5", "1.0", "'x'"), ("it's", "2.5", "x'00'")], self.duckdb(name, "SELECT n, f, b FROM t ORDER BY id"))
        self.scene.write("casts.txt", "t.n: varchar\n")
        for at, words in enumerate((["migrate", "sqlite:m.db", "sqlite:c.db"], ["backup", "sqlite:m.db", "cast"], ["restore", "nb", "sqlite:d.db"])):
            self.type(0, *words, "--cast", "casts.txt")
        self.type(0, "restore", "cast", "sqlite:e.db")
        for name in ("c.db", "d.db", "e.db"):
            self.assertEqual([("5", ), ("it's", )], self.sqlite(name, "SELECT n FROM t ORDER BY id"))
        self.scene.write("casts.txt", "t.b: varchar\n")
        for words in (["migrate", "sqlite:m.db", "sqlite:f.db"], ["backup", "sqlite:m.db", "none"]):
            for more in ([], ["--dry-run"]):
                self.type(2, *words, *more, "--cast", "casts.txt", said=["t.b", "blob", "rowid 2"])
        self.assertFalse((self.scene.root / "none").exists())

    def test_what_was_begun_is_gone_on_with_unless_the_source_has_changed(self):
        words = ["migrate", "sqlite:shop.db", "duckdb:a.duckdb"]
        self.assertEqual(1, self.scene.type(*words, fault="kill:executed").code)
        self.type(2, *words, "--exclude", "sale", said=["was begun as"])
        self.script("shop.db", "INSERT INTO customer (name) VALUES ('late')")
        self.type(2, *words, said=["was written to since", "--accept snapshot", "--fresh"])
        self.type(0, *words, "--accept", "snapshot", said=["more than one state", "equal"])
        self.assertEqual([("3", )], self.duckdb("a.duckdb", "SELECT count(*) FROM customer"))
        words[2] = "sqlite:b.db"
        self.assertEqual(1, self.scene.type(*words, fault="kill:executed").code)
        self.script("shop.db", "DELETE FROM customer WHERE name = 'late'")
        self.type(0, *words, "--fresh", said=["equal"])
        self.assertEqual([(2, )], self.sqlite("b.db", "SELECT count(*) FROM customer"))

    def test_the_job_that_it_writes_does_the_same(self):
        words = ["migrate", "sqlite:shop.db", "duckdb:b.duckdb"]
        self.type(0, *words, "--write-job", "job.yaml", said=["job.yaml is written"])
        planned = self.type(0, *words, "--dry-run", "--json").json
        self.assertEqual(["customer", "sale"], [table["step"] for table in planned["tables"]])
        self.assertFalse((self.scene.root / "b.duckdb").exists())
        self.type(0, "run", "job.yaml")
        self.assertEqual([("1", "2026-01-01"), ("2", "2026-01-02")], self.duckdb("b.duckdb", "SELECT id, joined FROM customer ORDER BY 1"))

    def test_what_can_t_be_is_refused_before_anything_is_begun(self):
        self.script("full.db", "CREATE TABLE there (id INTEGER)")
        self.scene.write("casts.txt", "sale.none: double\n")
        for words, said in ((["sqlite:shop.db", "sqlite:full.db"], "is not empty: it holds there"),
                            (["sqlite:none.db", "sqlite:b.db"], "No such file"),
                            (["sqlite:shop.db", "duckdb:b.duckdb", "--tables", "none*"], "No table"),
                            (["sqlite:shop.db", "duckdb:b.duckdb", "--cast", "casts.txt"], "sale.none fits no column"),
                            (["sqlite:shop.db", "sqlite:b.db", "--data-only"], "has no table"),
                            (["sqlite:shop.db", "oracle:b"], "names no database"), (["sqlite:shop.db"], "needs two databases"),
                            (["sqlite:shop.db", "sqlite:./shop.db"], "are the same database")):
            self.type(2, "migrate", *words, said=[said])
        self.assertEqual([], [path.name for path in self.scene.root.iterdir() if path.name.startswith("b.")])


if __name__ == "__main__":
    unittest.main()
