#!/usr/bin/env python3
"""A folder into which files drop: each is loaded once, however often the job runs, whatever happens on the way."""
import gzip
import os
import pathlib
import random
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes


def job_text(increment="files: true", more="", mode="append", read="csv: in/*.csv", max_rejects=0):
    return f"""job: drops
steps:
  - name: load
    read: {{ {read}, columns: {{ id: bigint, v: varchar }}, incremental: {{ {increment} }}{more} }}
    batch: {{ rows: 50 }}
    on_error: {{ max_rejects: {max_rejects} }}
    write: {{ sqlite: out/o.db, table: t, mode: {mode} }}
"""


class Case(scenes.Case):
    def scene(self, *args, **named):
        made = scenes.Scene(job_text(*args, **named), workers="2")
        self.addCleanup(made.__exit__)
        (made.root / "in").mkdir()
        return made

    def drop(self, scene, name, first, count, tail="", age=3600):
        text = "id,v\n" + "".join(f"{i},v{i}\n" for i in range(first, first + count)) + tail
        path = scene.write(f"in/{name}", gzip.compress(text.encode()) if name.endswith(".gz") else text)
        then = time.time() - age
        os.utime(path, (then, then))
        return path

    def ids(self, scene):
        if not (scene.out / "o.db").exists():
            return []
        connection = sqlite3.connect(scene.out / "o.db")
        try:
            return [row[0] for row in connection.execute("SELECT id FROM t ORDER BY rowid")]
        finally:
            connection.close()

    def read(self, done):
        return done.json["steps"][0]["read"]


class Files(Case):
    def test_each_file_is_loaded_once(self):
        scene = self.scene()
        self.expect(0, scene.type("check", scene.job), "is not there yet")
        self.expect(0, scene.run())  # there is none yet
        self.expect(0, scene.type("verify", "last", "--state", scene.state))
        self.drop(scene, "a.csv", 0, 100)
        self.assertEqual(100, self.read(self.expect(0, scene.run())))
        self.assertEqual(0, self.read(self.expect(0, scene.run())))
        self.drop(scene, "b.csv", 100, 10)
        self.drop(scene, "0.csv", 110, 10)
        self.assertEqual(20, self.read(self.expect(0, scene.run())))
        self.assertEqual(list(range(100)) + list(range(110, 120)) + list(range(100, 110)), self.ids(scene))
        self.assertEqual(120, self.read(self.expect(0, scene.run("--full"))))
        self.assertEqual(0, self.read(self.expect(0, scene.run())))

    def test_a_plain_path_that_is_missing_is_still_a_mistake(self):
        scene = self.scene(read="csv: in/a.csv")
        self.expect(2, scene.run(), "No such file", "in/a.csv")

    def test_the_same_bytes_under_another_name_are_not_loaded_and_said(self):
        scene = self.scene()
        self.drop(scene, "a.csv", 0, 100)
        self.drop(scene, "a2.csv", 0, 100)
        self.expect(0, scene.run(), "in/a2.csv holds the same bytes as in/a.csv")
        self.drop(scene, "again.csv", 0, 100)
        self.drop(scene, "as-long.csv", 100, 10)
        self.expect(0, scene.run(), "in/again.csv holds the same bytes as in/a.csv")
        self.assertEqual(list(range(110)), self.ids(scene))

    def test_a_file_that_is_touched_only_is_not_loaded_again(self):
        scene = self.scene()
        path = self.drop(scene, "a.csv", 0, 100)
        self.expect(0, scene.run())
        os.utime(path)
        self.assertEqual(0, self.read(self.expect(0, scene.run())))

    def test_a_file_that_changed_is_refused_loaded_anew_or_left_alone_as_told(self):
        for told, ids in (("fail", None), ("reload", list(range(100)) + list(range(120))), ("ignore", list(range(100)))):
            with self.subTest(told):
                scene = self.scene(f"files: true, changed: {told}")
                self.drop(scene, "a.csv", 0, 100)
                self.expect(0, scene.run())
                self.drop(scene, "a.csv", 0, 120, age=1800)
                if ids is None:
                    self.expect(2, scene.run(), "in/a.csv was loaded by an earlier run", "changed: reload")
                else:
                    self.expect(0, scene.run())
                    self.expect(0, scene.run())
                    self.assertEqual(ids, self.ids(scene))

    def test_a_file_that_is_still_written_waits_for_the_next_run(self):
        scene = self.scene("files: true, settle: 60s")
        self.drop(scene, "a.csv", 0, 10)
        self.drop(scene, "growing.csv", 10, 10, age=5)
        self.expect(0, scene.run(), "growing.csv", "left to the next run")
        self.assertEqual(list(range(10)), self.ids(scene))
        self.drop(scene, "growing.csv", 10, 25, age=90)
        self.expect(0, scene.run())
        self.assertEqual(list(range(35)), self.ids(scene))

    def test_files_are_moved_when_all_of_them_are_loaded(self):
        scene = self.scene(more=", on_done: { move: archive/2026 }")
        self.drop(scene, "a.csv", 0, 10)
        self.drop(scene, "b.csv", 10, 10)
        self.expect(0, scene.run())
        self.drop(scene, "a.csv", 20, 10)  # the same name again
        self.expect(2, scene.run(), "was loaded by an earlier run")
        scene.write_job(job_text("files: true, changed: reload", ", on_done: { move: archive/2026 }"))
        self.expect(0, scene.run())
        self.assertEqual(["a.csv", "a.csv.1", "b.csv"], sorted(p.name for p in (scene.root / "archive/2026").iterdir()))
        self.assertEqual([], list((scene.root / "in").iterdir()))
        self.assertEqual(list(range(30)), self.ids(scene))

    def test_a_run_that_is_killed_loads_what_it_began_with_and_then_the_rest(self):
        scene = self.scene(more=", on_done: { move: archive }")
        self.drop(scene, "a.csv", 0, 200)
        for point in ("committed:2", "seal-done", "recorded:4"):
            with self.subTest(point):
                before = len(self.ids(scene))
                name = f"{point.replace(':', '-')}.csv"
                self.drop(scene, name, 1000 + before, 100)
                process = scene.start_run(fault=f"kill:{point}")
                scene.finish(process)
                self.expect(0, scene.run())
                self.assertEqual(sorted(set(self.ids(scene))), sorted(self.ids(scene)))
                self.assertEqual([], list((scene.root / "in").iterdir()))

    def test_it_goes_with_a_table_that_grows_and_not_with_one_that_is_replaced(self):
        self.expect(2, self.scene(mode="replace").run(), "mode: append or upsert")


class Month(Case):
    def test_thirty_days_of_drops_lose_and_double_nothing(self):
        """Late files, doubles under other names, files cut off, files that grow between two looks, killed runs."""
        chance = random.Random(20261126)
        scene = self.scene("files: true, settle: 30s", max_rejects="100%", read="csv: ['in/*.csv', 'in/*.csv.gz']")
        wanted, late, cut_off, doubles, next_id = [], [], 0, 0, 0
        for day in range(30):
            for part in range(chance.randint(0, 3)):
                count = chance.randint(1, 120)
                name = f"{day:02}-{part}.csv" + chance.choice(["", "", ".gz"])
                kind = chance.random()
                if kind < 0.2:  # comes days later
                    late.append((day + chance.randint(1, 4), name, next_id, count))
                elif kind < 0.35 and not name.endswith(".gz"):  # the last line has lost its end
                    self.drop(scene, name, next_id, count, tail="not a")
                    cut_off += 1
                else:
                    self.drop(scene, name, next_id, count)
                wanted += range(next_id, next_id + count)
                next_id += count
            for entry in [one for one in late if one[0] <= day or day == 29]:
                late.remove(entry)
                self.drop(scene, *entry[1:])
            loaded = [p for p in sorted((scene.root / "in").iterdir()) if p.suffix == ".csv"]
            if loaded and chance.random() < 0.3:
                copy = scene.root / "in" / f"copy-{day}.csv"
                copy.write_bytes(chance.choice(loaded).read_bytes())
                os.utime(copy, (time.time() - 3600,) * 2)
                doubles += 1
            growing = None
            if chance.random() < 0.3:  # somebody is still at it: it is whole the next day
                growing = (f"grows-{day}.csv", next_id, 40)
                self.drop(scene, growing[0], next_id, 7, age=1)
                wanted += range(next_id, next_id + 40)
                next_id += 40
            if chance.random() < 0.3:
                scene.finish(scene.start_run(fault=f"kill:committed:{chance.randint(1, 3)}"))
            self.expect(0, scene.run())
            if growing:
                self.drop(scene, *growing)
        self.expect(0, scene.run())
        self.assertEqual(wanted, sorted(self.ids(scene)))
        self.assertGreater(cut_off, 0)
        self.assertGreater(doubles, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
