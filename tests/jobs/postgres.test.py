#!/usr/bin/env python3
"""Tables of a real PostgreSQL, as people write them: by a job file and the command."""
import json
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgres_server
import scene as scenes

URL = f"${{env:{postgres_server.VARIABLE}}}"
SECRET = postgres_server.SECRET


def setUpModule():
    global server
    server = postgres_server.for_module()
    server.lock_user()
    os.environ["LOCKED_URL"] = server.url_of("postgres", postgres_server.SECRET_USER, SECRET)


def job_text(mode="mode: append", database=URL, rows=100, limit=0, head="", retry=""):
    return f"""job: sales
{head}
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint, name: varchar, price: "decimal(8,2)" }} }}
    batch: {{ rows: {rows} }}
    on_error: {{ max_rejects: {limit}{retry} }}
    write: {{ postgres: "{database}", table: sales, {mode} }}
"""


def records(count, first=0):
    return "id,name,price\n" + "".join(f"{i},name {i},{i % 100}.25\n" for i in range(first, first + count))


class Case(scenes.Case):
    def setUp(self):
        postgres_server.clear()

    def scene(self, text, data):
        scene = scenes.Scene(text)
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", data)
        return scene

    def counts(self, done):
        step = self.expect(0, done).json["steps"][0]
        return step["read"], step["written"], step["rejected"]

    def rows(self, what="count(*), sum(id), sum(price)"):
        return server.sql(f"SELECT {what} FROM sales")


class Modes(Case):
    def test_append_creates_the_table_and_does_not_load_twice(self):
        scene = self.scene(job_text(), records(250))
        self.assertEqual((250, 250, 0), self.counts(scene.run()))
        self.assertEqual("250|31125|11187.50", self.rows())
        self.expect(0, scene.type("verify", "last"), "250 rows, as the ledger has it")
        self.assertTrue(scene.run().json["already_loaded"])
        self.assertEqual((250, 250, 0), self.counts(scene.run("--again")))
        self.assertEqual("500|250", self.rows("count(*), count(DISTINCT id)"))
        server.sql("DELETE FROM sales WHERE id < 10; DELETE FROM tranche_commits WHERE batch = 0")
        self.expect(1, scene.type("verify", "last"), "Batch 0 is not in public.tranche_commits")

    def test_replace_shows_the_new_rows_at_once(self):
        scene = self.scene(job_text("mode: replace"), records(250))
        self.assertEqual((250, 250, 0), self.counts(scene.run()))
        scene.write("in.csv", records(120, 1000))
        server.sql("CREATE VIEW dear AS SELECT id FROM sales WHERE price > 50")
        self.assertEqual((120, 120, 0), self.counts(scene.run()))
        self.assertEqual("120|1000|1119", self.rows("count(*), min(id), max(id)"))
        self.assertEqual("50", server.sql("SELECT count(*) FROM dear"))
        self.expect(0, scene.type("verify", "last"), "120 rows")
        self.assertEqual([], scene.leavings())

    def test_upsert_finds_rows_by_their_key(self):
        scene = self.scene(job_text("mode: upsert, key: [id]"), records(250))
        self.assertEqual((250, 250, 0), self.counts(scene.run()))
        scene.write("in.csv", records(250, 200).replace("name", "other").replace("id,other", "id,name"))
        self.assertEqual((250, 250, 0), self.counts(scene.run()))
        self.assertEqual("450|250", self.rows("count(*), count(*) FILTER (WHERE name LIKE 'other%')"))

    def test_an_input_without_records_makes_an_empty_table(self):
        scene = self.scene(job_text(), records(0))
        self.assertEqual((0, 0, 0), self.counts(scene.run()))
        self.assertEqual("0", self.rows("count(*)"))

    def test_worker_processes_write_the_same(self):
        scene = self.scene(job_text(), records(1000))
        self.assertEqual((1000, 1000, 0), self.counts(scene.run("--workers", "{ processes: 2 }")))
        self.assertEqual("1000|499500|49750.00", self.rows())


class Refused(Case):
    def test_rows_that_the_server_refuses_are_rejects_with_their_sqlstate(self):
        server.sql("CREATE TABLE sales (id bigint PRIMARY KEY, name text, price numeric CHECK (price <> 7.25))")
        scene = self.scene(job_text(limit=10), records(300) + "5,again,1\n")
        self.assertEqual((301, 297, 4), self.counts(scene.run()))
        rejects = scene.rejects()
        self.assertEqual([7, 107, 207, 300], [reject["record"] for reject in rejects])
        self.assertEqual('PostgreSQL refused the row (23505): duplicate key value violates unique constraint '
                         '"sales_pkey": Key (id)=(5) already exists.', rejects[3]["error"])
        self.assertEqual(("write", "in.csv", 302), (rejects[3]["phase"], rejects[3]["source"], rejects[3]["line"]))
        self.assertEqual({"id": 5, "name": "again", "price": 1.00}, json.loads(rejects[3]["raw"]))
        self.assertEqual("297", self.rows("count(*)"))

    def test_one_too_many_fails_the_run_and_commits_nothing_of_its_batch(self):
        server.sql("CREATE TABLE sales (id bigint, name text, price numeric CHECK (price <> 7.25))")
        scene = self.scene(job_text(limit=1), records(300))
        self.expect(1, scene.run(), "(23514)", "Nothing of batch 1 was committed")
        self.assertEqual("99", self.rows("count(*)"))
        self.expect(0, scene.run("--max-rejects", "5"))
        self.assertEqual("297", self.rows("count(*)"))


class Connections(Case):
    HEAD = 'connections: { warehouse: "${env:LOCKED_URL}" }'

    def nothing_tells(self, scene, *done):
        for one in done:
            self.assertNotIn(SECRET, one.out + one.err)
        for path in scene.root.rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path)

    def test_a_name_stands_for_a_url_whose_password_nobody_sees(self):
        scene = self.scene(job_text(database="warehouse", head=self.HEAD), records(150))
        done = [scene.type("check", scene.job), scene.type("plan", scene.job), scene.type("run", scene.job),
                scene.type("verify", "last"), scene.type("runs"), scene.type("status", "last")]
        for one in done:
            self.expect(0, one)
        self.assertEqual("150", self.rows("count(*)"))
        self.nothing_tells(scene, *done)

    def test_a_password_in_the_job_file_goes_no_further(self):
        url = os.environ["LOCKED_URL"]
        scene = self.scene(job_text(database=url), records(150))
        done = scene.run()
        self.expect(0, done)
        verified = self.expect(2, scene.type("verify", "last"), "no password supplied")
        scene.job.unlink()
        self.nothing_tells(scene, done, verified)

    def test_a_wrong_password_is_in_no_message(self):
        os.environ["WRONG_URL"] = server.url_of("postgres", postgres_server.SECRET_USER, SECRET + "x")
        scene = self.scene(job_text(database="${env:WRONG_URL}"), records(10))
        done = self.expect(2, scene.run(), "password authentication failed")
        self.nothing_tells(scene, done)

    def test_what_a_run_wrote_is_reached_without_the_job_file_but_not_without_the_environment(self):
        scene = self.scene(job_text(database="warehouse", head=self.HEAD, rows=10), records(100) + "x,y,z\n")
        self.expect(1, scene.run())
        scene.job.rename(scene.root / "elsewhere.yaml")
        kept = os.environ.pop("LOCKED_URL")
        try:
            self.expect(2, scene.type("abandon", "last", "--accept", "committed"),
                        "The environment variable LOCKED_URL is not set")
        finally:
            os.environ["LOCKED_URL"] = kept
        self.expect(2, scene.type("abandon", "last"), "can't be taken back")
        self.expect(0, scene.type("abandon", "last", "--accept", "committed"))

    def test_names_that_are_not_there_are_said_with_their_places(self):
        scene = self.scene(job_text(database="warehuose", head=self.HEAD), records(1))
        self.expect(2, scene.type("check", scene.job), "job.yaml:8:24", "\"postgres\" names none of the job's connections",
                    "did you mean \"warehouse\"?")
        scene.write_job(job_text(database="${env:NO_SUCH_URL}"))
        self.expect(2, scene.type("check", scene.job), "The environment variable NO_SUCH_URL is not set")
        scene.write_job(job_text(database="warehouse", head='connections: { warehouse: "host=h password=hush" }'))
        done = self.expect(2, scene.type("check", scene.job), "was expected to be a URL")
        self.assertNotIn("hush", done.err)

    def test_another_password_does_not_keep_a_run_from_being_resumed(self):
        scene = self.scene(job_text(database="warehouse", head=self.HEAD, rows=10), records(100) + "x,y,z\n")
        self.expect(1, scene.run())
        server.sql(f"ALTER ROLE {postgres_server.SECRET_USER} PASSWORD 'another'")
        kept = os.environ["LOCKED_URL"]
        try:
            os.environ["LOCKED_URL"] = server.url_of("postgres", postgres_server.SECRET_USER, "another")
            self.expect(0, scene.run("--max-rejects", "1"))
            os.environ["LOCKED_URL"] = server.url
            scene.write("in.csv", records(200) + "x,y,z\n")
            self.expect(1, scene.run("--again"))
            os.environ["LOCKED_URL"] = server.url_of("template1")
            self.expect(2, scene.run("--max-rejects", "1"), "/template1", "--accept job")
        finally:
            os.environ["LOCKED_URL"] = kept
            server.sql(f"ALTER ROLE {postgres_server.SECRET_USER} PASSWORD '{SECRET}'")


class Faults(Case):
    RECORDS = 60_000

    def running(self, retry=", retry: { attempts: 50, backoff: 100ms, max_backoff: 500ms }"):
        scene = self.scene(job_text(rows=1000, retry=retry), records(self.RECORDS))
        process = scene.start_run()
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().commits >= 5 or process.poll() is not None, "no commits")
        watch.close()
        self.assertIsNone(process.poll(), "the run was over already")
        return scene, process

    def complete(self, scene, done):
        self.assertEqual((self.RECORDS, self.RECORDS, 0), self.counts(done))
        self.assertEqual(f"{self.RECORDS}|{self.RECORDS}", self.rows("count(*), count(DISTINCT id)"))
        self.expect(0, scene.type("verify", "last"))

    def test_a_connection_that_is_cut_again_and_again_costs_nothing_but_retries(self):
        scene, process = self.running()
        for _ in range(3):
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tranche'")
            time.sleep(0.3)
        done = scene.finish(process)
        self.complete(scene, done)
        self.assertGreater(done.json["steps"][0]["retries"], 0)

    def test_a_server_that_dies_in_mid_load_and_comes_back_is_waited_for(self):
        scene, process = self.running()
        server.restart()
        self.complete(scene, scene.finish(process))

    def test_a_server_that_stays_away_fails_the_run_which_is_resumed_later(self):
        scene, process = self.running(", retry: { attempts: 2, backoff: 100ms }")
        server.stop(signal.SIGQUIT)
        try:
            done = scene.finish(process)
            self.expect(1, done, "PostgreSQL")
            self.expect(2, scene.run(), "Can't connect to PostgreSQL database 127.0.0.1:")
        finally:
            server.start(server.port)
        done = scene.run()
        self.complete(scene, done)
        self.assertGreater(done.json["steps"][0]["batches_resumed"], 4)

    def test_a_commit_waits_for_whoever_holds_the_record_of_commits(self):
        scene, process = self.running()
        holder = threading.Thread(target=server.sql, args=(
            "BEGIN; LOCK TABLE tranche_commits IN EXCLUSIVE MODE; SELECT pg_sleep(0.3); ROLLBACK",))
        holder.start()
        done = scene.finish(process)
        holder.join()
        self.complete(scene, done)


if __name__ == "__main__":
    unittest.main(verbosity=2)
