#!/usr/bin/env python3
"""What a person reads when something is wrong: one clear sentence, the right exit code, and nothing half-written
under the final name. Names the command in TRANCHE_BIN."""
import fcntl
import os
import pathlib
import re
import sqlite3
import subprocess
import tempfile
import textwrap
import unittest

TRANCHE = os.environ.get(
    "TRANCHE_BIN", str(pathlib.Path(__file__).resolve().parents[2] / "build" / "tranche"))

NOBODY = 65534

COPY = """
    job: copy
    steps:
      - name: copy
        read: { csv: in.csv, columns: { id: bigint, name: varchar } }
        write: { csv: out/copy.csv }
"""


class Messages(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="tranche-messages-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.write("in.csv", "id,name\n1,one\n2,two\n")
        self.write("job.yaml", COPY)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def tranche(self, *arguments, **options):
        environment = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8")
        environment.pop("TRANCHE_STATE", None)
        return subprocess.run([TRANCHE, *arguments], cwd=self.folder, env=environment, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)

    def fails(self, code, *parts, arguments=("run", "job.yaml"), errors=1, **options):
        """Runs, expects the code, and that each part is in what was said, in this order."""
        done = self.tranche(*arguments, **options)
        said = done.stderr
        self.assertEqual(code, done.returncode, said + done.stdout)
        at = 0
        for part in parts:
            found = said.find(part, at)
            self.assertGreaterEqual(found, 0, f"{part!r} is not in, or not at its place in:\n{said}")
            at = found + len(part)
        for noise in ("terminate called", "what():", "Traceback", "std::", "nullptr"):
            self.assertNotIn(noise, said)
        sentences = [line for line in said.splitlines() if line.startswith("Error:") or
                     re.match(r"\S+\.yaml:\d+:\d+: ", line)]
        self.assertGreaterEqual(len(sentences), errors, said)
        for sentence in sentences:
            self.assertRegex(sentence, r"[.?]$", said)
        return said

    def nothing_written(self, name="out/copy.csv"):
        self.assertFalse((self.folder / name).exists(), f"{name} is there, though the run failed")

    # Input

    def test_a_missing_file_is_named(self):
        (self.folder / "in.csv").unlink()
        self.fails(2, "in.csv")
        self.nothing_written()
        self.assertFalse((self.folder / "out").exists())

    def test_a_glob_without_a_match_is_named(self):
        self.write("job.yaml", COPY.replace("in.csv", '"data/*.csv"'))
        self.fails(2, "data/*.csv")

    def test_a_folder_in_place_of_a_file_is_named(self):
        (self.folder / "in.csv").unlink()
        (self.folder / "in.csv").mkdir()
        self.fails(2, "in.csv", "folder")

    def as_nobody(self):
        """Root may read everything, so as root the command runs as nobody, where that can run it."""
        if os.geteuid() != 0:
            return {}
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        try:
            done = self.tranche("version", user=NOBODY, group=NOBODY)
        except OSError as error:
            self.skipTest(f"nobody can't run {TRANCHE}: {error.strerror}")
        if done.returncode != 0:
            self.skipTest(f"nobody can't run {TRANCHE}: {done.stderr.strip()}")
        return {"user": NOBODY, "group": NOBODY}

    def test_an_unreadable_folder_is_named(self):
        (self.folder / "data").mkdir()
        (self.folder / "in.csv").rename(self.folder / "data" / "in.csv")
        for where in ("data/in.csv", '"data/*.csv"'):
            self.write("job.yaml", COPY.replace("in.csv", where))
            (self.folder / "data").chmod(0)
            self.fails(2, "data", "ermission denied", **self.as_nobody())
            self.nothing_written()

    def test_an_output_folder_that_may_not_be_written_is_named(self):
        (self.folder / "out").mkdir()
        (self.folder / "out").chmod(0o555)
        for write in ("csv: out/copy.csv", "parquet: out, mode: append",
                      "sqlite: out/copy.db, table: t, mode: append"):
            self.write("job.yaml", COPY.replace("csv: out/copy.csv", write))
            self.fails(2, "out", "ermission", **self.as_nobody())
            self.assertEqual([], list((self.folder / "out").iterdir()))

    def test_a_file_that_is_no_parquet_is_named(self):
        self.write("job.yaml", """
            job: copy
            steps:
              - name: copy
                read: { parquet: in.csv }
                write: { csv: out/copy.csv }
        """)
        self.fails(2, "in.csv", "Parquet")
        self.nothing_written()

    def test_a_damaged_parquet_file_fails_the_run(self):
        self.write("make.yaml", """
            job: make
            steps:
              - name: make
                read: { csv: in.csv, columns: { id: bigint, name: varchar } }
                write: { parquet: parts, mode: append }
        """)
        self.assertEqual(0, self.tranche("run", "make.yaml").returncode)
        part = next((self.folder / "parts").glob("*.parquet"))
        content = bytearray(part.read_bytes())
        content[8:40] = bytes(32)
        part.write_bytes(content)
        self.write("job.yaml", """
            job: copy
            steps:
              - name: copy
                read: { parquet: parts/*.parquet }
                write: { csv: out/copy.csv }
        """)
        self.fails(1, part.name)
        self.nothing_written()

    def test_a_header_without_an_expected_column_is_explained(self):
        self.write("in.csv", "id,nmae\n1,one\n")
        self.fails(2, "in.csv", "name")
        self.nothing_written()

    def test_the_first_bad_record_is_shown_with_its_place(self):
        self.write("in.csv", "id,name\n1,one\nx,two\n")
        said = self.fails(1, "in.csv", "line 3", "byte 14", '"id"', '"x"', "bigint")
        self.assertIn("x,two", said)
        self.assertIn("tranche run job.yaml", said.replace(TRANCHE, "tranche"))
        self.nothing_written()

    # The job file

    def test_every_error_of_a_job_file_is_told_at_once(self):
        self.write("job.yaml", """
            job: copy
            stepz: 1
            steps:
              - name: copy
                read: { csv: in.csv, columns: { id: bigin } }
                batch: { rows: many }
                write: { cvs: out/copy.csv }
        """)
        said = self.fails(2, "job.yaml:3:", "job.yaml:6:", "job.yaml:7:", "job.yaml:8:", errors=4)
        self.assertIn('did you mean "steps"?', said)
        self.assertIn('did you mean "bigint"?', said)
        self.assertIn('did you mean "csv"?', said)
        self.assertFalse((self.folder / ".tranche").exists(), "state was made for a wrong job")

    def test_broken_yaml_has_a_place(self):
        self.write("job.yaml", "job: copy\nsteps: [\n  - name: x\n")
        self.fails(2, "job.yaml:")

    def test_a_missing_job_file_is_named(self):
        self.fails(2, "nowhere.yaml", arguments=("run", "nowhere.yaml"))

    def test_an_unknown_column_in_sql_has_a_place_and_the_columns_that_there_are(self):
        self.write("job.yaml", """
            job: copy
            steps:
              - name: copy
                read: { csv: in.csv, columns: { id: bigint, name: varchar } }
                process:
                  - sql: SELECT id, nmae FROM batch
                write: { csv: out/copy.csv }
        """)
        said = self.fails(2, "job.yaml:", "nmae")
        self.assertIn("name", said)
        self.nothing_written()

    def test_an_aggregate_over_batch_is_refused_with_the_way_out(self):
        self.write("job.yaml", """
            job: copy
            steps:
              - name: copy
                read: { csv: in.csv, columns: { id: bigint, name: varchar } }
                process:
                  - sql: SELECT sum(id) AS total FROM batch
                write: { csv: out/copy.csv }
        """)
        self.fails(2, "job.yaml:", "per_batch")

    # Parameters

    def with_parameter(self):
        self.write("job.yaml", "params: { day: date }\n" + textwrap.dedent(COPY))

    def test_a_parameter_of_the_wrong_type_is_named_with_its_type(self):
        self.with_parameter()
        self.fails(2, "day", "yesterday", "date", arguments=("run", "job.yaml", "-p", "day=yesterday"))

    def test_a_missing_parameter_is_named(self):
        self.with_parameter()
        self.fails(2, "day")

    def test_an_unknown_parameter_gets_a_suggestion(self):
        self.with_parameter()
        self.fails(2, "dya", 'did you mean "day"?',
                   arguments=("run", "job.yaml", "-p", "day=2026-01-01", "-p", "dya=2026-01-01"))

    # Targets

    def test_a_table_of_another_shape_is_compared(self):
        self.write("job.yaml", """
            job: copy
            steps:
              - name: copy
                read: { csv: in.csv, columns: { id: bigint, name: varchar } }
                write: { sqlite: out.db, table: items, mode: append }
        """)
        with sqlite3.connect(self.folder / "out.db") as database:
            database.execute("CREATE TABLE items (id INTEGER, price REAL)")
        self.fails(2, "items", "name")
        with sqlite3.connect(self.folder / "out.db") as database:
            self.assertEqual(0, database.execute("SELECT count(*) FROM items").fetchone()[0])
            tables = database.execute("SELECT name FROM sqlite_schema").fetchall()
            self.assertEqual([("items",)], tables)

    def test_a_file_that_is_no_database_is_named(self):
        self.write("out.db", "this is no database, however long one looks at it\n" * 20)
        self.write("job.yaml", """
            job: copy
            steps:
              - name: copy
                read: { csv: in.csv, columns: { id: bigint, name: varchar } }
                write: { sqlite: out.db, table: items, mode: append }
        """)
        self.fails(2, "out.db")

    def test_a_folder_in_the_place_of_the_output_is_named(self):
        (self.folder / "out" / "copy.csv").mkdir(parents=True)
        self.fails(2, "out/copy.csv", "folder")

    def test_a_file_in_the_place_of_the_output_folder_is_named(self):
        self.write("out", "a file\n")
        self.fails(2, "out")

    def test_a_full_disk_fails_the_run_and_space_lets_it_go_on(self):
        if os.geteuid() != 0:
            self.skipTest("only root mounts a small file system")
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)
        self.write("in.csv", "id,name\n" + "".join(f"{i},{'x' * 90}\n" for i in range(30000)))
        self.write("job.yaml", COPY.replace("out/copy.csv", "disk/copy.csv"))
        self.fails(1, "disk/copy.csv", "No space left on device")
        self.nothing_written("disk/copy.csv")
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        done = self.tranche("run", "job.yaml")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual((self.folder / "in.csv").read_bytes(), (disk / "copy.csv").read_bytes())

    # Runs

    def test_two_job_files_of_one_name_are_an_error(self):
        self.assertEqual(0, self.tranche("run", "job.yaml").returncode)
        self.write("other.yaml", COPY.replace("out/copy.csv", "out/other.csv"))
        self.fails(2, "copy", "job.yaml", "other.yaml", arguments=("run", "other.yaml"))
        self.nothing_written("out/other.csv")

    def hold(self, name):
        """Holds a lock of the state folder as a living run would."""
        path = self.folder / ".tranche" / "locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")
        self.addCleanup(file.close)
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def test_a_busy_job_and_a_busy_target_say_who_holds_them(self):
        self.assertEqual(0, self.tranche("run", "job.yaml").returncode)
        locks = sorted(p.name for p in (self.folder / ".tranche" / "locks").glob("*.lock"))
        target = [name for name in locks if name.startswith("target-")]
        job = [name for name in locks if not name.startswith("target-")]
        self.assertEqual((1, 1), (len(target), len(job)), locks)
        held = self.hold(job[0])
        self.fails(4, "copy", "--wait")
        held.close()
        held = self.hold(target[0])
        self.fails(4, "out/copy.csv", "--wait")
        held.close()
        self.assertEqual(0, self.tranche("run", "job.yaml").returncode)

    def test_commands_about_runs_say_when_there_is_none(self):
        for command in ("status", "rejects", "verify", "resume", "stop", "abandon"):
            self.fails(2, arguments=(command, "last"))

    def test_an_unknown_command_and_an_unknown_option_get_a_suggestion(self):
        self.fails(2, 'did you mean "run"', arguments=("rum", "job.yaml"), errors=0)
        self.fails(2, "--fresh", arguments=("run", "job.yaml", "--frehs"), errors=0)


if __name__ == "__main__":
    if not os.access(TRANCHE, os.X_OK):
        raise SystemExit(f"messages.test.py: there is no {TRANCHE}; name the command in TRANCHE_BIN")
    unittest.main(verbosity=2)
