#!/usr/bin/env python3
"""Reading PostgreSQL: ranges of keys in one snapshot, what a resume does when that is gone, increments, and types that
have no counterpart.
"""
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgres_server
import scene as scenes

RECORDS = 3_000


def setUpModule():
    global server
    server = postgres_server.for_module()


class Case(scenes.Case):
    def setUp(self):
        self.database = self.id().rsplit(".", 1)[-1].lower()[-40:]
        server.sql(f'CREATE DATABASE "{self.database}"')
        self.url = server.url_of(self.database)

    def sql(self, text):
        return postgres_server.sql(self.url, text)

    def make_sales(self, key="bigint PRIMARY KEY"):
        self.sql(f"""CREATE TABLE sales (id {key}, sold_at timestamptz NOT NULL, sku text, price numeric(12,2));
                     INSERT INTO sales SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 minute', 'sku' || i % 7,
                       i / 100.0 FROM generate_series(1, {RECORDS}) i""")

    def scene(self, read, batch="{ rows: 100 }", write="{ csv: out/o.csv }", process="", workers="2"):
        batch = f"\n    batch: {batch}" if batch else ""
        made = scenes.Scene(f"""job: {self.database}
steps:
  - name: load
    read: {{ postgres: "{self.url}", {read} }}{batch}{process}
    write: {write}
""", workers=workers)
        self.addCleanup(made.__exit__)
        return made

    def lines(self, scene, name="o.csv"):
        return (scene.out / name).read_text().splitlines()[1:]

    def ids(self, scene):
        return [line.split(",")[0] for line in self.lines(scene)]


class Ranges(Case):
    def test_a_table_is_read_in_the_order_of_its_primary_key_each_record_once(self):
        self.make_sales()
        self.sql("UPDATE sales SET price = price WHERE id % 3 = 0")  # so that it does not lie in that order
        scene = self.scene("table: sales")
        done = self.expect(0, scene.run())
        self.assertEqual([str(i) for i in range(1, RECORDS + 1)], self.ids(scene))
        self.assertEqual(RECORDS // 100, done.json["steps"][0]["batches"])

    def test_the_output_is_the_same_for_any_number_of_workers_threads_or_processes(self):
        self.make_sales()
        outputs = set()
        for workers in ("1", "3", "7", "{ processes: 3 }"):
            scene = self.scene("table: public.sales", workers=workers)
            self.expect(0, scene.run())
            outputs.add((scene.out / "o.csv").read_bytes())
        self.assertEqual(1, len(outputs))

    def test_a_key_that_repeats_or_is_null_loses_and_doubles_nothing(self):
        self.sql("""CREATE TABLE t (k int, v int);
                    INSERT INTO t SELECT nullif(i % 37, 5), i FROM generate_series(1, 2000) i""")
        scene = self.scene("table: t", "{ key: k, rows: 100 }")
        self.expect(0, scene.run())
        lines = self.lines(scene)
        self.assertEqual(list(range(1, 2001)), sorted(int(line.split(",")[1]) for line in lines))
        keys = [line.split(",")[0] for line in lines]
        self.assertEqual(sorted(keys, key=lambda k: (k == "", int(k or 0))), keys)

    def test_keys_may_be_texts_uuids_times_or_decimals(self):
        self.sql("""CREATE TABLE t (s text, u uuid, d timestamptz, n numeric(20,5));
                    INSERT INTO t SELECT 'it''s "' || i || ' ü\\', md5(i::text)::uuid, now() + i * interval '1 ms', i / 7.0
                      FROM generate_series(1, 500) i""")
        for key in "sudn":
            with self.subTest(key):
                scene = self.scene("table: t, columns: { s: varchar }", f"{{ key: {key}, rows: 60 }}")
                done = self.expect(0, scene.run())
                self.assertEqual(500, len(set(self.lines(scene))))
                self.assertGreater(done.json["steps"][0]["batches"], 7)

    def test_a_table_without_a_key_is_read_by_the_place_of_its_rows(self):
        self.make_sales(key="bigint")
        self.sql("DELETE FROM sales WHERE id % 5 = 0")
        scene = self.scene("table: sales")
        self.expect(0, scene.run())
        self.assertEqual([str(i) for i in range(1, RECORDS + 1) if i % 5], self.ids(scene))

    def test_a_query_needs_a_key_and_a_view_too(self):
        self.make_sales()
        self.sql("CREATE VIEW dear AS SELECT * FROM sales WHERE price > 10")
        query = "query: 'SELECT id, price FROM sales WHERE price > 10 -- dear ones'"
        self.expect(2, self.scene(query).run(), "batch: { key: id")
        self.expect(2, self.scene("table: dear").run(), "batch: { key: id")
        for read in (query, "table: dear"):
            scene = self.scene(read, "{ key: id, rows: 100 }")
            self.expect(0, scene.run())
            self.assertEqual([str(i) for i in range(1001, RECORDS + 1)], self.ids(scene))

    def test_windows_of_time_are_batches_aligned_to_the_calendar_of_a_zone(self):
        self.sql("""CREATE TABLE t (id int PRIMARY KEY, at timestamptz, local timestamp, day date);
                    INSERT INTO t SELECT i, '2026-03-27 00:00+00'::timestamptz + i * interval '1 hour',
                      '2026-03-27'::timestamp + i * interval '1 hour', '2026-03-27'::date + i / 24
                      FROM generate_series(0, 119) i;
                    INSERT INTO t VALUES (1000, NULL, NULL, NULL), (1001, 'infinity', 'infinity', 'infinity'),
                      (1002, '-infinity', '0044-03-15 BC', '0044-03-15 BC'), (1003, '2026-05-01', '2026-05-01', '2026-05-01')""")
        hours = {  # per batch; the clocks are put forward on the 29th
            "on: at, every: 1 day, timezone: Europe/Berlin": [1, 23, 24, 23, 24, 24, 2, 1, 1, 1],
            "on: at, every: 1 day": [1, 24, 24, 24, 24, 24, 1, 1, 1],
            "on: local, every: 2 days": [1, 24, 48, 48, 1, 1, 1],
            "on: day, every: 1 month": [1, 120, 1, 1, 1],
            "on: day, every: 1 month, bytes: 1": None,
        }
        for batch, counts in hours.items():
            with self.subTest(batch):
                scene = self.scene("table: t", f"{{ {batch} }}")
                done = self.expect(0, scene.run())
                self.assertEqual(sorted([*range(120), 1000, 1001, 1002, 1003]), sorted(map(int, self.ids(scene))))
                found = scene.ask_ledger(lambda copy: [row[0] for row in copy.execute("SELECT records FROM batches ORDER BY number")])
                if counts is not None:
                    self.assertEqual(counts, found, done)

    def test_an_empty_table_gives_an_empty_output(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
        scene = self.scene("table: t")
        self.expect(0, scene.run())
        self.assertEqual("id,v\n", (scene.out / "o.csv").read_text())

    def test_what_can_not_be_read_is_named_before_the_start(self):
        self.make_sales()
        self.sql("CREATE TABLE odd (id int PRIMARY KEY, n numeric, j json)")
        self.expect(2, self.scene("table: nowhere").run(), 'no table or view "nowhere"')
        self.expect(2, self.scene("table: sales, columns: { nothing: bigint }").run(), "nothing", "it has id, sold_at")
        self.expect(2, self.scene("table: sales, columns: { sku: bigint }").run(), "sku", "can't be read as bigint")
        self.expect(2, self.scene("table: odd").run(), '"n" is numeric', "columns: { n:")
        self.expect(2, self.scene("table: odd, columns: { id: bigint }", "{ key: j }").run(), "no order to divide by")
        self.expect(2, self.scene("table: sales", "{ key: nothing }").run(), 'no column "nothing"')
        self.expect(2, self.scene("columns: { id: bigint }").run(), "either table: sales, or query")

    def test_types_without_a_counterpart_come_as_text_and_bounds_are_checked(self):
        self.sql("""CREATE TYPE mood AS ENUM ('glad', 'sad');
                    CREATE TABLE t (id int PRIMARY KEY, m mood, i inet, iv interval, r int4range, a int[], n numeric, d date);
                    INSERT INTO t VALUES (1, 'sad', '10.0.0.1', '1 day 2 hours', '[1,5)', '{1,NULL,3}', 12.5, '2026-02-28'),
                      (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, 'glad', NULL, NULL, NULL, '{}', 1.23456, NULL),
                      (4, 'glad', NULL, NULL, NULL, '{{1},{2}}', 1, NULL)""")
        scene = self.scene("table: t, columns: { id: integer, m: varchar, i: varchar, iv: varchar, r: varchar, "
                           "a: 'integer[]', n: 'decimal(10,2)', d: date }",
                           "{ rows: 10 }\n    on_error: { max_rejects: 2 }")
        self.expect(0, scene.run())
        self.assertEqual(['1,sad,10.0.0.1/32,P1DT2H,"[1,5)","[1,null,3]",12.50,2026-02-28', "2,,,,,,,"], self.lines(scene))
        rejects = scene.rejects()
        self.assertEqual([2, 3], [reject["record"] for reject in rejects])
        self.assertIn('"n"', rejects[0]["error"])
        self.assertIn('"a"', rejects[1]["error"])


SLOW = "\n    process: [{ sql: 'SELECT *, list_sum(list_transform(range(3000), x -> x * id % 7)) AS slow FROM batch' }]"


class Snapshots(Case):
    def killed_in_the_middle(self, scene):
        """Kills a run that has committed some batches and not all."""
        process = scene.start_run()
        watch = scene.watch()
        try:
            scenes.wait_until(lambda: watch.look().commits >= 3 or process.poll() is not None, "three commits")
            scenes.kill_group(process)
        finally:
            watch.close()
            process.communicate()
        self.assertEqual("committing", scene.look().phase)

    def append(self):
        return "{ sqlite: out/o.db, table: t, mode: append }"

    def test_all_batches_see_what_the_first_one_saw(self):
        self.make_sales()
        scene = self.scene("table: sales", process=SLOW)
        process = scene.start_run()
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().commits >= 1 or process.poll() is not None, "a commit")
        self.sql(f"""DELETE FROM sales WHERE id > {RECORDS - 500}; UPDATE sales SET sku = 'changed';
                     INSERT INTO sales SELECT i, now(), 'late', 0 FROM generate_series(100001, 100100) i""")
        self.expect(0, scene.finish(process))
        watch.close()
        self.assertEqual([str(i) for i in range(1, RECORDS + 1)], self.ids(scene))
        self.assertNotIn("changed", (scene.out / "o.csv").read_text())

    def test_a_resume_refuses_a_new_snapshot_until_it_is_accepted_and_says_where_it_changed(self):
        self.make_sales()
        scene = self.scene("table: sales", process=SLOW)
        self.killed_in_the_middle(scene)
        self.expect(2, scene.run(), "snapshot", "--accept snapshot", "--fresh")
        self.sql(f"INSERT INTO sales VALUES ({RECORDS + 1}, now(), 'new', 1)")
        done = self.expect(0, scene.run("--accept", "snapshot"), "were read from a snapshot that is gone")
        self.assertGreater(done.json["steps"][0]["batches_resumed"], 2)
        self.assertEqual([str(i) for i in range(1, RECORDS + 2)], self.ids(scene))

    def test_the_job_may_say_once_and_for_all_to_continue_or_to_restart(self):
        self.make_sales()
        for on_change in ("continue", "restart"):
            with self.subTest(on_change):
                scene = self.scene(f"table: sales, on_change: {on_change}", process=SLOW)
                self.killed_in_the_middle(scene)
                done = self.expect(0, scene.run())
                resumed = done.json["steps"][0]["batches_resumed"]
                self.assertTrue(resumed == 0 if on_change == "restart" else resumed > 2, done)
                self.assertEqual([str(i) for i in range(1, RECORDS + 1)], self.ids(scene))

    def test_a_restart_never_doubles_what_is_in_a_table(self):
        self.make_sales()
        scene = self.scene("table: sales, on_change: restart", process=SLOW, write=self.append())
        self.killed_in_the_middle(scene)
        self.expect(2, scene.run(), "committed")

    def test_places_of_rows_are_worth_nothing_in_a_new_snapshot(self):
        self.make_sales(key="bigint")
        scene = self.scene("table: sales, on_change: continue", process=SLOW)
        self.killed_in_the_middle(scene)
        done = scene.run()
        self.assertNotEqual(0, done.code)
        self.assertIn("by the place of its rows", done.err)
        self.expect(0, scene.run("--fresh"))
        self.assertEqual([str(i) for i in range(1, RECORDS + 1)], self.ids(scene))

    def test_a_server_that_dies_ends_the_run_which_can_go_on_when_it_is_back(self):
        self.make_sales()
        scene = self.scene("table: sales, on_change: continue", process=SLOW.replace("3000", "20000"))  # than a restart
        process = scene.start_run()
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().commits >= 2 or process.poll() is not None, "two commits")
        server.restart(signal.SIGQUIT)
        done = scene.finish(process)
        watch.close()
        self.assertEqual(1, done.code, done)
        self.expect(0, scene.run())
        self.assertEqual([str(i) for i in range(1, RECORDS + 1)], self.ids(scene))


class Increments(Case):
    def make_copied(self):
        self.sql("""CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT now());
                    CREATE INDEX ON t (updated_at)""")

    def copy(self, increment="column: updated_at", mode="upsert, key: [id]"):
        return self.scene(f"table: t, incremental: {{ {increment} }}",
                          write=f"{{ sqlite: out/o.db, table: t, mode: {mode} }}")

    def rows(self, scene):
        import sqlite3
        connection = sqlite3.connect(scene.out / "o.db")
        try:
            return sorted(connection.execute("SELECT id, v FROM t").fetchall())
        finally:
            connection.close()

    def source_rows(self):
        return sorted((int(a), b) for a, b in (line.split("|") for line in self.sql("SELECT id, v FROM t").splitlines()))

    def test_each_run_reads_only_what_changed_since_the_last_one(self):
        self.make_copied()
        self.sql("INSERT INTO t (id, v) SELECT i, 'a' || i FROM generate_series(1, 500) i")
        scene = self.copy()
        self.assertEqual(500, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.assertEqual(0, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.sql("UPDATE t SET v = 'b', updated_at = now() WHERE id <= 7; INSERT INTO t (id, v) VALUES (1000, 'new')")
        self.assertEqual(8, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.assertEqual(self.source_rows(), self.rows(scene))
        self.assertEqual(501, self.expect(0, scene.run("--full")).json["steps"][0]["read"])
        self.assertEqual(0, self.expect(0, scene.run()).json["steps"][0]["read"])

    def test_equal_times_are_neither_lost_nor_doubled(self):
        self.make_copied()
        scene = self.copy(mode="append")
        self.sql("INSERT INTO t SELECT i, 'a', now() FROM generate_series(1, 300) i")
        self.expect(0, scene.run())
        self.sql("INSERT INTO t SELECT i, 'b', (SELECT max(updated_at) FROM t) + interval '1 hour' FROM generate_series(301, 310) i")
        self.assertEqual(0, self.expect(0, scene.run()).json["steps"][0]["read"])  # that is not yet
        self.sql("UPDATE t SET updated_at = now() WHERE id > 300")
        self.assertEqual(10, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.assertEqual(self.source_rows(), self.rows(scene))

    def test_a_late_commit_within_the_lag_is_read_by_a_later_run(self):
        self.make_copied()
        self.sql("INSERT INTO t (id, v, updated_at) VALUES (1, 'early', now() - interval '1 hour')")
        scene = self.copy("column: updated_at, lag: 2s")
        self.expect(0, scene.run())
        # Its transaction began a second ago, and is committed only now.
        self.sql("INSERT INTO t (id, v, updated_at) VALUES (2, 'late', now() - interval '1 second')")
        runs = 0
        while len(self.rows(scene)) < 2 and runs < 100:
            self.expect(0, scene.run())
            runs += 1
            time.sleep(0.2)
        self.assertEqual([(1, "early"), (2, "late")], self.rows(scene))

    def test_whole_numbers_rise_too(self):
        self.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'a' FROM generate_series(1, 100) i")
        scene = self.copy("column: id, lag: 10", mode="append")
        self.assertEqual(90, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.sql("INSERT INTO t SELECT i, 'b' FROM generate_series(101, 150) i")
        self.assertEqual(50, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.assertEqual([i for i in range(1, 141)], [row[0] for row in self.rows(scene)])

    def test_a_run_that_is_killed_goes_on_with_the_bounds_it_began_with(self):
        self.make_copied()
        self.sql("INSERT INTO t (id, v) SELECT i, 'a' FROM generate_series(1, 2000) i")
        scene = self.copy(mode="append")
        self.expect(2, scene.run(fault="kill:committed:5"), "--accept snapshot")
        self.sql("INSERT INTO t (id, v) SELECT i, 'b' FROM generate_series(2001, 2100) i")
        self.expect(0, scene.run("--accept", "snapshot"))
        self.assertEqual(2000, len(self.rows(scene)))
        self.assertEqual(100, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.assertEqual(self.source_rows(), self.rows(scene))

    def test_what_makes_no_sense_is_said_before_the_start(self):
        self.make_copied()
        self.expect(2, self.copy("column: v").run(), "a column of times, or of whole numbers")
        self.expect(2, self.copy("column: updated_at, lag: 10").run(), "a duration such as 5m")
        self.expect(2, self.copy("column: id, lag: 5m").run(), "a number such as 1000")
        self.expect(2, self.copy(mode="replace").run(), "mode: append or upsert")


if __name__ == "__main__":
    unittest.main(verbosity=2)
