#!/usr/bin/env python3
"""What the exit code tells: 2 for all that is found before the first batch is dispatched, whatever found it, and 1 for what
comes behind that."""
import contextlib
import gzip
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import duckdb_file
import scene as scenes

NOBODY = "127.0.0.1:1"  # where nothing listens


def step(name, read, process="", write=None):
    return f"  - name: {name}\n    read: {{ {read} }}\n{process}    write: {{ {write or f'csv: {name}.csv'} }}\n"


class ExitCodes(scenes.Case):
    def scene(self, *steps):
        scene = scenes.Scene("job: codes\nsteps:\n" + "".join(steps))
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", "id,name\n" + "".join(f"{i},n{i}\n" for i in range(20_000)))
        packed = bytearray(gzip.compress((scene.root / "in.csv").read_bytes(), mtime=0))
        packed[len(packed) // 2] ^= 0xFF
        scene.write("damaged.csv.gz", bytes(packed))
        scene.write("cut.csv.gz", gzip.compress(b"id,name\n1,a\n")[:20])
        return scene

    def test_is_2_for_input_that_cannot_be_opened(self):
        missing = "    process:\n      - sql: SELECT batch.* FROM batch JOIN 'missing.csv' USING (id)\n"
        for sentence, one in {
            "is damaged": step("load", "csv: damaged.csv.gz"),
            "is cut off": step("load", "csv: cut.csv.gz, columns: { id: bigint, name: varchar }"),
            "missing.csv": step("load", "csv: in.csv", missing),
            "refused": step("load", f'postgres: "postgresql://u@{NOBODY}/d", table: t'),
            "can be run again": step("load", "csv: in.csv", write=f'postgres: "postgresql://u@{NOBODY}/d", table: t, mode: append'),
        }.items():
            with self.subTest(sentence):
                self.expect(2, self.scene(one).run(), sentence)

    def test_is_2_for_what_a_resume_finds_before_its_first_batch(self):
        scene = self.scene(step("first", "csv: in.csv"), step("second", "csv: late.csv"))
        scene.write("late.csv", "id\nx\n")
        scene.write_job(scene.job.read_text().replace("csv: late.csv", "csv: late.csv, columns: { id: bigint }"))
        self.expect(1, scene.run(), "late.csv")
        scene.write("late.csv", "other\n1\n")
        self.expect(2, scene.run())

    def test_is_4_where_another_process_has_the_database_for_itself(self):
        scene = self.scene(step("load", "csv: in.csv", write="duckdb: busy.duckdb, table: t, mode: append"))
        with duckdb_file.File(scene.root / "busy.duckdb"):
            self.expect(4, scene.run(), "Another process", "--wait 10m")
            waiting = scene.start_run("--wait", "10m")
            scenes.wait_until(lambda: (scene.state / "ledger.db").exists(), "the run begins")
        self.expect(0, scene.finish(waiting))
        scene = self.scene(step("load", "duckdb: busy.duckdb, table: t"))
        with duckdb_file.File(scene.root / "busy.duckdb"):
            self.expect(4, scene.run(), "Another process")
        scene = self.scene(step("load", "sqlite: busy.db, table: t, lock_wait: 100ms"))
        with contextlib.closing(sqlite3.connect(scene.root / "busy.db", isolation_level=None)) as database:
            database.execute("CREATE TABLE t (id INTEGER)")
            database.execute("BEGIN EXCLUSIVE")
            self.expect(4, scene.run(), "Another process")

    def test_is_1_behind_the_first_batch(self):
        scene = self.scene(step("first", "csv: in.csv"), step("second", "csv: damaged.csv.gz"))
        self.expect(1, scene.run(), "is damaged")
        scene = self.scene("  - name: told\n    exec: [\"true\"]\n", step("second", "csv: nowhere.csv"))
        self.expect(1, scene.run(), "nowhere.csv")
        scene = self.scene(step("load", "csv: late.csv.gz, columns: { id: bigint }", "    batch: { rows: 1000 }\n"))
        packed = bytearray(gzip.compress(b"id\n" + b"1\n" * 500_000, mtime=0))
        packed[-6] ^= 0xFF  # the checksum, which is looked at behind the last record
        scene.write("late.csv.gz", bytes(packed))
        self.expect(1, scene.run(), "is damaged")


if __name__ == "__main__":
    unittest.main()
