#!/usr/bin/env python3
"""Steps that have a database execute SQL: once in a run, whatever happens, in PostgreSQL, SQLite and DuckDB."""
import pathlib
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

URL = f"${{env:{postgres_server.VARIABLE}}}"


def setUpModule():
    global server
    server = postgres_server.for_module()


def job_text(execute, write="csv: out.csv", head=""):
    """Three rows are loaded, and then something is executed."""
    return f"""job: sales
{head}
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint, day: date }} }}
    write: {{ {write} }}
  - name: publish
    execute:
{chr(10).join("      " + line for line in execute.splitlines())}
"""


class Case(scenes.Case):
    def setUp(self):
        postgres_server.clear()

    def scene(self, text):
        scene = scenes.Scene(text)
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", "id,day\n1,2026-01-01\n2,2026-01-02\n3,2026-01-02\n")
        return scene


class System:
    """A database of a kind: how a job names it, and how a test looks into it."""

    def __init__(self, name, database, sql):
        self.name = name
        self.database = database
        self.sql = sql

    @property
    def use(self):
        return f'{self.name}: "{self.database}"'


def systems(scene):
    def in_sqlite(sql):
        with sqlite3.connect(scene.root / "w.db") as connection:
            return "\n".join("|".join(str(value) for value in row) for row in connection.execute(sql))

    def in_duckdb(sql):
        with duckdb_file.File(scene.root / "w.duckdb") as file:
            return "\n".join("|".join(map(str, row)) for row in file.rows(sql))

    return [System("postgres", URL, server.sql), System("sqlite", "w.db", in_sqlite),
            System("duckdb", "w.duckdb", in_duckdb)]


class EverySystem(Case):
    """What holds for all of them."""

    def each(self, execute):
        """A scene for each system, whose job executes `execute` behind a load into table sales."""
        for number in range(3):
            scene = self.scene("job: none\nsteps: []\n")
            system = systems(scene)[number]
            scene.write_job(job_text(f"{system.use}\n{execute}",
                                     f"{system.use}, table: sales, mode: append", "params: { day: date }"))
            with self.subTest(system=system.name):
                yield scene, system

    def test_statements_see_what_the_step_before_has_loaded_and_happen_once_in_a_run(self):
        for scene, system in self.each("sql:\n  - CREATE TABLE days (day date, orders bigint)\n"
                                       "  - INSERT INTO days SELECT day, count(*) FROM sales GROUP BY day; "
                                       "DELETE FROM days WHERE day < $day"):
            done = self.expect(0, scene.run("-p", "day=2026-01-02"))
            self.assertEqual(["completed", "completed"], [step["state"] for step in done.json["steps"]])
            self.assertEqual("2026-01-02|2", system.sql("SELECT day, orders FROM days"))
            self.assertEqual("1", system.sql("SELECT count(*) FROM tranche_commits WHERE step = 'publish'"))
            self.expect(0, scene.type("verify", "sales"), "publish  executed, as the ledger has it")

    def test_a_new_run_executes_it_again(self):
        for scene, system in self.each("sql: CREATE TABLE IF NOT EXISTS log (n integer); INSERT INTO log VALUES (1)"):
            self.expect(0, scene.run("-p", "day=2026-01-02"))
            self.assertTrue(scene.run("-p", "day=2026-01-02").json["already_loaded"])
            self.expect(0, scene.run("-p", "day=2026-01-02", "--again"))
            self.assertEqual("2", system.sql("SELECT count(*) FROM log"))

    def test_a_kill_before_the_commit_leaves_nothing_and_one_behind_it_is_not_executed_twice(self):
        for scene, system in self.each("sql: CREATE TABLE IF NOT EXISTS log (n integer); INSERT INTO log VALUES (1)"):
            done = scene.run("-p", "day=2026-01-02", fault="kill:executed")
            self.expect(1, done, "3 times")  # each engine that is started dies there
            self.assertEqual("0", system.sql("SELECT count(*) FROM tranche_commits WHERE step = 'publish'"))
            self.expect(0, scene.run("-p", "day=2026-01-02"))
            self.assertEqual("1", system.sql("SELECT count(*) FROM log"))
            # As if the run had died when the database had it, and the ledger did not.
            with sqlite3.connect(scene.state / "ledger.db") as ledger:
                ledger.execute("UPDATE runs SET state = 'running' WHERE job = 'sales'")
                ledger.execute("UPDATE steps SET state = 'running' WHERE name = 'publish'")
            self.expect(0, scene.run("-p", "day=2026-01-02"))
            self.assertEqual("1", system.sql("SELECT count(*) FROM log"))

    def test_wrong_sql_fails_the_run_undoes_all_of_it_and_is_tried_again_when_mended(self):
        for scene, system in self.each("sql: [CREATE TABLE log (n integer), SELEC 1]"):
            self.expect(1, scene.run("-p", "day=2026-01-02"), 'statement 2, "SELEC 1"')
            scene.write_job(scene.job.read_text().replace("SELEC 1", "INSERT INTO log VALUES (7)"))
            self.expect(2, scene.run("-p", "day=2026-01-02"),
                        'The job of step "publish" changed since run', "--accept job")
            self.expect(0, scene.run("-p", "day=2026-01-02", "--accept", "job"))
            self.assertEqual("7", system.sql("SELECT n FROM log"))

    def test_a_script_that_ends_its_transaction_is_refused_and_the_rest_of_it_is_not_taken_for_done(self):
        script = "sql: [CREATE TABLE log (n integer), COMMIT, INSERT INTO log VALUES (7)]"
        for scene, system in self.each(script):
            self.expect(1, scene.run("-p", "day=2026-01-02"), "ended the transaction", "transaction: false")
            scene.write_job(scene.job.read_text().replace("CREATE TABLE log (n integer), COMMIT, ", ""))
            self.expect(0, scene.run("-p", "day=2026-01-02", "--accept", "job"))
            self.assertEqual("7", system.sql("SELECT n FROM log"))

    def test_one_that_ends_it_and_begins_another_is_found_out_too(self):
        for scene, _ in self.each('sql: ["CREATE TABLE log (n integer); COMMIT; BEGIN", INSERT INTO log VALUES (7)]'):
            self.expect(1, scene.run("-p", "day=2026-01-02"), "ended the transaction")

    def test_what_was_executed_already_is_not_taken_for_other_sql(self):
        for scene, system in self.each("sql: CREATE TABLE log (n integer)"):
            self.expect(0, scene.run("-p", "day=2026-01-02"))
            with sqlite3.connect(scene.state / "ledger.db") as ledger:  # as if it had died before it could say so
                ledger.execute("UPDATE runs SET state = 'running' WHERE job = 'sales'")
                ledger.execute("UPDATE steps SET state = 'running' WHERE name = 'publish'")
            scene.write_job(scene.job.read_text().replace("CREATE TABLE log", "CREATE TABLE other"))
            self.expect(1, scene.run("-p", "day=2026-01-02", "--accept", "job"), "with other SQL")

    def test_parameters_are_values_wherever_sql_takes_one(self):
        for scene, system in self.each("sql: |\n  CREATE TABLE t AS SELECT $day AS day, '$day' AS text, \"id\" -- $day\n"
                                       "  FROM sales WHERE day = $day /* $none */ AND id > 2"):
            self.expect(0, scene.run("-p", "day=2026-01-02"))
            self.assertEqual("2026-01-02|$day|3", system.sql("SELECT * FROM t"))

    def test_check_and_plan_say_what_it_is(self):
        for scene, system in self.each("sql: SELECT 1"):
            self.expect(0, scene.type("check", "job.yaml", "-p", "day=2026-01-02"), "publish  executes SQL")
            self.expect(0, scene.type("plan", "job.yaml", "-p", "day=2026-01-02"), "publish  executes SQL")


class Holder:
    """Another session that holds a table locked for a moment, from the beginning of the block on."""

    def __init__(self, table):
        self.table = table
        self.thread = threading.Thread(target=server.sql, args=(
            f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); COMMIT",))

    def __enter__(self):
        self.thread.start()
        while server.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND "
                         f"relation = '{self.table}'::regclass") == "0":
            time.sleep(0.01)

    def __exit__(self, *_):
        self.thread.join()


class Outside(Case):
    """Statements that can't be part of a transaction."""

    def test_they_are_executed_one_by_one(self):
        scene = self.scene(job_text(f'postgres: "{URL}"\nsql: [VACUUM sales, ANALYZE sales]\ntransaction: false',
                                    f'postgres: "{URL}", table: sales, mode: append'))
        self.expect(0, scene.run())
        self.assertEqual("1", server.sql("SELECT count(*) FROM tranche_commits WHERE step = 'publish'"))

    def test_an_item_that_went_through_is_not_executed_again_when_a_later_one_is(self):
        server.sql("CREATE TABLE log (n integer); CREATE TABLE busy (n integer)")
        scene = self.scene(job_text(f'postgres: "{URL}"\nsql: [INSERT INTO log VALUES (1), INSERT INTO busy VALUES (1)]\n'
                                    "transaction: false\nlock_wait: 200ms"))
        with Holder("busy"):
            self.expect(0, scene.run(), "is tried again")
        self.assertEqual("1|1", server.sql("SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM busy)"))

    def test_without_saying_so_the_server_refuses_them(self):
        scene = self.scene(job_text(f'postgres: "{URL}"\nsql: VACUUM sales',
                                    f'postgres: "{URL}", table: sales, mode: append'))
        self.expect(1, scene.run(), "25001: VACUUM cannot run inside a transaction block")


class Trouble(Case):
    def test_a_lock_of_another_session_is_waited_for(self):
        server.sql("CREATE TABLE busy (n integer)")
        scene = self.scene(job_text(f'postgres: "{URL}"\nsql: INSERT INTO busy VALUES (1)\nlock_wait: 200ms'))
        with Holder("busy"):
            done = self.expect(0, scene.run(), "is tried again")
        self.assertGreaterEqual(done.json["steps"][1]["retries"], 1)
        self.assertEqual("1", server.sql("SELECT count(*) FROM busy"))

    def test_a_database_that_is_not_there_is_found_before_the_start(self):
        scene = self.scene(f"""job: only
steps:
  - name: publish
    execute: {{ postgres: "postgresql://nobody@127.0.0.1:1/none", sql: SELECT 1 }}
""")
        self.expect(2, scene.run(), "127.0.0.1")
        self.assertEqual(2, scene.type("check", "job.yaml").code)

    def test_a_table_that_is_no_record_of_commits_is_found_before_the_start(self):
        server.sql("CREATE TABLE mine (a integer)")
        scene = self.scene(f"""job: only
steps:
  - name: publish
    execute: {{ postgres: "{URL}", sql: SELECT 1, commits_table: mine }}
""")
        self.expect(2, scene.run(), "is not a record of commits")


class JobFile(Case):
    """What is said of a step that is written wrongly."""

    def faults(self, execute, *texts):
        scene = self.scene(job_text(execute))
        self.expect(2, scene.type("check", "job.yaml"), *texts)

    def test_names_what_is_missing_or_unknown(self):
        self.faults("csv: out.csv\nsql: SELECT 1", "names no system; one of postgres, sqlite, duckdb was expected")
        self.faults("sqlite: w.db", 'job.yaml:9:7: Key "sql" is missing in sqlite')
        self.faults("sqlite: w.db\nsql: SELECT 1\ntable: x", 'Unknown key "table" in sqlite')
        self.faults("sqlite: w.db\nsql: ' '", '"sql" is empty')
        self.faults("sqlite: w.db\nsql: SELECT $dya", 'There is no parameter "dya"')
        self.faults("sqlite: w.db\nsql: SELECT ${day}", "In SQL a parameter is $day")
        scene = self.scene(job_text("sqlite: w.db\nsql: SELECT 1") + "    write: { csv: o.csv }\n")
        self.expect(2, scene.type("check", "job.yaml"), 'Unknown key "write" in a step that executes SQL')


if __name__ == "__main__":
    unittest.main(verbosity=2)
