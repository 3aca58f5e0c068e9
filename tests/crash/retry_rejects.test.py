#!/usr/bin/env python3
"""`tranche retry-rejects`: what was rejected is processed again once the job, or the data, is mended: only that, once."""
import gzip
import json
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

ROWS = 1000
EVERY = 70  # so many records apart lie those that the first run rejects
BAD = list(range(7, ROWS, EVERY))
STRICT = "SELECT id, CASE WHEN text LIKE 'x%' THEN error('no number: ' || text) ELSE CAST(text AS bigint) END AS n FROM batch"
MENDED = "SELECT id, CAST(ltrim(text, 'x') AS bigint) AS n FROM batch"
BETTER = "SELECT id, CASE WHEN id = 77 THEN error('still wrong') ELSE CAST(ltrim(text, 'x') AS bigint) END AS n FROM batch"
URL = f"${{env:{postgres_server.VARIABLE}}}"


def setUpModule():
    global server
    server = postgres_server.for_module()


def job_text(write, sql=STRICT):
    return f"""job: numbers
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint, text: varchar }} }}
    batch: {{ rows: 100 }}
    process:
      - sql: >
          {sql}
    on_error: {{ max_rejects: 100 }}
    write: {{ {write} }}
"""


def input_text():
    return "id,text\n" + "".join(f"{i},{'x' if i in BAD else ''}{i * 2}\n" for i in range(ROWS))


class Case(scenes.Case):
    def setUp(self):
        postgres_server.clear()

    def scene(self, write, workers=None):
        scene = scenes.Scene(job_text(write), workers)
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", input_text())
        return scene

    def first_run(self, scene):
        step = self.expect(0, scene.run()).json["steps"][0]
        self.assertEqual((ROWS - len(BAD), len(BAD)), (step["written"], step["rejected"]))

    def retry(self, scene, *more, code=0, fault=None):
        return self.expect(code, scene.type("retry-rejects", "numbers", "--json", *more, fault=fault))

    def mended(self, write, workers=None):
        """A scene with a first run, and a job that makes numbers of all texts."""
        scene = self.scene(write, workers)
        self.first_run(scene)
        scene.write_job(job_text(write, MENDED))
        return scene

    def counts(self, done):
        step = done.json["steps"][0]
        return step["read"], step["written"], step["rejected"]


def tables(scene):
    """Where rows may go, and how they are counted there: number of rows, of different ids, sum of n."""
    what = "count(*), count(DISTINCT id), sum(n)"

    def in_sqlite():
        with sqlite3.connect(scene.root / "w.db") as connection:
            return "|".join(map(str, connection.execute(f"SELECT {what} FROM t").fetchone()))

    def in_duckdb(table="t"):
        with duckdb_file.File(scene.root / "w.duckdb") as file:
            return "|".join(file.rows(f"SELECT {what} FROM {table}")[0])

    return {"sqlite: w.db, table: t": in_sqlite, f'postgres: "{URL}", table: t': lambda: server.sql(f"SELECT {what} FROM t"),
            "duckdb: w.duckdb, table: t": in_duckdb,
            "parquet: out/t": lambda: in_duckdb(f"read_parquet('{scene.root}/out/t/**/*.parquet')")}


ALL = f"{ROWS}|{ROWS}|{sum(i * 2 for i in range(ROWS))}"


class Files(Case):
    def good(self):
        return [f"{i},{i * 2}" for i in range(ROWS) if i not in BAD]

    def retried(self, without=()):
        return [f"{i},{i * 2}" for i in BAD if i not in without]

    def test_the_records_come_at_the_end_of_a_file_the_rest_is_untouched(self):
        for workers in ("2", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                scene = self.mended("csv: out/o.csv", workers)
                done = self.retry(scene)
                self.assertEqual((len(BAD), len(BAD), 0), self.counts(done))
                self.assertEqual(["id,n", *self.good(), *self.retried()],
                                 (scene.root / "out/o.csv").read_text().splitlines())
                self.expect(0, scene.type("verify", "last"), f"{len(BAD)} rows, as the ledger has it")

    def test_a_compressed_file_and_json_lines_grow_alike(self):
        scene = self.mended("csv: out/o.csv.gz")
        self.retry(scene)
        self.assertEqual(["id,n", *self.good(), *self.retried()],
                         gzip.open(scene.root / "out/o.csv.gz", "rt").read().splitlines())
        scene = self.mended("jsonl: out/o.jsonl")
        self.retry(scene)
        self.assertEqual([i for i in range(ROWS) if i not in BAD] + BAD,
                         [json.loads(line)["id"] for line in (scene.root / "out/o.jsonl").read_text().splitlines()])

    def test_what_is_rejected_again_is_in_the_rejects_of_the_retry_and_can_be_retried_in_turn(self):
        scene = self.scene("csv: out/o.csv")
        self.first_run(scene)
        first = scene.type("rejects", "numbers").out.splitlines()
        scene.write_job(job_text("csv: out/o.csv", BETTER))
        done = self.retry(scene)
        self.assertEqual((len(BAD), len(BAD) - 1, 1), self.counts(done))
        left, = scene.rejects()
        self.assertEqual((77, "in.csv", 79, "77,x154"), (left["record"], left["source"], left["line"], left["raw"]))
        self.assertEqual(len(BAD), len(first))
        scene.write_job(job_text("csv: out/o.csv", MENDED))
        self.assertEqual((1, 1, 0), self.counts(self.retry(scene)))  # the job's latest run is the retry
        self.assertEqual(["id,n", *self.good(), *self.retried(without=[77]), "77,154"],
                         (scene.root / "out/o.csv").read_text().splitlines())

    def test_kills_anywhere_neither_lose_nor_double_a_record(self):
        for fault in ("kill:applied", "kill:committed:3", "kill:recorded:5", "kill:seal-intended", "kill:seal-done",
                      "kill:ended"):
            with self.subTest(fault=fault):
                scene = self.mended("csv: out/o.csv")
                run = scene.type("status", "numbers", "--json").json["run"]
                self.assertIn(scene.type("retry-rejects", run, fault=fault).code, (0, 1))
                done = scene.type("retry-rejects", run)
                # The supervisor may have brought the killed one to its end.
                self.assertIn(done.code, (0, 2), done)
                if done.code == 2:
                    self.assertIn("has processed the rejects", done.err)
                self.assertEqual(["id,n", *self.good(), *self.retried()],
                                 (scene.root / "out/o.csv").read_text().splitlines())
                self.assertEqual([], scene.leavings())

    def test_an_unfinished_retry_is_gone_on_with_by_a_plain_run_too(self):
        scene = self.mended("csv: out/o.csv")
        self.retry(scene, code=1, fault="kill:applied")  # so does each engine that is started in its place
        self.expect(0, scene.run())
        self.assertEqual(["id,n", *self.good(), *self.retried()],
                         (scene.root / "out/o.csv").read_text().splitlines())

    def test_records_that_were_mended_in_place_are_read_again(self):
        scene = self.scene("csv: out/o.csv")
        self.first_run(scene)
        text = input_text().replace("7,x14\n", "7,14000\n", 1)
        scene.write("in.csv", text)
        self.expect(2, scene.type("retry-rejects", "numbers"), "The input of step", "--accept input")
        done = self.retry(scene, "--accept", "input")
        self.assertEqual((len(BAD), 1, len(BAD) - 1), self.counts(done))
        self.assertEqual("7,14000", (scene.root / "out/o.csv").read_text().splitlines()[-1])

    def test_broken_lines_are_read_again_and_only_those(self):
        scene = self.scene("csv: out/o.csv")
        lines = [f"{i},{i * 2}" if i not in BAD else f"{i},{i * 2},more" for i in range(ROWS)]
        scene.write("in.csv", "\n".join(["id,text", *lines]) + "\n")
        self.first_run(scene)
        scene.write("in.csv", input_text().replace(",x", ","))
        done = self.retry(scene, "--accept", "input")
        self.assertEqual((len(BAD), len(BAD), 0), self.counts(done))
        self.assertEqual(["id,n", *self.good(), *self.retried()],
                         (scene.root / "out/o.csv").read_text().splitlines())


class InPlace(Case):
    """The file that comes out is that of a run in which the rejects had been good from the start."""
    WRITES = ("csv: out/o.csv", "csv: out/o.csv.gz", "csv: out/o.csv.zst", "jsonl: out/o.jsonl", "jsonl: out/o.jsonl.gz")

    def output(self, scene, write):
        return (scene.root / write.partition(": ")[2].partition(",")[0]).read_bytes()

    def expected(self, write, job, text=None, **files):
        """The bytes of a run that rejects nothing."""
        scene = self.scene(write)
        scene.write_job(job)
        scene.write("in.csv", text or input_text())
        for name, content in files.items():
            scene.write(name, content)
        self.assertEqual(0, self.expect(0, scene.run()).json["steps"][0]["rejected"])
        return self.output(scene, write)

    def counted(self, scene, rows):
        self.expect(0, scene.type("verify", "last"), f"{rows:,} rows, as the ledger has it")
        self.assertEqual([], scene.leavings())

    def test_records_come_where_they_would_have_been_in_every_form(self):
        for write in self.WRITES:
            with self.subTest(write=write):
                scene = self.mended(write, "2" if write.endswith("csv") else "{ processes: 2 }")
                done = self.retry(scene, "--in-place")
                # The batches that held one were processed whole.
                self.assertEqual((ROWS, ROWS, 0), self.counts(done))
                self.assertEqual(self.expected(write, job_text(write, MENDED)), self.output(scene, write))
                self.counted(scene, ROWS)

    def test_only_batches_with_rejects_are_processed(self):
        scene = self.scene("csv: out/o.csv")
        scene.write_job(scene.job.read_text().replace("rows: 100", "rows: 30"))
        self.first_run(scene)
        mended = job_text("csv: out/o.csv", MENDED).replace("rows: 100", "rows: 30")
        scene.write_job(mended)
        read = 30 * len({i // 30 for i in BAD})
        self.assertEqual((read, read, 0), self.counts(self.retry(scene, "--in-place")))
        self.assertEqual(self.expected("csv: out/o.csv", mended), self.output(scene, "csv: out/o.csv"))
        self.counted(scene, ROWS)

    def test_among_filters_and_transforms_that_make_several_records_of_one(self):
        answers = ("import json, sys\nfor line in sys.stdin:\n  r = json.loads(line)\n  t = r['text']\n"
                   "  if t.startswith('x') and STRICT:\n    print(json.dumps({'error': 'no number'}), flush=True)\n    continue\n"
                   "  print(json.dumps([{'n': int(t.lstrip('x')), 'i': i} for i in range(r['id'] % 4)]), flush=True)\n")
        for write in ("csv: out/o.csv.gz", "jsonl: out/o.jsonl"):
            with self.subTest(write=write):
                job = job_text(write)
                job = (job[:job.index("    process:")] + "    process:\n      - command: [python3, p.py]\n"
                       "        columns: { n: bigint, i: bigint }\n      - sql: SELECT * FROM batch WHERE id % 5 <> 0\n"
                       + job[job.index("    on_error:"):])
                mended = answers.replace("STRICT", "False")
                scene = self.scene(write)
                scene.write_job(job)
                scene.write("p.py", answers.replace("STRICT", "True"))
                self.assertEqual(len(BAD), self.expect(0, scene.run()).json["steps"][0]["rejected"])
                scene.write("p.py", mended)
                self.retry(scene, "--in-place")
                self.assertEqual(self.expected(write, job, **{"p.py": mended}), self.output(scene, write))
                self.counted(scene, sum(i % 4 for i in range(ROWS) if i % 5))

    def test_what_is_rejected_again_takes_its_place_in_a_later_retry(self):
        scene = self.scene("csv: out/o.csv")
        self.first_run(scene)
        scene.write_job(job_text("csv: out/o.csv", BETTER))
        self.assertEqual((ROWS, ROWS - 1, 1), self.counts(self.retry(scene, "--in-place")))
        self.counted(scene, ROWS - 1)
        left, = scene.rejects()
        self.assertEqual(77, left["record"])
        scene.write_job(job_text("csv: out/o.csv", MENDED))
        self.assertEqual((100, 100, 0), self.counts(self.retry(scene, "--in-place")))
        self.assertEqual(self.expected("csv: out/o.csv", job_text("csv: out/o.csv", MENDED)),
                         self.output(scene, "csv: out/o.csv"))
        self.counted(scene, ROWS)

    def test_records_that_were_mended_in_the_input(self):
        scene = self.scene("csv: out/o.csv")
        self.first_run(scene)
        text = input_text().replace(",x", ",")
        scene.write("in.csv", text)
        self.retry(scene, "--in-place", "--accept", "input")
        self.assertEqual(self.expected("csv: out/o.csv", job_text("csv: out/o.csv"), text),
                         self.output(scene, "csv: out/o.csv"))
        self.counted(scene, ROWS)

    def test_kills_anywhere_and_a_resume_by_either_command(self):
        faults = ("kill:applied:2", "kill:staged:3", "kill:committed:4", "kill:recorded:5", "kill:seal-intended",
                  "kill:seal-done", "kill:ended")
        mended = {write: job_text(write, MENDED).replace("rows: 100", "rows: 30") for write in self.WRITES[:2]}
        expected = {write: self.expected(write, mended[write]) for write in mended}
        for number, fault in enumerate(faults):
            write = self.WRITES[number % 2]
            with self.subTest(write=write, fault=fault):
                scene = self.scene(write)
                scene.write_job(scene.job.read_text().replace("rows: 100", "rows: 30"))
                self.first_run(scene)
                scene.write_job(mended[write])
                run = scene.type("status", "numbers", "--json").json["run"]
                killed = scene.type("retry-rejects", run, "--in-place", fault=fault)
                self.assertIn(killed.code, (0, 1), killed)
                if killed.code == 1:  # else the supervisor has brought it to its end
                    self.expect(0, scene.run() if number % 3 else scene.type("retry-rejects", run))
                self.assertEqual(expected[write], self.output(scene, write))
                self.counted(scene, ROWS)

    def test_a_job_that_makes_other_records_of_the_good_ones_too(self):
        for write in ("csv: out/o.csv", "csv: out/o.csv.gz"):
            with self.subTest(write=write):
                other = job_text(write, MENDED.replace(" AS n", " + id % 2 AS n"))
                scene = self.mended(write)
                before = self.output(scene, write)
                scene.write_job(other)
                run = scene.type("status", "numbers", "--json").json["run"]
                self.expect(1, scene.type("retry-rejects", run, "--in-place"), "Batch 0 does not come out as it is")
                self.assertEqual(before, self.output(scene, write))
                self.expect(0, scene.type("retry-rejects", run, "--in-place", "--accept", "job"))
                self.assertEqual(self.expected(write, other), self.output(scene, write))

    def test_a_good_record_that_is_rejected_now_is_not_lost(self):
        scene = self.mended("csv: out/o.csv")
        before = self.output(scene, "csv: out/o.csv")
        scene.write_job(job_text("csv: out/o.csv", BETTER.replace("77", "78")))
        self.expect(1, scene.type("retry-rejects", "numbers", "--in-place"), "would be lost", "line 80")
        self.assertEqual(before, self.output(scene, "csv: out/o.csv"))

    def test_where_records_have_no_place_it_is_refused(self):
        for target in tables(None):
            with self.subTest(target=target):
                scene = self.mended(f"{target}, mode: replace")
                self.expect(2, scene.type("retry-rejects", "numbers", "--in-place"), "a place of its own. Leave --in-place out")
        scene = self.scene("csv: out/o.csv")
        self.first_run(scene)
        scene.write_job(job_text("csv: out/o.csv", BETTER))
        self.retry(scene)
        self.expect(2, scene.type("retry-rejects", "numbers", "--in-place"), "at the end of the output")
        scene = self.mended("csv: out/o.csv")
        scene.write_job(scene.job.read_text().replace("rows: 100", "rows: 99"))
        self.expect(2, scene.type("retry-rejects", "numbers", "--in-place"), "The way in which step")
        self.expect(2, scene.type("retry-rejects", "numbers", "--in-place", "--accept", "job"), "nobody knows their places")

    def test_a_retry_at_the_end_that_was_begun_is_not_gone_on_with_in_place(self):
        scene = self.mended("csv: out/o.csv")
        run = scene.type("status", "numbers", "--json").json["run"]
        self.expect(1, scene.type("retry-rejects", run, fault="kill:applied"))
        self.expect(2, scene.type("retry-rejects", run, "--in-place"), "has begun to add the rejects")

    def test_a_file_that_is_changed_while_it_is_rewritten(self):
        scene = self.scene("csv: out/o.csv")
        scene.write_job(scene.job.read_text().replace("rows: 100", "rows: 30"))
        self.first_run(scene)
        scene.write_job(job_text("csv: out/o.csv", MENDED).replace("rows: 100", "rows: 30"))
        run = scene.type("status", "numbers", "--json").json["run"]
        self.expect(1, scene.type("retry-rejects", run, "--in-place", fault="kill:applied"))
        text = (scene.root / "out/o.csv").read_text()
        scene.write("out/o.csv", text.replace("45,90", "45,91"))
        self.expect(1, scene.type("retry-rejects", run), "was changed from outside")


class Tables(Case):
    def test_rows_are_added_in_every_mode(self):
        for mode in ("append", "replace", "upsert, key: id"):
            for target in tables(None):
                if mode.startswith("upsert") and target.startswith("parquet"):
                    continue
                with self.subTest(target=target, mode=mode):
                    postgres_server.clear()
                    scene = self.mended(f"{target}, mode: {mode}")
                    self.assertEqual((len(BAD), len(BAD), 0), self.counts(self.retry(scene)))
                    self.assertEqual(ALL, tables(scene)[target]())
                    self.expect(0, scene.type("verify", "numbers"), f"{len(BAD)} rows, as the ledger has it")

    def test_of_an_upsert_a_key_that_is_there_by_now_is_a_reject(self):
        scene = self.scene("sqlite: w.db, table: t, mode: upsert, key: id")
        job = scene.job.read_text()
        scene.write_job(job[:job.index("    process:")].replace("text: varchar", "n: bigint")
                        + job[job.index("    on_error:"):])
        scene.write("in.csv", input_text().replace("text", "n"))
        self.first_run(scene)
        scene.write("in.csv", input_text().replace("text", "n").replace("x", ""))
        with sqlite3.connect(scene.root / "w.db") as connection:
            connection.execute("INSERT INTO t VALUES (7, -1)")
        self.assertEqual((len(BAD), len(BAD) - 1, 1), self.counts(self.retry(scene, "--accept", "input")))
        with sqlite3.connect(scene.root / "w.db") as connection:
            self.assertEqual((-1,), connection.execute("SELECT n FROM t WHERE id = 7").fetchone())
        left, = scene.rejects()
        self.assertEqual((7, "write"), (left["record"], left["phase"]))
        self.assertIn("UNIQUE", left["error"])

    def test_rows_that_sql_made_and_the_target_refused_are_left_out_and_that_is_said(self):
        server.sql("CREATE TABLE t (id bigint, n bigint CHECK (n <> 20))")
        scene = self.scene(f'postgres: "{URL}", table: t, mode: append')
        self.expect(0, scene.run())
        scene.write_job(job_text(f'postgres: "{URL}", table: t, mode: append', MENDED))
        done = self.retry(scene)
        self.assertEqual((len(BAD), len(BAD), 0), self.counts(done))
        self.assertIn("1 of the rejects were rows that SQL made", done.err)

    def test_a_run_after_the_retry_of_an_append_has_loaded_it_already(self):
        scene = self.mended("sqlite: w.db, table: t, mode: append")
        self.retry(scene)
        self.assertTrue(self.expect(0, scene.run()).json["already_loaded"])
        self.assertEqual(ALL, tables(scene)["sqlite: w.db, table: t"]())


class Several(Case):
    JOB = """job: numbers
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint, text: varchar }} }}
    write: {{ sqlite: w.db, table: t, mode: append }}
  - name: export
    read: {{ csv: in.csv, columns: {{ id: bigint, text: varchar }} }}
    process:
      - sql: >
          {sql}
    on_error: {{ max_rejects: 100 }}
    write: {{ csv: out/o.csv, mode: replace }}
  - name: note
    execute: {{ sqlite: w.db, sql: CREATE TABLE IF NOT EXISTS log (n integer); INSERT INTO log VALUES (1) }}
"""

    def test_a_step_without_rejects_is_left_alone_and_not_loaded_again_later(self):
        scene = scenes.Scene(self.JOB.format(sql=STRICT))
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", input_text())
        self.expect(0, scene.run())
        scene.write_job(self.JOB.format(sql=MENDED))
        done = self.retry(scene)
        self.assertEqual([0, len(BAD), 0], [step["written"] for step in done.json["steps"]])
        self.expect(0, scene.type("verify", "numbers"), "load", "export", "note")
        self.assertTrue(self.expect(0, scene.run()).json["already_loaded"])
        with sqlite3.connect(scene.root / "w.db") as connection:
            self.assertEqual((ROWS,), connection.execute("SELECT count(*) FROM t").fetchone())
            self.assertEqual((2,), connection.execute("SELECT count(*) FROM log").fetchone())


class Refused(Case):
    def test_a_second_retry_of_one_run(self):
        scene = self.mended("csv: out/o.csv")
        run = scene.type("status", "numbers", "--json").json["run"]
        self.retry(scene)
        self.expect(2, scene.type("retry-rejects", run), "has processed the rejects of run")
        self.expect(2, scene.type("verify", run), "verify that one")
        self.expect(0, scene.type("status", run), "processed again by run")

    def test_a_run_without_rejects_and_one_that_is_not_finished(self):
        scene = self.mended("csv: out/o.csv")
        self.retry(scene)
        self.expect(2, scene.type("retry-rejects", "last"), "has no rejects")
        scene.write_job(job_text("csv: out/o.csv", STRICT).replace("max_rejects: 100", "max_rejects: 3"))
        self.expect(1, scene.run())
        self.expect(2, scene.type("retry-rejects", "last"), "is failed: finish it first")

    def test_an_output_that_a_newer_run_has_replaced(self):
        for write in ("csv: out/o.csv", "sqlite: w.db, table: t, mode: replace", "parquet: out/t, mode: replace"):
            with self.subTest(write=write):
                scene = self.scene(write)
                self.first_run(scene)
                run = scene.type("status", "numbers", "--json").json["run"]
                self.first_run(scene)
                self.expect(2, scene.type("retry-rejects", run), "has replaced the output of step \"load\" since")

    def test_a_read_that_may_number_the_records_anew(self):
        scene = self.mended("csv: out/o.csv")
        scene.write_job(scene.job.read_text().replace("columns: { id", 'comment: "#", columns: { id'))
        self.expect(2, scene.type("retry-rejects", "last"), "The way in which step", "--accept job")
        self.retry(scene, "--accept", "job")

    def test_records_of_another_form_than_the_file_and_a_file_that_was_changed(self):
        scene = self.mended("csv: out/o.csv")
        run = scene.type("status", "numbers", "--json").json["run"]
        scene.write_job(job_text("csv: out/o.csv", MENDED.replace("AS n", "AS m")))
        self.expect(2, scene.type("retry-rejects", "last"), "has other columns")
        self.expect(0, scene.type("abandon", "last"))
        scene.write_job(job_text('csv: out/o.csv, delimiter: ";"', MENDED))
        self.expect(2, scene.type("retry-rejects", run), "The `write:` of step")
        scene.write_job(job_text("csv: out/o.csv", MENDED))
        with open(scene.root / "out/o.csv", "a") as file:
            file.write("by hand")
        self.expect(2, scene.type("retry-rejects", run), "is not what run", "bytes instead of")

    def test_a_second_one_behind_one_that_was_given_up_with_rows_in_a_table(self):
        scene = self.mended("sqlite: w.db, table: t, mode: append")
        run = scene.type("status", "numbers", "--json").json["run"]
        self.retry(scene, code=1, fault="kill:seal-intended")
        self.expect(0, scene.type("abandon", "numbers", "--accept", "committed"))
        self.expect(2, scene.type("retry-rejects", run), "when it was given up")

    def test_a_step_that_reads_a_database(self):
        scene = self.scene("csv: out/o.csv")
        with sqlite3.connect(scene.root / "s.db") as connection:
            connection.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, text TEXT)")
            connection.executemany("INSERT INTO s VALUES (?, ?)", [(i, "x1" if i in BAD else "1") for i in range(ROWS)])
        scene.write_job(job_text("csv: out/o.csv").replace("csv: in.csv, columns: { id: bigint, text: varchar }",
                                                            "sqlite: s.db, table: s"))
        self.first_run(scene)
        self.expect(2, scene.type("retry-rejects", "last"), "from a database")


if __name__ == "__main__":
    unittest.main(verbosity=2)
