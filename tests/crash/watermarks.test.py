#!/usr/bin/env python3
"""Increments of a table: how far the target was loaded stands in the target, so that a ledger that is lost, and a target
that was restored from a backup, neither double a row nor lose one."""
import pathlib
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import postgres_server
import scene as scenes

URL = f"${{env:{postgres_server.VARIABLE}}}"
KEEPS = ("sqlite: copy.db, table: t, mode: append", "duckdb: copy.duckdb, table: t, mode: append",
         f'postgres: "{URL}", table: t, mode: append', "parquet: copy, mode: append")
TABLES = KEEPS[:3]


def setUpModule():
    global server
    server = postgres_server.for_module()


class Watermarks(scenes.Case):
    def scene(self, write):
        postgres_server.clear()
        scene = scenes.Scene(f"""job: copy
steps:
  - name: load
    read: {{ sqlite: shop.db, table: sales, incremental: {{ column: id }} }}
    write: {{ {write} }}
""")
        self.addCleanup(scene.__exit__)
        self.sell(scene, 1, 100)
        return scene

    def sell(self, scene, first, last):
        with sqlite3.connect(scene.root / "shop.db") as shop:
            shop.execute("CREATE TABLE IF NOT EXISTS sales (id INTEGER PRIMARY KEY, what TEXT)")
            shop.executemany("INSERT INTO sales VALUES (?, 'x')", [(i,) for i in range(first, last + 1)])
        shop.close()

    def loaded(self, scene):
        """(rows, different ids, the last id) of the copy."""
        what = "count(*), count(DISTINCT id), max(id)"
        if (scene.root / "copy.db").exists():
            copy = sqlite3.connect(scene.root / "copy.db")
            found = copy.execute(f"SELECT {what} FROM t").fetchone()
            copy.close()
            return found
        if (scene.root / "copy.duckdb").exists():
            with duckdb_file.File(scene.root / "copy.duckdb") as copy:
                return tuple(map(int, copy.rows(f"SELECT {what} FROM t")[0]))
        if (scene.root / "copy").exists():
            with duckdb_file.File(":memory:") as files:
                return tuple(map(int, files.rows(f"SELECT {what} FROM '{scene.root}/copy/*.parquet'")[0]))
        return tuple(map(int, server.sql(f"SELECT {what} FROM t").split("|")))

    def run_and_expect(self, scene, *loaded):
        done = self.expect(0, scene.run())
        self.assertEqual(loaded, self.loaded(scene))
        return done

    def test_a_lost_ledger_doubles_nothing(self):
        for write in KEEPS:
            with self.subTest(write=write):
                scene = self.scene(write)
                self.run_and_expect(scene, 100, 100, 100)
                shutil.rmtree(scene.state)
                self.sell(scene, 101, 150)
                done = self.run_and_expect(scene, 150, 150, 150)
                self.assertEqual(50, done.json["steps"][0]["read"])
                self.assertEqual(['Step "load" reads from 101 on, which is how far its target was loaded; the ledger knows '
                                  'of no run.'], done.json["warnings"])
                self.run_and_expect(scene, 150, 150, 150)

    def test_a_target_of_yesterdays_backup_gets_all_that_it_lacks(self):
        for write in (KEEPS[0], KEEPS[1], KEEPS[3]):
            with self.subTest(write=write):
                scene = self.scene(write)
                self.run_and_expect(scene, 100, 100, 100)
                copy = next(path for path in scene.root.iterdir() if path.name.startswith("copy"))
                backup = scene.root / "backup"
                (shutil.copytree if copy.is_dir() else shutil.copy)(copy, backup)
                self.sell(scene, 101, 150)
                self.run_and_expect(scene, 150, 150, 150)
                (shutil.rmtree if copy.is_dir() else pathlib.Path.unlink)(copy)
                backup.rename(copy)
                self.sell(scene, 151, 160)
                done = self.run_and_expect(scene, 160, 160, 160)
                self.assertEqual(60, done.json["steps"][0]["read"])

    def test_a_record_of_commits_without_watermarks_gets_them(self):
        for write in TABLES:
            with self.subTest(write=write):
                scene = self.scene(write)
                increment = scene.job.read_text()
                scene.write_job(increment.replace(", incremental: { column: id }", "").replace("job: copy", "job: once"))
                self.run_and_expect(scene, 100, 100, 100)
                scene.write_job(increment.replace("table: t,", "table: u,"))
                self.expect(0, scene.run())
                shutil.rmtree(scene.state)
                done = self.expect(0, scene.run())
                self.assertEqual(0, done.json["steps"][0]["read"])

    def test_full_reads_all_and_goes_on_behind_it(self):
        scene = self.scene("sqlite: copy.db, table: t, mode: upsert, key: [id]")
        self.run_and_expect(scene, 100, 100, 100)
        self.sell(scene, 101, 110)
        done = self.expect(0, scene.run("--full"))
        self.assertEqual(110, done.json["steps"][0]["read"])
        shutil.rmtree(scene.state)
        self.assertEqual(0, self.expect(0, scene.run()).json["steps"][0]["read"])

    def test_another_job_and_other_parameters_have_watermarks_of_their_own(self):
        scene = self.scene(KEEPS[0])
        self.run_and_expect(scene, 100, 100, 100)
        scene.write_job(scene.job.read_text().replace("job: copy", "job: other").replace("table: t,", "table: u,"))
        self.assertEqual(100, self.expect(0, scene.run()).json["steps"][0]["read"])
        self.assertEqual((100, 100, 100), self.loaded(scene))

    def test_a_kill_around_the_seal_leaves_the_watermark_true(self):
        for write in KEEPS:
            for point in ("seal-intended", "seal-done"):
                with self.subTest(write=write, point=point):
                    scene = self.scene(write)
                    self.run_and_expect(scene, 100, 100, 100)
                    self.sell(scene, 101, 150)
                    scene.run(fault=f"kill:{point}")
                    self.run_and_expect(scene, 150, 150, 150)
                    shutil.rmtree(scene.state)
                    self.run_and_expect(scene, 150, 150, 150)


if __name__ == "__main__":
    unittest.main(verbosity=2)
