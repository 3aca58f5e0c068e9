#!/usr/bin/env python3
"""DuckDB's library is loaded by jobs that need it, and by no others: where it is missing they run, and the former say so."""
import ctypes
import os
import pathlib
import shutil
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

JOB = "job: sales\nsteps:\n  - name: load\n    read: { csv: in.csv }\n%s    write: { csv: out.csv }\n"


def is_on_the_system():
    try:
        ctypes.CDLL("libduckdb.so")
    except OSError:
        return False
    return True


class WithoutDuckDB(scenes.Case):
    def setUp(self):
        self.scene = scenes.Scene("")
        self.addCleanup(self.scene.__exit__)
        alone = self.scene.root / "alone"
        alone.mkdir()
        shutil.copy(os.environ["TRANCHE_BIN"], alone / "tranche")
        patched = mock.patch.object(scenes, "TRANCHE", alone / "tranche")
        patched.start()
        self.addCleanup(patched.stop)
        self.scene.write("in.csv", "id,v\n1,a\n2,b\n")

    def test_a_job_without_sql_runs(self):
        self.scene.write_job(JOB % "")
        self.expect(0, self.scene.run())
        self.assertEqual("id,v\n1,a\n2,b\n", (self.scene.root / "out.csv").read_text())

    @unittest.skipIf(is_on_the_system(), "the system has a libduckdb")
    def test_one_with_sql_says_what_is_missing_and_writes_nothing(self):
        self.scene.write_job(JOB % "    process:\n      - sql: SELECT id FROM batch\n")
        self.expect(2, self.scene.run(), "DuckDB's library can't be loaded", "libduckdb.so", "Put it beside Tranche")
        self.assertFalse((self.scene.root / "out.csv").exists())


if __name__ == "__main__":
    unittest.main()
