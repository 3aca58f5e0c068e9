#!/usr/bin/env python3
"""`backup`, `restore`, `migrate` and `verify DIR DATABASE` with a PostgreSQL server: what of its database goes where, what is
said before, and what is refused. The real systems judge what arrived."""
import contextlib
import json
import os
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

SHOP = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE SEQUENCE ticket START 100 INCREMENT 5;
SELECT nextval('ticket');
CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, email varchar(50) UNIQUE, boss integer REFERENCES customer (id),
                       joined timestamptz DEFAULT now(), mood mood DEFAULT 'happy');
INSERT INTO customer (name, email, boss, joined)
  SELECT 'name ' || g, 'm' || g || '@x', nullif(g / 10, 0), timestamptz '2026-01-01 12:00+02' + g * interval '1 hour'
  FROM generate_series(1, 50) g;
CREATE TABLE "Order" (id integer, line integer, customer integer NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
                      price numeric(10,2) CHECK (price > 0), qty smallint DEFAULT 1, state text CHECK (state IN ('new', 'paid')),
                      total numeric(12,2) GENERATED ALWAYS AS (price * qty) STORED, PRIMARY KEY (id, line));
INSERT INTO "Order" SELECT g / 3, g % 3, 1 + g % 50, g / 4.0 + 1, g % 7, 'new' FROM generate_series(1, 500) g;
CREATE INDEX order_customer ON "Order" (customer, price DESC);
CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b boolean, f4 real, f8 double precision, n numeric,
                   wide numeric(30,10), d date, t time, ts timestamp, bytes bytea, u uuid, j json, jb jsonb, list integer[],
                   iv interval, ip inet, bits bit(4));
INSERT INTO item (b, f4, f8, n, wide, d, t, ts, bytes, u, j, jb, list, iv, ip, bits)
  SELECT g % 2 = 0, g / 3.0, g / 7.0, g / 3::numeric, g * 12345678.0123456789, date '2026-01-01' + g, time '00:00:01.5', now(),
         decode(lpad(to_hex(g), 8, '0'), 'hex'), md5(g::text)::uuid, '{"b": 1, "a":2}', '{"b": 1, "a":2}', array[g, NULL],
         interval '1 hour', '10.0.0.1', '0101' FROM generate_series(1, 60) g;
INSERT INTO item (b) VALUES (NULL);
CREATE TABLE nothing (id integer PRIMARY KEY, what text);
CREATE VIEW spent AS SELECT customer, sum(total) AS total FROM "Order" GROUP BY customer;
CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1';
"""
TABLES = ("customer", '"Order"', "item", "nothing")


def setUpModule():
    global server, base
    server = postgres_server.for_module()
    base = server.url.rsplit("/", 1)[0]
    server.sql("CREATE DATABASE shop")
    postgres_server.sql(f"{base}/shop", SHOP)


def database(name):
    server.sql(f"DROP DATABASE IF EXISTS {name}")
    server.sql(f"CREATE DATABASE {name}")
    return f"{base}/{name}"


def contents(url):
    """A digest of each table's rows, by PostgreSQL."""
    return [postgres_server.sql(url, f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r") for table in TABLES]


class Moving(scenes.Case):
    def setUp(self):
        self.scene = scenes.Scene("")
        self.addCleanup(self.scene.__exit__)
        self.shop = f"{base}/shop"

    def type(self, code, *words, said=()):
        return self.expect(code, self.scene.type(*words), *said)

    def sqlite(self, name, query):
        with contextlib.closing(sqlite3.connect(self.scene.root / name)) as connection:
            return connection.execute(query).fetchall()

    def test_a_server_s_database_is_the_same_after_backup_and_restore(self):
        self.type(0, "backup", self.shop, "kept", said=["customer", "one", "equal"])
        copy = database("copy")
        done = self.type(0, "restore", "kept", copy, "--json")
        self.assertTrue(done.json["equal"])
        self.assertEqual(contents(self.shop), contents(copy))
        for query in ("SELECT string_agg(indexdef, ';' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public'",
                      "SELECT string_agg(pg_get_constraintdef(oid), ';' ORDER BY conname) FROM pg_constraint",
                      "SELECT string_agg(format_type(atttypid, atttypmod) || attname, ';' ORDER BY attrelid::regclass::text, "
                      "attnum) FROM pg_attribute WHERE attrelid::regclass::text IN ('customer', 'item', '\"Order\"')",
                      "SELECT sum(total) FROM spent"):
            self.assertEqual(postgres_server.sql(self.shop, query), postgres_server.sql(copy, query))
        self.assertEqual("105|51", postgres_server.sql(copy, "SELECT nextval('ticket'), nextval('customer_id_seq')"))
        self.assertEqual("", postgres_server.sql(copy, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'tranche%'"))
        self.type(0, "verify", "kept")
        self.type(0, "verify", "kept", copy)
        postgres_server.sql(copy, "UPDATE customer SET name = 'x' WHERE id = 7")
        self.type(1, "verify", "kept", copy, said=["customer", "DIFFERENT", "its rows are others"])
        part = next((self.scene.root / "kept" / "tables" / "customer").glob("*.parquet"))
        part.write_bytes(part.read_bytes()[:-1] + b"x")
        self.type(1, "verify", "kept", said=["other bytes than were written"])

    def test_into_files_of_either_system_and_back(self):
        self.type(0, "migrate", self.shop, "sqlite:a.db", said=[
            "decimals of more than 15 digits become text", "interval becomes text", "function or procedure (one)", "equal"])
        self.assertEqual([(50, 50), ], self.sqlite("a.db", "SELECT count(*), count(DISTINCT email) FROM customer"))
        self.assertEqual([(3.25, )], self.sqlite("a.db", "SELECT price FROM \"Order\" WHERE id = 3 AND line = 0"))
        self.assertEqual([], self.sqlite("a.db", "PRAGMA foreign_key_check"))
        with self.assertRaises(sqlite3.IntegrityError):
            self.sqlite("a.db", "INSERT INTO \"Order\" (id, line, customer, price) VALUES (-1, 0, 1, -1)")
        self.assertEqual([("51", )], self.sqlite("a.db", "INSERT INTO customer (name) VALUES ('new') RETURNING CAST(id AS TEXT)"))
        self.type(0, "migrate", "sqlite:a.db", "duckdb:b.duckdb", said=["equal"])
        with duckdb_file.File(self.scene.root / "b.duckdb") as file:
            self.assertEqual([("51", "50")], file.rows("SELECT nextval('customer_id_seq'), count(*) FROM customer"))
            self.assertEqual([("500", )], file.rows('SELECT count(*) FROM "Order"'))
        back = database("back")
        self.type(0, "migrate", "duckdb:b.duckdb", back, said=["equal"])
        for query in ('SELECT sum(price), sum(qty), sum(total), max(state) FROM "Order"', "SELECT sum(id), max(joined) FROM customer",
                      "SELECT sum(f8), sum(wide), max(d), max(ts), max(u::text), max(bytes::text) FROM item"):
            self.assertEqual(postgres_server.sql(self.shop, query), postgres_server.sql(back, query))

    def test_the_options_choose_and_what_is_not_empty_is_refused(self):
        self.scene.write("casts.txt", "# bounds\nitem.n: decimal(38,20)\nitem.f4: double\n")
        words = ["migrate", self.shop, "sqlite:s.db", "--tables", "*o*", "--tables", "item", "--exclude", "not*", "--cast", "casts.txt"]
        planned = self.type(0, *words, "--dry-run", "--json").json
        self.assertFalse((self.scene.root / "s.db").exists())
        self.assertEqual(["customer", "Order", "item"], [table["source"]["name"] for table in planned["tables"]])
        columns = {column["name"]: column["type"] for column in planned["tables"][2]["columns"]}
        self.assertEqual(("decimal(38,20)", "double"), (columns["n"], columns["f4"]))
        self.type(0, *words, "--schema-only")
        self.assertEqual([(0, )], self.sqlite("s.db", "SELECT count(*) FROM customer"))
        self.type(2, *words, said=["is not empty: it holds Order, customer, item"])
        self.type(0, *words, "--data-only", said=["equal"])
        self.assertEqual([(50, 3.25)], self.sqlite("s.db", "SELECT count(*), (SELECT price FROM \"Order\" WHERE id = 3 AND line = 0) "
                                                           "FROM customer"))
        self.type(0, *words, "--data-only", said=["done before"])
        postgres_server.sql(self.shop, "CREATE TABLE late (); DROP TABLE late")
        self.type(2, *words, "--data-only", said=["was written to since", "--accept snapshot"])
        with contextlib.closing(sqlite3.connect(self.scene.root / "s.db")) as connection:
            connection.executescript("DELETE FROM item WHERE n IS NULL; UPDATE customer SET joined = NULL")
        self.type(2, *words, "--data-only", said=["is not empty"])

    def test_a_table_without_columns_is_left_out_and_said_to_be(self):
        url = database("hollow")
        postgres_server.sql(url, "CREATE TABLE hollow (); INSERT INTO hollow DEFAULT VALUES")
        self.type(2, "backup", url, "only", said=["hollow", "has no columns"])
        postgres_server.sql(url, "CREATE TABLE whole (id integer); INSERT INTO whole VALUES (1)")
        said = ["hollow: it has no columns"]
        self.type(0, "migrate", url, "sqlite:h.db", said=said)
        self.type(0, "backup", url, "kept", said=said)
        self.assertEqual([("whole", )], self.sqlite("h.db", "SELECT name FROM sqlite_schema"))

    def test_increments_add_what_has_changed(self):
        url = database("grows")
        postgres_server.sql(url, "CREATE TABLE e (id integer PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp());"
                                 "INSERT INTO e SELECT g, 'old' FROM generate_series(1, 100) g;"
                                 "CREATE TABLE small (id integer); INSERT INTO small VALUES (1)")
        self.type(0, "backup", url, "kept", "--since", "at")
        postgres_server.sql(url, "UPDATE e SET v = 'new', at = clock_timestamp() WHERE id <= 7; INSERT INTO e VALUES (101, 'new');"
                                 "INSERT INTO small VALUES (2)")
        self.type(0, "backup", url, "kept", "--since", "at")
        tables = {table["name"]: table for table in json.loads((self.scene.root / "kept" / "manifest.json").read_text())["tables"]}
        self.assertEqual((108, 2), (tables["e"]["rows"], tables["small"]["rows"]))
        copy = database("grown")
        self.type(0, "restore", "kept", copy)
        self.assertEqual("101|8", postgres_server.sql(copy, "SELECT count(*), count(*) FILTER (WHERE v = 'new') FROM e"))
        self.type(2, "backup", url, "kept", said=["holds a backup already"])
        self.type(2, "backup", url, "kept", "--since", "id", said=["must be made as that was"])

    def with_password(self, url):
        server.sql(f"CREATE ROLE mover LOGIN PASSWORD '{postgres_server.SECRET}' SUPERUSER")
        self.addCleanup(server.sql, "DROP ROLE mover")
        return url.replace(f"{postgres_server.OWNER}@", f"mover:{postgres_server.SECRET}@")

    def expect_no_secret(self, *said):
        for done in said:
            self.assertNotIn(postgres_server.SECRET, done.out + done.err)
        for path in self.scene.root.rglob("*"):
            if path.is_file():
                self.assertNotIn(postgres_server.SECRET.encode(), path.read_bytes(), path)

    def test_steps_of_a_job_go_on_though_the_server_was_written_to_and_are_taken_back(self):
        url, copy = database("night"), database("night_copy")
        postgres_server.sql(url, "CREATE TABLE e (id integer PRIMARY KEY, v text); CREATE TABLE tmp_x (id integer);"
                                 "INSERT INTO e SELECT g * 100, 'v' FROM generate_series(1, 1000) g")
        for name, value in (("NIGHT_URL", self.with_password(url)), ("COPY_URL", copy)):
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name)
        job = """job: nightly
connections: { night: "${env:NIGHT_URL}", copy: "${env:COPY_URL}" }
steps:
  - name: keep
    backup: { postgres: night, to: %s, exclude: "tmp_*", on_change: restart }
  - name: copy
    restore: { from: %s, postgres: copy%s }
"""
        self.scene.write_job(job % ("kept", "kept", ", cast: { e.id: smallint }"))
        said = [self.expect(1, self.scene.run(fault="kill:seal-manifest"), "3 times without a commit in between")]
        postgres_server.sql(url, "UPDATE e SET v = 'changed' WHERE id = 700")
        said.append(self.expect(1, self.scene.run(), "32800"))  # the backup is done; no smallint
        self.expect(0, self.scene.type("verify", "kept", url))
        self.assertEqual("e", postgres_server.sql(copy, "SELECT tablename FROM pg_tables WHERE tablename = 'e'"))
        self.scene.write_job(job % ("again", "again", ""))
        said.append(self.expect(0, self.scene.run("--fresh")))
        self.assertEqual("1000|1", postgres_server.sql(copy, "SELECT count(*), count(*) FILTER (WHERE v = 'changed') FROM e"))
        said.append(self.expect(0, self.scene.type("verify", "last")))
        self.assertEqual("e", postgres_server.sql(copy, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        self.expect_no_secret(*said)

    def test_no_password_stays_anywhere(self):
        url = self.with_password(self.shop)
        said = [self.type(0, "migrate", url, "sqlite:a.db", "--tables", "customer"),
                self.type(0, "backup", url, "kept", "--tables", "nothing"),
                self.type(0, "migrate", url, "sqlite:c.db", "--write-job", "job.yaml")]
        self.expect_no_secret(*said)


if __name__ == "__main__":
    unittest.main()
