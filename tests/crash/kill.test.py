#!/usr/bin/env python3
"""kill -9 of the whole process group at random moments, then the same command: the output is that of a run that nobody
disturbed, to the byte and to the row, and the counts are equal.

The moments are drawn from a seed, which is printed; TRANCHE_SEED=<seed> draws the same ones again (the machine's own
timing differs, so a moment is one of commits, not of nanoseconds).
"""
import os
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kills
import postgres_server
import report
import scene as scenes

# What a run costs is its start and its batches: thirty of them, each a group, are as many moments as thousands.
RECORDS = int(os.environ.get("RECORDS", 75_000))
ROWS_A_BATCH = RECORDS // 30
PART_BYTES = "64KiB"
KILLS = int(os.environ.get("KILLS", 2))  # for each sink, a run each; `make torture` makes hundreds
KILLS_BY_TIME = (KILLS + 1) // 3  # at any moment, the start and the seal included; the others aim at the commits
BETWEEN_LEAST = KILLS // 2  # between the first commit and the seal
KILLS_OF_A_MODE = max(1, KILLS // 2)
WHOLE = KILLS > 2  # every point of every sink, not only where sinks differ
EVERY_SINK = ("csv", "parquet", "sqlite append", "postgres append")


def setUpModule():
    global SEED, folder, flights, server
    server = postgres_server.for_module()
    SEED = report.take_seed()
    folder = tempfile.TemporaryDirectory(prefix="tranche-kill-")
    flights = pathlib.Path(folder.name) / "flights.csv"
    scenes.cut_flights(flights, RECORDS)
    kills.damage(flights, 60, seed=1)
    kills.pack(flights)


def tearDownModule():
    folder.cleanup()


measures = {}


def undisturbed(sink):
    """Measured once a sink: (job, what an undisturbed run gives)."""
    if sink not in measures:
        job = kills.job_text(sink, flights, ROWS_A_BATCH, PART_BYTES)
        measures[sink] = (job, kills.Undisturbed(sink, job))
        print(f"{sink}: {measures[sink][1].groups} groups in {measures[sink][1].seconds:.1f} s undisturbed", flush=True)
    return measures[sink]


class Kills(unittest.TestCase):
    def disturb(self, sink, number, **how):
        job, expected = undisturbed(sink)
        draw = random.Random(f"{SEED}/{sink}/{number}")
        killed, wrong = kills.disturbed_run(sink, job, expected, draw, **how)
        print(f"{sink} {number}: killed " + "; then ".join(map(str, killed)), flush=True)
        self.assertEqual([], wrong, f"{sink}, kill {number}, seed {SEED}: {'; '.join(map(str, killed))}")
        return killed

    def many_kills(self, sink):
        self.assertGreaterEqual(undisturbed(sink)[1].groups, 30)
        between = number = 0
        # On a busy machine one comes too late now and then.
        while number < KILLS or (between < BETWEEN_LEAST and number < 3 * KILLS):
            between += self.disturb(sink, number, by_time=number < KILLS_BY_TIME)[0].between
            number += 1
        print(f"{sink}: {between} of {number} kills fell between the first commit and the seal", flush=True)
        self.assertGreaterEqual(between, BETWEEN_LEAST)

    def test_csv_is_the_same_after_many_kills(self):
        self.many_kills("csv")

    def test_parquet_is_the_same_after_many_kills(self):
        self.many_kills("parquet")

    def test_a_table_in_append_is_the_same_after_many_kills(self):
        self.many_kills("sqlite append")

    def test_a_table_of_postgres_in_append_is_the_same_after_many_kills(self):
        self.many_kills("postgres append")

    def test_compressed_csv_is_the_same_after_many_kills(self):
        self.many_kills("csv.gz")

    def test_compressed_json_lines_are_the_same_after_a_kill(self):
        self.disturb("jsonl.zst", 0)

    def test_json_lines_are_the_same_after_a_kill(self):
        self.disturb("jsonl", 0)

    def test_a_table_in_replace_is_the_same_after_a_kill(self):
        self.disturb("sqlite replace", 0)

    def test_a_table_in_upsert_is_the_same_after_a_kill(self):
        self.disturb("sqlite upsert", 0)

    def test_a_table_of_postgres_in_replace_is_the_same_after_kills(self):
        for number in range(KILLS_OF_A_MODE):
            self.disturb("postgres replace", number)

    def test_a_table_of_postgres_in_upsert_is_the_same_after_kills(self):
        for number in range(KILLS_OF_A_MODE):
            self.disturb("postgres upsert", number)

    def test_a_table_of_duckdb_in_append_is_the_same_after_many_kills(self):
        self.many_kills("duckdb append")

    def test_a_table_of_duckdb_in_replace_is_the_same_after_kills(self):
        for number in range(KILLS_OF_A_MODE):
            self.disturb("duckdb replace", number)

    def test_a_table_of_duckdb_in_upsert_is_the_same_after_kills(self):
        for number in range(KILLS_OF_A_MODE):
            self.disturb("duckdb upsert", number)


class Points(unittest.TestCase):
    """The moments that no random kill hits for certain."""

    def resume(self, scene, expected, where):
        done = scene.run()
        self.assertEqual(0, done.code, f"{where}\n{done}")
        self.assertEqual([], kills.differences(expected, scene, done), where)

    # The group dies while the engine can't get behind the point: inside the seal for certain.
    def kill_group_at(self, sink, point, phase):
        job, expected = undisturbed(sink)
        with scenes.Scene(job) as scene:
            kills.prepare_target(scene, sink)
            process = scene.start_run(fault=f"kill:{point}")
            watch = scene.watch()
            scenes.wait_until(lambda: process.poll() is not None or watch.look().phase == phase,
                              f"{sink} never came to {point}")
            watch.close()
            scenes.kill_group(process)
            process.communicate()
            state = scene.look()
            print(f"{sink}, {point}: killed {kills.Kill(state, expected.groups)}", flush=True)
            self.assertEqual(phase, state.phase)
            self.resume(scene, expected, f"{sink}, {point}")

    def test_the_group_dies_inside_the_seal(self):
        points = {"csv": ["seal-intended", "seal-done"],
                  "parquet": ["seal-intended", "seal-rename:7", "seal-manifest", "seal-done"],
                  "sqlite append": ["seal-done"],
                  "sqlite replace": ["seal-intended", "seal-done"],
                  "postgres replace": ["seal-intended", "seal-done"],
                  "duckdb append": ["seal-checkpoint"],
                  "duckdb replace": ["seal-intended", "seal-done"]}
        if WHOLE:
            tables = ["seal-intended", "seal-done"]
            points |= {"sqlite append": tables, "postgres append": tables,
                       "duckdb append": ["seal-intended", "seal-checkpoint", "seal-done"],
                       "duckdb replace": ["seal-intended", "seal-checkpoint", "seal-done"]}
        for sink, names in points.items():
            for point in names:
                with self.subTest(sink=sink, point=point):
                    self.kill_group_at(sink, point, "inside the seal")

    # As soon as the ledger says a word of the seal: what follows it is the file of rejects, the summary, the end.
    def test_the_group_dies_as_soon_as_it_seals_or_has_sealed(self):
        for sink in EVERY_SINK:
            job, expected = undisturbed(sink)
            for words in (("intended", "sealed"), ("sealed",)):
                with self.subTest(sink=sink, words=words), scenes.Scene(job) as scene:
                    kills.prepare_target(scene, sink)
                    process = scene.start_run()
                    watch = scene.watch()
                    scenes.wait_until(lambda: watch.look().seal in words or process.poll() is not None, "no seal", 120)
                    watch.close()
                    scenes.kill_group(process)
                    process.communicate()
                    kill = kills.Kill(scene.look(), expected.groups)
                    print(f"{sink}, aimed at {words[0]}: killed {kill}", flush=True)
                    self.resume(scene, expected, f"{sink}: {kill}")

    # The engine dies at the point, is started again and dies there again, until nothing is left to do in front of
    # the point, or three starts have brought nothing; then the run goes on without the fault.
    def test_the_engine_dies_at_every_point_of_a_commit(self):
        everywhere = ["applied", "staged", "committed", "recorded"]
        points = {"csv": everywhere, "parquet": ["part-written", "staged", "committed"], "sqlite append": everywhere,
                  "postgres append": ["committed"], "duckdb append": ["staged", "committed"]}
        if WHOLE:
            points |= {"parquet": ["part-written", *everywhere], "postgres append": everywhere, "duckdb append": everywhere}
            points |= {f"{system} {mode}": ["committed"] for system in ("sqlite", "duckdb") for mode in ("replace", "upsert")}
        for sink, names in points.items():
            for name in names:
                with self.subTest(sink=sink, point=name):
                    job, expected = undisturbed(sink)
                    # Twice at least, though seven groups behind it may share its commit.
                    point = f"{name}:{expected.groups // 3}"
                    with scenes.Scene(job) as scene:
                        kills.prepare_target(scene, sink)
                        done = scene.run(fault=f"kill:{point}")
                        self.assertIn(done.code, (0, 1), done)
                        starts = scene.ask_ledger(lambda db: db.execute("SELECT starts FROM runs").fetchone()[0])
                        print(f"{sink}, {point}: {starts} starts, exit code {done.code}", flush=True)
                        self.assertGreater(starts, 2, "no engine died at the point")
                        if done.code == 0:
                            self.assertEqual([], kills.differences(expected, scene, done))
                        else:
                            self.resume(scene, expected, f"{sink}, {point}")

    def test_a_crash_that_repeats_without_progress_fails_the_run_and_can_be_resumed(self):
        job, expected = undisturbed("csv")
        with scenes.Scene(job) as scene:
            scene.out.mkdir()
            done = scene.run(fault="kill:applied")
            self.assertEqual(1, done.code, done)
            self.assertIn("3 times without a commit", done.err)
            self.assertIn("SIGKILL", done.err)
            self.assertEqual(0, scene.look().commits)
            self.assertEqual("failed", scene.look().run_state)
            self.resume(scene, expected, "after three crashes")

    def test_an_engine_that_dies_behind_each_of_its_commits_still_gets_to_the_end(self):
        job, expected = undisturbed("csv")
        with scenes.Scene(job) as scene:
            scene.out.mkdir()
            done = scene.run(fault="kill:recorded")
            self.assertEqual(0, done.code, done)
            self.assertEqual([], kills.differences(expected, scene, done))

    # The same bytes and names would hide what was not taken back, so here others come, and fewer.
    def test_what_lies_behind_the_last_commit_is_taken_back_even_when_nothing_takes_its_place(self):
        job = """job: cut
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ a: integer }} }}
    batch: {{ rows: 10 }}
    process:
      - sql: SELECT a, a % 2 AS odd FROM batch WHERE a < {limit}
    write: {write}
"""
        for write in ("{ csv: out/o.csv }", "{ parquet: out/o, mode: append, partition_by: odd, part_size: 1B }"):
            with self.subTest(write=write), scenes.Scene(job.format(limit=1000, write=write)) as scene:
                scene.write("in.csv", "a\n" + "".join(f"{'bad' if i == 45 else i}\n" for i in range(100)))
                self.assertEqual(1, scene.run().code)
                self.assertEqual(1, scene.run("--max-rejects", "1", fault="kill:applied").code)
                self.assertEqual(4, scene.look().commits)
                committed = scene.ask_ledger(lambda db: db.execute("SELECT sum(bytes) FROM commits").fetchone()[0])
                written = sum(path.stat().st_size for path in scene.out.rglob("*.tmp"))
                self.assertGreater(written, committed + len("a,odd\n"), "nothing lies behind the last commit")
                scene.write_job(job.format(limit=40, write=write))
                done = scene.run("--max-rejects", "1", "--accept", "job")
                self.assertEqual(0, done.code, done)
                self.assertEqual(40, done.json["steps"][0]["written"])
                self.assertEqual([], scene.leavings())
                if "csv" in write:
                    rows = "".join(f"{i},{i % 2}\n" for i in range(40))
                    self.assertEqual("a,odd\n" + rows, (scene.out / "o.csv").read_text())
                else:
                    self.assertEqual(8, len(list(scene.out.rglob("*.parquet"))))

    def test_replace_of_a_folder_is_the_same_when_killed_while_old_parts_are_removed(self):
        job, _ = undisturbed("parquet")
        job = job.replace("mode: append", "mode: replace")

        def loaded_once(scene):
            kills.prepare_target(scene, "parquet")
            self.assertEqual(0, scene.run().code)

        with scenes.Scene(job) as scene:
            loaded_once(scene)
            self.assertEqual(0, scene.run().code)
            expected = kills.without_rejects_file(scene.output())
        with scenes.Scene(job) as scene:
            loaded_once(scene)
            self.assertEqual(1, scene.run(fault="kill:seal-remove:3").code)
            self.assertEqual("inside the seal", scene.look().phase)
            done = scene.run()
            self.assertEqual(0, done.code, done)
            self.assertEqual(expected, kills.without_rejects_file(scene.output()))
            self.assertEqual([], scene.leavings())


STEPS = """
  - name: again
    read: {{ csv: out/flights.csv, columns: {{ id: bigint, origin: varchar, is_late: boolean }}, extra_columns: ignore }}
    batch: {{ rows: {rows} }}
    write: {{ sqlite: out/late.db, table: late, mode: append }}
  - name: parts
    read: {{ csv: out/flights.csv, columns: {{ id: bigint, origin: varchar, is_late: boolean }}, extra_columns: ignore }}
    batch: {{ rows: {rows} }}
    write: {{ parquet: out/parts, mode: append, part_size: 256KiB }}
"""


TABLES = """job: tables
memory: 256MiB
steps:
  - name: into_sqlite
    read:
      csv: {input}
      columns: {{ date: timestamp, delay: integer, distance: integer, origin: varchar, destination: varchar }}
    batch: {{ rows: {rows} }}
    on_error: {{ max_rejects: 100000, rejects: out/rejects.jsonl }}
    write: {{ sqlite: out/flights.db, table: flights, mode: append }}
  - name: into_duckdb
    read: {{ sqlite: out/flights.db, table: flights }}
    batch: {{ rows: {rows} }}
    write: {{ duckdb: out/flights.duckdb, table: flights, mode: append }}
  - name: into_csv
    read: {{ duckdb: out/flights.duckdb, query: "SELECT * FROM flights WHERE delay > 0", key: distance }}
    batch: {{ rows: {rows} }}
    write: {{ csv: out/late.csv }}
"""


class Tables(unittest.TestCase):
    def test_tables_that_are_read_and_written_are_the_same_after_kills_at_any_time(self):
        job = TABLES.format(input=flights, rows=ROWS_A_BATCH)
        expected = kills.Undisturbed("csv", job)
        for number in range(KILLS):
            draw = random.Random(f"{SEED}/tables/{number}")
            killed, wrong = kills.disturbed_run("csv", job, expected, draw, by_time=True)
            print(f"tables {number}: killed {killed[0]}", flush=True)
            self.assertEqual([], wrong, f"kill {number}, seed {SEED}: {killed[0]}")


class SeveralSteps(unittest.TestCase):
    def test_a_job_of_three_steps_is_the_same_after_kills_at_any_time(self):
        job = kills.job_text("csv", flights, RECORDS // 15, PART_BYTES) + STEPS.format(rows=RECORDS // 15)
        expected = kills.Undisturbed("csv", job)
        self.assertEqual(3, len(expected.counts))
        for number in range(KILLS):
            draw = random.Random(f"{SEED}/steps/{number}")
            killed, wrong = kills.disturbed_run("csv", job, expected, draw, by_time=True)
            print(f"three steps {number}: killed {killed[0]}", flush=True)
            self.assertEqual([], wrong, f"kill {number}, seed {SEED}: {killed[0]}")


class OneProcess(unittest.TestCase):
    def test_a_killed_engine_is_started_again_and_the_run_completes_by_itself(self):
        for sink in EVERY_SINK:
            with self.subTest(sink=sink):
                job, expected = undisturbed(sink)
                with scenes.Scene(job) as scene:
                    kills.prepare_target(scene, sink)
                    process = scene.start_run()
                    watch = scene.watch()
                    scenes.wait_until(lambda: watch.look().commits >= 5, "no commits")
                    watch.close()
                    engine = kills.engine_of(process)
                    self.assertIsNotNone(engine, "the run was over before its engine could be killed")
                    kills.kill_process(engine)
                    done = scene.finish(process)
                    self.assertEqual(0, done.code, done)
                    self.assertGreater(done.json["steps"][0]["batches_resumed"], 0, "the engine was not killed")
                    self.assertEqual([], kills.differences(expected, scene, done))

    def test_a_killed_supervisor_takes_its_engine_along_and_the_same_command_goes_on(self):
        job, expected = undisturbed("sqlite append")
        with scenes.Scene(job) as scene:
            kills.prepare_target(scene, "sqlite append")
            process = scene.start_run()
            watch = scene.watch()
            scenes.wait_until(lambda: watch.look().commits >= 5, "no commits")
            watch.close()
            kills.kill_process(process.pid)
            process.communicate()
            done = scene.run()
            self.assertEqual(0, done.code, done)
            self.assertGreater(done.json["steps"][0]["batches_resumed"], 0, "the run was over already")
            self.assertEqual([], kills.differences(expected, scene, done))


if __name__ == "__main__":
    unittest.main(verbosity=2)
