#!/usr/bin/env python3
"""Backup, restore and migration, killed at random moments and typed again until they are done: every row arrives once,
and what can't be read any more as it was is said, not mixed up."""
import contextlib
import os
import pathlib
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

KILLS = int(os.environ.get("TRANCHE_KILLS", "2"))  # of each way; `make torture` makes six
SEED = int(os.environ.get("TRANCHE_SEED", str(time.time_ns() % 1_000_000)))
ROWS = 120_000
MADE = f"""
CREATE TABLE region (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO region SELECT g, 'region ' || g FROM generate_series(1, 20) g;
CREATE TABLE sale (id serial PRIMARY KEY, region integer NOT NULL REFERENCES region (id), sold timestamp NOT NULL,
                   price numeric(12,2), note text, CHECK (price >= 0));
INSERT INTO sale (region, sold, price, note)
  SELECT 1 + g % 20, timestamp '2026-01-01' + g * interval '1 second', g / 8.0, repeat('note ' || g || ' ', 4)
  FROM generate_series(1, {ROWS}) g;
CREATE INDEX sale_sold ON sale (sold);
CREATE TABLE log (at timestamp, what text);
INSERT INTO log SELECT timestamp '2026-01-01' + g * interval '1 minute', 'what ' || g FROM generate_series(1, 30000) g;
CREATE VIEW totals AS SELECT region, count(*) AS sales FROM sale GROUP BY region;
"""
QUERIES = ("SELECT id, region, note FROM sale ORDER BY id", "SELECT what FROM log ORDER BY what",
           "SELECT id, name FROM region ORDER BY id", "SELECT region, sales FROM totals ORDER BY region")


def setUpModule():
    global server, base
    server = postgres_server.for_module()
    base = server.url.rsplit("/", 1)[0]
    server.sql("CREATE DATABASE shop")
    postgres_server.sql(f"{base}/shop", MADE)
    print(f"seed {SEED}", file=sys.stderr)


class Place:
    """A database of a system, which a test empties and looks at."""

    def __init__(self, system, root, name="shop"):
        self.system = system
        self.name = name
        self.path = root / f"{name}.{system}"
        self.url = f"{base}/{name}" if system == "postgres" else f"{system}:{self.path}"

    def clear(self):
        if self.system == "postgres":
            server.sql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            server.sql(f"CREATE DATABASE {self.name}")
        for path in self.path.parent.glob(self.path.name + "*"):
            path.unlink()

    def rows(self):
        if self.system == "postgres":
            return [sorted(postgres_server.sql(self.url, query).split("\n")) for query in QUERIES]
        if self.system == "sqlite":
            with contextlib.closing(sqlite3.connect(self.path)) as connection:
                found = [connection.execute(query).fetchall() for query in QUERIES]
        else:
            with duckdb_file.File(self.path) as file:
                found = [file.rows(query) for query in QUERIES]
        return [sorted("|".join(map(str, row)) for row in rows) for rows in found]

    def tables(self):
        if self.system == "postgres":
            return postgres_server.sql(self.url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                                                 "ORDER BY 1").split()
        if self.system == "sqlite":
            return sorted(scenes.table_names(self.path))
        return sorted(duckdb_file.table_names(self.path))


class Killed(scenes.Case):
    def setUp(self):
        self.scene = scenes.Scene("")
        self.addCleanup(self.scene.__exit__)
        self.random = random.Random(SEED)
        self.source = Place("postgres", self.scene.root)

    def until_done(self, words, clean, accepts=False):
        """Types the command again and again, killed each time, then lets it go on to its end. How long an undisturbed
        one takes says when to kill."""
        began = time.monotonic()
        self.expect(0, self.scene.type(*words))
        whole = time.monotonic() - began
        clean()
        refused = 0
        for kill in range(KILLS):
            process = self.scene.start(*words)
            time.sleep(self.random.uniform(0, whole * (0.5 if kill % 2 else 0.9)))
            scenes.kill_group(process)
            done = self.scene.finish(process)
            if done.code == 2:
                self.assertTrue(accepts and "--accept snapshot" in done.err, done)
                refused += 1
                words = [*words, "--accept", "snapshot"]
            elif done.code == 0:  # it was too quick to be killed
                return done
        done = self.scene.type(*words)
        if done.code == 2 and accepts and "--accept" not in words:
            done = self.scene.type(*words, "--accept", "snapshot")
        return self.expect(0, done)

    def clean_up(self, *places):
        def clean():
            for place in places:
                place.clear()
            shutil.rmtree(self.scene.state, ignore_errors=True)
            shutil.rmtree(self.scene.root / "kept", ignore_errors=True)
        return clean

    def migrate(self, source, target, accepts=False):
        clean = self.clean_up(target)
        clean()
        self.until_done(["migrate", source.url, target.url], clean, accepts)
        self.assertEqual(self.source.rows(), target.rows())
        self.assertEqual([], [name for name in target.tables() if name.startswith("tranche")])

    def test_postgres_to_files_and_back(self):
        for system in ("sqlite", "duckdb"):
            with self.subTest(system=system):
                file = Place(system, self.scene.root)
                self.migrate(self.source, file)
                self.migrate(file, Place("postgres", self.scene.root, "back"))

    def test_between_files(self):
        sqlite, duckdb = Place("sqlite", self.scene.root), Place("duckdb", self.scene.root)
        self.clean_up(sqlite)()
        self.expect(0, self.scene.type("migrate", self.source.url, sqlite.url))
        self.migrate(sqlite, duckdb)
        again = Place("sqlite", self.scene.root, "again")
        self.migrate(duckdb, again)

    def test_a_server_that_was_written_to_is_read_on_only_when_that_is_accepted(self):
        self.migrate(self.source, Place("postgres", self.scene.root, "copy"), accepts=True)

    def test_a_table_that_was_about_to_be_sealed_is_done_when_a_change_of_the_server_is_accepted(self):
        target = Place("postgres", self.scene.root, "copy")
        words = ["migrate", self.source.url, target.url]
        for point in ("seal-intended", "seal-done"):
            with self.subTest(point=point):
                self.clean_up(target)()
                self.expect(1, self.scene.type(*words, fault=f"kill:{point}"))
                self.expect(2, self.scene.type(*words))
                self.expect(0, self.scene.type(*words, "--accept", "snapshot"))
                self.assertEqual(self.source.rows(), target.rows())

    def test_backup_and_restore(self):
        kept = self.scene.root / "kept"
        self.until_done(["backup", self.source.url, kept], self.clean_up())
        self.expect(0, self.scene.type("verify", kept))
        self.expect(0, self.scene.type("verify", kept, self.source.url))
        for system in ("postgres", "sqlite", "duckdb"):
            with self.subTest(system=system):
                target = Place(system, self.scene.root, "restored")

                def clean(place=target):
                    place.clear()
                    shutil.rmtree(self.scene.state, ignore_errors=True)
                clean()
                self.until_done(["restore", kept, target.url], clean)
                self.assertEqual(self.source.rows(), target.rows())
                self.expect(0, self.scene.type("verify", kept, target.url))


if __name__ == "__main__":
    unittest.main()
