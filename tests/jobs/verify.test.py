#!/usr/bin/env python3
"""`tranche verify`: of a table not only the number of its rows, but the rows; and where only their number, it says so."""
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

JOB = """job: shop
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint, name: varchar, price: "decimal(9,2)", sold: timestamp, share: double }} }}
    batch: {{ rows: 10 }}
    on_error: {{ max_rejects: 100 }}
    write: {{ {write} }}
"""
NESTED = """job: shop
steps:
  - name: load
    read:
      jsonl: in.jsonl
      columns: {{ id: bigint, tags: "varchar[]", place: "struct(street varchar, at double[])", extra: json, big: hugeint }}
    batch: {{ rows: 10 }}
    write: {{ {write} }}
"""
ROWS = 45
TABLES = ("sqlite", "duckdb", "postgres")


def setUpModule():
    global server
    server = postgres_server.for_module()


def input_text(rows=ROWS):
    return "id,name,price,sold,share\n" + "".join(
        f"{i},name {i},{i}.5{i % 10},2026-01-{i % 28 + 1:02} 10:11:12,{'-0.0' if i == 3 else i / 7}\n" for i in range(rows))


def nested_text():
    """Lists, structs, JSON whose spelling a database may change, and numbers of more than 64 bits."""
    lines = []
    for i in range(ROWS):
        extra = [f'{{"b": {i}.50, "a": [1e2, "\\u00e9"], "b": {i}}}', f'[{i}, {{}}]', "null", f'"text {i}"'][i % 4]
        place = "null" if i % 7 == 3 else f'{{"street": "no. {i}", "at": [{i}.5, {i / 7}, null]}}'
        lines.append(f'{{"id": {i}, "tags": ["a{i}", null, "\\"q\\""], "place": {place}, "extra": {extra}, '
                     f'"big": {"null" if i == 5 else i * 10 ** 15}}}\n')
    return "".join(lines)


class Verified(scenes.Case):
    def setUp(self):
        postgres_server.clear()

    def scene(self, system, more, job=JOB):
        target = {"sqlite": "sqlite: w.db", "duckdb": "duckdb: w.duckdb",
                  "postgres": f'postgres: "${{env:{postgres_server.VARIABLE}}}"'}[system]
        scene = scenes.Scene(job.format(write=f"{target}, table: t, {more}"))
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", input_text())
        scene.write("in.jsonl", nested_text())
        return scene

    def execute(self, system, scene, sql):
        if system == "postgres":
            return server.sql(sql)
        if system == "duckdb":
            with duckdb_file.File(scene.root / "w.duckdb") as file:
                return [file.rows(one) for one in sql.split(";")]
        with sqlite3.connect(scene.root / "w.db") as connection:
            return connection.executescript(sql)

    def verified(self, scene, code=0, *words):
        done = self.expect(code, scene.type("verify", "last", "--json"), *words)
        return done.json["steps"][0]

    def test_a_value_that_was_changed_is_found_in_every_system_and_mode(self):
        for system in TABLES:
            for mode in ("append", "replace"):
                with self.subTest(system=system, mode=mode):
                    postgres_server.clear()
                    scene = self.scene(system, f"mode: {mode}")
                    self.expect(0, scene.run())
                    self.assertNotIn("only_counted", self.verified(scene))
                    self.execute(system, scene, "UPDATE t SET price = price + 0.01 WHERE id = 17")
                    self.verified(scene, 1, "not those that the run wrote")
                    # The same rows in another order are the same table.
                    self.execute(system, scene, "UPDATE t SET price = price - 0.01 WHERE id = 17")
                    if system != "sqlite":  # which has made a float of it
                        self.assertNotIn("only_counted", self.verified(scene))

    def test_lists_structs_json_and_wide_numbers_are_compared_in_every_system(self):
        changes = {
            "sqlite": ["tags = replace(tags, 'a8', 'a9')", "place = replace(place, 'no. ', 'No. ')",
                       "extra = '{\"a\": [100, \"e\"], \"b\": 8}'", "big = big + 1"],
            "duckdb": ["tags = list_reverse(tags)", "place = struct_pack(street := 'other', at := place.at)",
                       "extra = '{\"a\": [100, \"e\"], \"b\": 8}'", "big = big + 1"],
            "postgres": ["tags = tags || 'x'::text", "place = jsonb_set(place, '{at,0}', '8.51')",
                         "extra = '{\"a\": [100, \"e\"], \"b\": 8}'", "big = big + 1"]}
        for system in TABLES:
            postgres_server.clear()
            scene = self.scene(system, "mode: append", NESTED)
            self.expect(0, scene.run())
            self.assertNotIn("only_counted", self.verified(scene))
            self.execute(system, scene, "CREATE TABLE kept AS SELECT * FROM t")
            for change in changes[system]:
                with self.subTest(system=system, change=change):
                    self.execute(system, scene, f"UPDATE t SET {change} WHERE id = 8")
                    self.verified(scene, 1, "not those that the run wrote")
                    self.execute(system, scene, "DELETE FROM t; INSERT INTO t SELECT * FROM kept")
                    self.assertNotIn("only_counted", self.verified(scene))

    def test_json_that_is_spelled_otherwise_is_the_same(self):
        scene = self.scene("sqlite", "mode: append", NESTED)
        self.expect(0, scene.run())
        self.execute("sqlite", scene, """UPDATE t SET extra = '{ "a" : [100, "é"], "b": 8.0 }' WHERE id = 8""")
        self.assertNotIn("only_counted", self.verified(scene))
        scene = self.scene("postgres", "mode: append", NESTED)
        server.sql("CREATE TABLE t (id bigint, tags text[], place jsonb, extra jsonb, big numeric(39,0))")
        self.expect(0, scene.run())
        self.assertNotIn("only_counted", self.verified(scene))

    def test_a_row_in_the_place_of_another_is_found(self):
        scene = self.scene("sqlite", "mode: append")
        self.expect(0, scene.run())
        self.execute("sqlite", scene, "DELETE FROM t WHERE id = 4; INSERT INTO t SELECT * FROM t WHERE id = 5")
        self.verified(scene, 1, "not those that the run wrote")

    def test_rows_that_the_table_refused_are_not_missed(self):
        for system in TABLES:
            with self.subTest(system=system):
                postgres_server.clear()
                scene = self.scene(system, "mode: append")
                price = "NUMERIC(9,2)" if system != "sqlite" else "TEXT"
                times = "TEXT" if system == "sqlite" else "TIMESTAMP"
                table = (f"CREATE TABLE t (id BIGINT CHECK (id <> 13), name VARCHAR, price {price}, sold {times}, "
                         "share DOUBLE PRECISION)")
                self.execute(system, scene, table)
                step = self.expect(0, scene.run()).json["steps"][0]
                self.assertEqual((ROWS - 1, 1), (step["written"], step["rejected"]))
                self.assertNotIn("only_counted", self.verified(scene))

    def test_where_rows_can_not_be_told_apart_they_are_counted_and_that_is_said(self):
        scene = self.scene("sqlite", "mode: append")
        self.expect(0, scene.run())
        scene.write("in.csv", input_text(7))
        self.expect(0, scene.run())
        self.assertIn("rows of others", self.verified(scene)["only_counted"])
        self.expect(0, scene.type("verify", "last"), "Only counted: the table has rows of others, too.")
        scene = self.scene("sqlite", "mode: upsert, key: id")
        self.expect(0, scene.run())
        self.assertIn("upsert", self.verified(scene)["only_counted"])

    def test_tables_that_change_what_comes_in_are_counted(self):
        scene = self.scene("sqlite", "mode: append")
        self.execute("sqlite", scene, "CREATE TABLE t (id BIGINT, name TEXT, price TEXT, sold TEXT, share REAL);"
                     "CREATE TRIGGER loud AFTER INSERT ON t BEGIN UPDATE t SET name = upper(name) WHERE id = new.id; END")
        self.expect(0, scene.run())
        self.assertIn("change what comes in", self.verified(scene)["only_counted"])
        scene = self.scene("postgres", "mode: append")
        server.sql("CREATE TABLE t (id bigint, name char(12), price numeric(9,2), sold timestamp, share float8)")
        self.expect(0, scene.run())
        self.assertIn("change what comes in", self.verified(scene)["only_counted"])

    def test_of_a_run_that_was_killed_the_digests_are_those_of_one_that_was_not(self):
        for system in TABLES:
            with self.subTest(system=system):
                postgres_server.clear()
                scene = self.scene(system, "mode: append")
                self.assertIn(scene.run(fault="kill:committed:2").code, (0, 1))
                self.assertIn(scene.run().code, (0,))
                self.assertNotIn("only_counted", self.verified(scene))


if __name__ == "__main__":
    unittest.main(verbosity=2)
