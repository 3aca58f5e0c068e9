#!/usr/bin/env python3
"""Backup, restore and migration, killed at random moments and typed again until they are done: every row arrives once,
and what can't be read any more as it was is said, not mixed up.

At size (`make torture-moves`): SCALE is that of pgbench's tables, TABLES the number of small tables with columns of every type.
"""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
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
SCALE = int(os.environ.get("SCALE", "0"))
TABLES = int(os.environ.get("TABLES", "0"))
IS_AT_SIZE = SCALE > 0 or TABLES > 0
SECONDS_MAX = 4 * 3600 if IS_AT_SIZE else scenes.SECONDS_MAX  # of a command
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
EVERY_TYPE = """
CREATE TABLE every_{0} (id integer PRIMARY KEY, i2 smallint, i8 bigint, n numeric, d numeric(12,4), wide numeric(38,10), f4 real,
  f8 double precision, b boolean, t text NOT NULL, v varchar(20), c char(5), bytes bytea, day date, at time, ts timestamp,
  tz timestamptz, u uuid, j json, jb jsonb, iv interval, ip inet, net cidr, mac macaddr, bits bit(8), list integer[], words text[],
  span int4range);
INSERT INTO every_{0} (id, t) VALUES (0, '');
INSERT INTO every_{0} SELECT g, g % 32768, g * 92233720368547::bigint, g / 3::numeric, g / 16.0, g * 12345678.0123456789,
  g / 3.0, g / 7.0, g % 3 = 0, 'text ' || g || E' \\t"\\u00e9\\u2603', 'v' || g, 'c' || g % 10, decode(lpad(to_hex(g), 8, '0'), 'hex'),
  date '2026-01-01' + g, time '00:00:00.000001' + g * interval '1 second', timestamp '1900-01-01 00:00:00.123456' + g * interval '1 day',
  timestamptz '2026-01-01 12:00+02' + g * interval '1 hour', md5(g::text)::uuid, '{{"b": 1, "a":[null, 2.50]}}', '{{"b": "x", "a": {{}}}}',
  g * interval '1 hour 1 day', '10.0.0.1', '10.1.0.0/16', '08:00:2b:01:02:03', (g % 256)::bit(8), array[g, NULL], array['a,"b', ''],
  int4range(g, g + 5) FROM generate_series(1, 500) g;
INSERT INTO every_{0} (id, i2, i8, d, f4, f8, t, day, ts) VALUES
  (-1, 32767, 9223372036854775807, 99999999.9999, 3.4028235e38, 1.7976931348623157e308, 'greatest', '9999-12-31', '9999-12-31 23:59:59.999999'),
  (-2, -32768, -9223372036854775808, -99999999.9999, -1e-37, -5e-324, 'least', '0001-01-01', '0001-01-01 00:00:00.000001');
CREATE INDEX ON every_{0} (t);
"""
QUERIES = ("SELECT id, region, note FROM sale ORDER BY id", "SELECT what FROM log ORDER BY what",
           "SELECT id, name FROM region ORDER BY id", "SELECT region, sales FROM totals ORDER BY region")
if IS_AT_SIZE:  # what all systems can be asked for; `digests` and `verify` look at every value
    QUERIES = tuple("SELECT count(*), sum(id), min(i8), max(i8), min(t), max(t), count(CASE WHEN f8 > 0 THEN 1 END) "
                    f"FROM every_{number}" for number in range(TABLES))
    if SCALE:
        QUERIES += ("SELECT count(*), sum(aid), sum(bid), sum(abalance) FROM pgbench_accounts",
                    "SELECT count(*), sum(bid), sum(bbalance) FROM pgbench_branches",
                    "SELECT count(*), sum(tid), sum(bid) FROM pgbench_tellers", "SELECT count(*) FROM pgbench_history")


def make_shop(url):
    if not IS_AT_SIZE:
        postgres_server.sql(url, MADE)
    for number in range(TABLES):
        postgres_server.sql(url, EVERY_TYPE.format(number))
    if SCALE:
        subprocess.run([postgres_server.programs() / "pgbench", "-i", "-q", "-s", str(SCALE), "--foreign-keys", url], check=True,
                       capture_output=True)


def setUpModule():
    global server, base
    server = postgres_server.Server(shared_buffers="512MB", max_wal_size="4GB") if IS_AT_SIZE else postgres_server.Server()
    server.__enter__()
    unittest.addModuleCleanup(server.__exit__)
    os.environ[postgres_server.VARIABLE] = server.url
    base = server.url.rsplit("/", 1)[0]
    server.sql("CREATE DATABASE shop")
    make_shop(f"{base}/shop")
    print(f"seed {SEED}", file=sys.stderr)


def columns_of(url):
    """Names and types of the columns of each table."""
    tables = {}
    for line in postgres_server.sql(url, "SELECT relname, attname, format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_class c "
                                         "ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND "
                                         "attnum > 0 AND NOT attisdropped ORDER BY relname, attnum").splitlines():
        table, column, kind = line.split("|")
        tables.setdefault(table, []).append((column, kind))
    return tables


def as_text(column, kind, kind_here):
    """The value as the text that its first type has, whatever its type became on the way."""
    if kind.endswith("[]"):
        return f"to_jsonb({column})::text" if kind_here.endswith("[]") else f"({column}::text)::jsonb::text"
    if kind in ("json", "jsonb"):
        return f"({column}::text)::jsonb::text"
    return f"rtrim(({column}::text)::{kind}::text)"


def digests(url, like):
    """Rows and a digest of all values of each table that the database `like` has, with the types that they have there."""
    first, here = columns_of(like), columns_of(url)
    found = {}
    for table, columns in first.items():
        kinds = dict(here[table])
        texts = ", ".join(f"coalesce({as_text(column, kind, kinds[column])}, '~')" for column, kind in columns)
        found[table] = postgres_server.sql(url, "SET intervalstyle = iso_8601; SET timezone = 'UTC'; "
                                                f"SELECT count(*), sum(hashtextextended(concat_ws('|', {texts}), 0)) FROM {table}")
    return found


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

    def type(self, *words):
        return self.scene.finish(self.scene.start(*words), SECONDS_MAX)

    def until_done(self, words, clean, check, accepts=False):
        """Types the command again and again, killed each time, then lets it go on to its end, and checks what came of it. How
        long an undisturbed one takes says when to kill. One that ends before it is killed begins anew."""
        began = time.monotonic()
        self.expect(0, self.type(*words))
        whole = time.monotonic() - began
        check()
        clean()
        kills = ends = 0
        typed = words
        span = min(0.9, 4 / KILLS)
        while kills < KILLS:
            process = self.scene.start(*typed)
            time.sleep(self.random.uniform(0, whole * (span if kills % 2 == 0 else span * 0.5)))
            scenes.kill_group(process)
            done = self.scene.finish(process, SECONDS_MAX)
            if done.code == 2:
                self.assertTrue(accepts and "--accept snapshot" in done.err, done)
                typed = [*words, "--accept", "snapshot"]
            elif done.code == 0:  # it was too quick to be killed
                check()
                clean()
                ends += 1
                typed = words
                if ends > KILLS:
                    break
            else:
                self.assertEqual(-signal.SIGKILL, done.code, done)
                kills += 1
        done = self.type(*typed)
        if done.code == 2 and accepts and "--accept" not in typed:
            done = self.type(*words, "--accept", "snapshot")
        self.expect(0, done)
        check()
        if IS_AT_SIZE:
            print(f"{' '.join(map(str, words))}: {whole:.1f} s undisturbed, {kills} kills, {ends + 1} times to its end",
                  file=sys.stderr, flush=True)

    def clean_up(self, *places):
        def clean():
            for place in places:
                place.clear()
            shutil.rmtree(self.scene.state, ignore_errors=True)
            shutil.rmtree(self.scene.root / "kept", ignore_errors=True)
        return clean

    def check_rows(self, target):
        self.assertEqual(self.source.rows(), target.rows())
        if target.system == "postgres" and IS_AT_SIZE:
            self.assertEqual(digests(self.source.url, self.source.url), digests(target.url, self.source.url))
        self.assertEqual([], [name for name in target.tables() if name.startswith("tranche")])

    def migrate(self, source, target, accepts=False):
        clean = self.clean_up(target)
        clean()
        self.until_done(["migrate", source.url, target.url], clean, lambda: self.check_rows(target), accepts)

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

    def test_one_that_is_killed_when_all_is_done_has_nothing_left_to_do(self):
        kept = self.scene.root / "kept"
        self.clean_up()()
        files = [Place(system, self.scene.root, "restored") for system in ("sqlite", "duckdb")]
        server_place = Place("postgres", self.scene.root, "restored")
        server_place.clear()
        commands = [["backup", self.source.url, kept], *(["restore", kept, place.url] for place in (server_place, *files)),
                    ["migrate", files[0].url, f"duckdb:{self.scene.root / 'on.duckdb'}"]]
        for words in commands:
            with self.subTest(words=words):
                self.expect(-signal.SIGKILL, self.scene.type(*words, fault="kill:move-done"))
                for _ in range(2):
                    self.expect(0, self.scene.type(*words), "done before: 150,020 rows of 3 tables")
        for place in (server_place, *files):
            self.check_rows(place)
        postgres_server.sql(server_place.url, "DELETE FROM sale WHERE id = 7")
        self.expect(2, self.scene.type(*commands[1]), "is not empty")
        server_place.clear()
        self.expect(0, self.scene.type(*commands[1]), "done: 150,020 rows of 3 tables")
        with contextlib.closing(sqlite3.connect(files[0].path)) as connection:
            connection.executescript("DELETE FROM sale WHERE id = 7")
        self.expect(2, self.scene.type(*commands[-1]), "written to since", "--accept snapshot")
        self.expect(0, self.scene.type(*commands[-1], "--accept", "snapshot"), "done before")

    def test_only_what_is_asked_for_now_counts_as_done(self):
        shop = self.scene.root / "s.db"
        with contextlib.closing(sqlite3.connect(shop)) as connection:
            connection.executescript("CREATE TABLE a (x); INSERT INTO a VALUES (1), (2); CREATE TABLE b (y); INSERT INTO b VALUES (3)")
        kept = self.scene.root / "kept"
        self.expect(0, self.scene.type("backup", "sqlite:s.db", kept, "--tables", "a"))
        self.expect(0, self.scene.type("restore", kept, "sqlite:t.db"), "done: 2 rows of 1 table")
        self.expect(0, self.scene.type("restore", kept, "sqlite:t.db"), "done before: 2 rows of 1 table")
        shutil.rmtree(kept)  # another backup of the same state
        self.expect(0, self.scene.type("backup", "sqlite:s.db", kept))
        self.expect(2, self.scene.type("restore", kept, "sqlite:t.db"), "is not empty: it holds a")
        (kept / "manifest.json").unlink()
        self.expect(0, self.scene.type("backup", "sqlite:s.db", kept), "done: 3 rows of 2 tables")
        self.expect(0, self.scene.type("verify", kept, "sqlite:s.db"))
        for note in (kept / ".tranche" / "moves").iterdir():
            note.write_text("{")
        self.expect(2, self.scene.type("backup", "sqlite:s.db", kept), "holds a backup already")

    def test_a_migration_of_no_rows_is_not_in_the_way_of_another(self):
        for name in ("s.db", "t.db"):
            with contextlib.closing(sqlite3.connect(self.scene.root / name)) as connection:
                connection.executescript("CREATE TABLE a (x)")
        words = ["migrate", "sqlite:s.db", "sqlite:t.db", "--data-only"]
        self.expect(0, self.scene.type(*words))
        with contextlib.closing(sqlite3.connect(self.scene.root / "s.db")) as connection:
            connection.executescript("INSERT INTO a VALUES (1)")
        self.expect(0, self.scene.type(*words), "done: 1 row of 1 table")

    def test_what_duckdb_left_in_its_log_is_taken_in_before_the_rows_are_compared(self):
        file = Place("duckdb", self.scene.root)
        words = ["migrate", self.source.url, file.url]
        for _ in range(10):  # until a kill comes between the last step and the end of the comparison
            self.clean_up(file)()
            process = self.scene.start(*words)
            scenes.wait_until(lambda: self.scene.watch().look().run_state == "completed" or process.poll() is not None, "the run")
            scenes.kill_group(process)
            if self.scene.finish(process).code != 0 and list(self.scene.state.glob("moves/*.json")):
                break
        else:
            self.fail("no kill met the comparison")
        dies = ("import duckdb_file, os, signal, sys\nfile = duckdb_file.File(sys.argv[1])\n"
                "file.rows('CREATE INDEX late ON log (what)')\nos.kill(os.getpid(), signal.SIGKILL)")
        subprocess.run([sys.executable, "-c", dies, file.path], cwd=pathlib.Path(__file__).resolve().parent.parent, check=False)
        self.assertTrue(file.path.with_name(file.path.name + ".wal").exists())
        self.expect(0, self.type(*words))
        self.check_rows(file)

    def test_a_log_of_duckdb_is_replayed_with_the_memory_that_it_was_written_with(self):
        dies = ("import duckdb_file, os, signal, sys\nfile = duckdb_file.File(sys.argv[1])\n"
                "file.rows('CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR)')\n"
                "file.rows(\"INSERT INTO t SELECT i * 2, 'x' FROM range(2000000) r(i)\")\nfile.rows('CHECKPOINT')\n"
                "file.rows(\"SET checkpoint_threshold = '1GB'\")\n"
                "for n in range(4):\n"
                "  file.rows(f'INSERT INTO t SELECT 40 * (50000 * {n} + i) + 1, repeat(md5(i::varchar), 3) FROM range(50000) r(i)')\n"
                "os.kill(os.getpid(), signal.SIGKILL)")
        subprocess.run([sys.executable, "-c", dies, self.scene.root / "a.duckdb"], check=False,
                       cwd=pathlib.Path(__file__).resolve().parent.parent)
        self.scene.write("in.csv", "id,v\n-1,x\n")
        self.scene.write_job("job: late\nsteps:\n  - name: load\n    read: { csv: in.csv }\n"
                             "    write: { duckdb: a.duckdb, table: t, mode: append }\n")
        self.expect(0, self.scene.run())

    def test_backup_and_restore(self):
        kept = self.scene.root / "kept"

        def check_backup():
            self.expect(0, self.type("verify", kept))
            self.expect(0, self.type("verify", kept, self.source.url))
        self.until_done(["backup", self.source.url, kept], self.clean_up(), check_backup)
        for system in ("postgres", "sqlite", "duckdb"):
            with self.subTest(system=system):
                target = Place(system, self.scene.root, "restored")

                def clean(place=target):
                    place.clear()
                    shutil.rmtree(self.scene.state, ignore_errors=True)

                def check(place=target):
                    self.check_rows(place)
                    self.expect(0, self.type("verify", kept, place.url))
                clean()
                self.until_done(["restore", kept, target.url], clean, check)


if __name__ == "__main__":
    unittest.main()
