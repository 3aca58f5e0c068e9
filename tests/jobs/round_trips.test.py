#!/usr/bin/env python3
"""A table of every type goes from PostgreSQL to Parquet and back, and by SQLite to DuckDB: each copy has the same rows, as
the systems themselves compare them.

RECORDS (default 20,000) is how many rows; `make round-trips` takes ten million.
"""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

RECORDS = int(os.environ.get("RECORDS") or 20_000)
SECONDS_MAX = 300 + RECORDS // 5_000  # against hangs
URL = f"${{env:{postgres_server.VARIABLE}}}"
COLUMNS = {"id": "bigint", "small": "smallint", "number": "integer", "flag": "boolean", "ratio": "double precision",
           "half": "real", "price": "numeric(12,2)", "exact": "numeric(38,10)", "day": "date", "at": "timestamp",
           "moment": "timestamptz", "clock": "time", "name": "text", "code": "varchar(20)", "key": "uuid", "bytes": "bytea"}
TABLE = ", ".join(f"{name} {type}" for name, type in COLUMNS.items())
# A row in eleven has a null in each column but the first; the values spread over all that their types hold.
ROWS = """INSERT INTO origin SELECT i, n(i, 1, (i * 7919 % 65536 - 32768)::smallint), n(i, 2, (i * 2654435761 % 4294967296 - 2147483648)::integer),
n(i, 3, i % 2 = 0), n(i, 4, exp((i % 1400 - 700)::float8) * (1 - 2 * (i % 2))), n(i, 5, (sqrt(i) * (1 - 2 * (i % 2)))::real),
n(i, 6, (i * 104729 % 1999999999999 - 999999999999) / 100.0), n(i, 7, (i::numeric * 1e19 + i) / 10000000000.0 * (1 - 2 * (i % 2))),
n(i, 8, date '0001-01-01' + (i * 37 % 3652058)::integer), n(i, 9, timestamp '1000-01-01' + i * interval '3671.000001 seconds'),
n(i, 10, timestamptz '1900-01-01 00:00:00+00' + i * interval '61.123456 seconds'), n(i, 11, time '00:00' + i * interval '1.000001 seconds'),
n(i, 12, CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN E'a "quoted", \\n text' WHEN 2 THEN 'Zürich 東京 🚀' ELSE 'row ' || i END),
n(i, 13, 'C' || i % 1000), n(i, 14, md5(i::text)::uuid), n(i, 15, decode(md5(i::text), 'hex'))
FROM generate_series(1, {records}::bigint) i"""
# null where the row's turn has come.
NULLS = """CREATE FUNCTION n(i bigint, turn integer, value anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS
'SELECT CASE WHEN i % 11 = turn % 11 AND i % 3 = turn % 3 THEN NULL ELSE value END'"""
EXTREMES = """INSERT INTO origin VALUES
(0, -32768, -2147483648, false, '-1.7976931348623157e308', '-3.4028235e38', -9999999999.99, '-9999999999999999999999999999.9999999999',
 '0001-01-01', '0001-01-01', '0001-01-01 00:00:00+00', '00:00', '', '', '00000000-0000-0000-0000-000000000000', ''),
(-1, 32767, 2147483647, true, '5e-324', '1e-45', 9999999999.99, '9999999999999999999999999999.9999999999', '9999-12-31',
 '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', '23:59:59.999999', repeat('long ', 5000), repeat('x', 20),
 'ffffffff-ffff-ffff-ffff-ffffffffffff', decode(repeat('00ff', 1000), 'hex')),
(-9223372036854775808, 0, 0, NULL, '-0', '-0', 0, 0, '2000-02-29', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:00+00', '12:00',
 NULL, NULL, NULL, NULL),
(9223372036854775807, 0, 0, NULL, 'NaN', 'Infinity', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""
# A table of SQLite knows fewer types than its columns: how they are read is told.
READ_AS = {"double precision": "double", "real": "float", "numeric(12,2)": '"decimal(12,2)"', "numeric(38,10)": '"decimal(38,10)"',
           "text": "varchar", "varchar(20)": "varchar", "bytea": "blob"}


def job(name, read, write):
    return f"job: {name}\nsteps:\n  - name: copy\n    read: {read}\n    write: {write}\n"


def setUpModule():
    global server
    server = postgres_server.for_module()


class RoundTrips(scenes.Case):
    @classmethod
    def setUpClass(cls):
        for statement in (f"CREATE TABLE origin ({TABLE})", NULLS, ROWS.format(records=RECORDS), EXTREMES,
                          "ALTER TABLE origin ADD PRIMARY KEY (id)", "ANALYZE origin"):
            server.sql(statement)
        cls.scene = scenes.Scene(job("none", "{ csv: none.csv }", "{ csv: none.csv }"))
        cls.addClassCleanup(cls.scene.__exit__)
        cls.copy("out", f'{{ postgres: "{URL}", table: origin }}', "{ parquet: rows, mode: replace }")

    @classmethod
    def copy(cls, name, read, write, rows=RECORDS + 4):
        cls.scene.write(f"{name}.yaml", job(name, read, write))
        done = cls.scene.finish(cls.scene.start("run", f"{name}.yaml", "--json"), SECONDS_MAX)
        assert done.code == 0, done
        step = done.json["steps"][0]
        assert (step["written"], step["rejected"]) == (rows, 0), done

    def test_postgres_to_parquet_to_postgres_keeps_every_row(self):
        self.copy("back", "{ parquet: rows/*.parquet }", f'{{ postgres: "{URL}", table: back, mode: replace }}')
        differing = "SELECT count(*) FROM (TABLE origin EXCEPT ALL TABLE back) x"
        turned = "SELECT count(*) FROM (TABLE back EXCEPT ALL TABLE origin) x"
        self.assertEqual((server.sql(differing), server.sql(turned)), ("0", "0"))

    def test_postgres_to_sqlite_to_duckdb_keeps_every_row(self):
        # SQLite takes a NaN for a null, so it is refused there.
        numbers = f'{{ postgres: "{URL}", query: "SELECT * FROM origin WHERE ratio IS DISTINCT FROM \'NaN\'" }}'
        columns = ", ".join(f"{name}: {READ_AS.get(kind, kind)}" for name, kind in COLUMNS.items())
        self.copy("lite", numbers, "{ sqlite: rows.sqlite, table: t, mode: replace }\n    batch: { key: id, rows: 100000 }",
                  RECORDS + 3)
        self.copy("duck", f"{{ sqlite: rows.sqlite, table: t, columns: {{ {columns} }} }}",
                  "{ duckdb: rows.duckdb, table: t, mode: replace }", RECORDS + 3)
        with duckdb_file.File(self.scene.root / "rows.duckdb") as copy:
            files = f"(FROM read_parquet('{self.scene.root}/rows/*.parquet') WHERE ratio IS NULL OR NOT isnan(ratio))"
            self.assertEqual(copy.rows(f"SELECT count(*) FROM (FROM {files} EXCEPT ALL FROM t)"), [("0",)])
            self.assertEqual(copy.rows(f"SELECT count(*) FROM (FROM t EXCEPT ALL FROM {files})"), [("0",)])


if __name__ == "__main__":
    unittest.main()
