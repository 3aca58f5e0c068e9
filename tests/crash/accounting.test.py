#!/usr/bin/env python3
"""A record that gets lost on the way fails the run with the name of the stage that lost it, in front of the commit; the
run after it, without the fault, completes.
"""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 4_000
JOB = """job: counted
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ a: integer, b: varchar }} }}
    batch: {{ rows: 1000 }}
    on_error: {{ max_rejects: 100 }}
    process:
      - sql: SELECT a, b, a % 2 AS odd FROM batch
    write: {write}
"""
WRITES = {
    "csv": "{ csv: out/o.csv }",
    "parquet": "{ parquet: out/o, mode: append, part_size: 1KiB }",
    "parquet partitioned": "{ parquet: out/o, mode: append, partition_by: odd, part_size: 1KiB }",
    "sqlite append": "{ sqlite: out/o.db, table: t, mode: append }",
    "sqlite replace": "{ sqlite: out/o.db, table: t, mode: replace }",
    "sqlite upsert": "{ sqlite: out/o.db, table: t, mode: upsert, key: a }",
}
STAGES = {"parse": "read", "sql": "sql", "encode": "encode", "sink": "write"}  # what is broken -> what must be named


def input_text():
    return "a,b\n" + "".join("wrong,y\n" if i % 777 == 5 else f"{i},text {i}\n" for i in range(RECORDS))


def new_scene(sink):
    scene = scenes.Scene(JOB.format(write=WRITES[sink]), workers=1)
    scene.write("in.csv", input_text())
    return scene


class Accounting(unittest.TestCase):
    def lose(self, sink, fault, stage, expected):
        with new_scene(sink) as scene:
            done = scene.run(fault=f"drop:{fault}")
            self.assertEqual(1, done.code, done)
            self.assertIn(f'stage "{stage}"', done.json["error"]["message"], done)
            self.assertEqual(0, scene.look().commits, "the first group lost a record, and was committed")
            self.assertEqual("failed", scene.look().run_state)
            self.assertEqual([], rows_in_sight(scene), "something of the group is in the output")
            again = scene.run()
            self.assertEqual(0, again.code, again)
            self.assertEqual(expected, (scene.output(), scenes.counts_of(again), scene.rejects()))
            self.assertEqual([], scene.leavings())

    def test_a_lost_record_fails_the_run_with_the_name_of_the_stage(self):
        for sink in WRITES:
            with new_scene(sink) as scene:
                done = scene.run()
                self.assertEqual(0, done.code, done)
                expected = (scene.output(), scenes.counts_of(done), scene.rejects())
            for fault, stage in STAGES.items():
                with self.subTest(sink=sink, fault=fault):
                    self.lose(sink, fault, stage, expected)


def rows_in_sight(scene):
    """What a reader would find: final files, and tables that have rows."""
    found = []
    for path in scene.out.rglob("*"):
        if path.suffix == ".db":
            found += [name for name, content in scenes.read_tables(path).items() if not content.startswith("0 rows")]
        elif path.is_file() and not path.name.endswith(".tmp"):
            found.append(path.name)
    return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
