#!/usr/bin/env python3
"""Batches of a day over thirty days: a run that is killed in the middle of a day goes on with that day, and its output
is that of an undisturbed run, whoever works."""
import datetime
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

DAYS, RECORDS_A_DAY, DAY_OF_THE_KILL = 30, 4_000, 17
ATTEMPTS = 10  # to hit that day: the machine may be slow, or quick


def input_text():
    """Some records have no time, some come late, some have a time that is none."""
    lines = ["id,sold_at,name"]
    first = datetime.datetime(2026, 10, 1)
    for i in range(DAYS * RECORDS_A_DAY):
        day, number = divmod(i, RECORDS_A_DAY)
        at = first + datetime.timedelta(days=day, seconds=number * 21)
        time = at.isoformat()
        if number % 401 == 7:
            time = ""
        elif number % 997 == 9:
            time = "some day"
        elif number % 499 == 11 and day > 0:
            time = (at - datetime.timedelta(days=1)).isoformat()
        lines.append(f"{i},{time},{'n' * (i * 7 % 60)}")
    return "\n".join(lines) + "\n"


INPUT = input_text()


def job_text(write, late="keep"):
    return f"""job: days
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint, sold_at: timestamp, name: varchar }} }}
    batch: {{ every: 1 day, on: sold_at, late: {late} }}
    on_error: {{ max_rejects: 100000 }}
    process:
      - sql: SELECT id, sold_at, md5(name || id) AS digest, count(*) OVER () AS of_the_day FROM batch
        per_batch: true
    write: {write}
"""


WRITES = ["{ csv: out/o.csv }", "{ parquet: out/o, mode: append, part_size: 1B }"]


def new_scene(job, workers):
    scene = scenes.Scene(job, workers)
    scene.write("in.csv", INPUT)
    return scene


def seen_after(scene, done):
    assert done.code == 0, done
    return scene.output(), scenes.counts_of(done), scene.rejects()


def undisturbed(job, workers=2):
    with new_scene(job, workers) as scene:
        return seen_after(scene, scene.run())


class Windows(unittest.TestCase):
    maxDiff = 2000

    def kill_in_the_middle(self, job):
        """Gives a scene that died with all days before the seventeenth committed, and no more."""
        for _ in range(ATTEMPTS):
            scene = new_scene(job, 1)
            process = scene.start_run()
            watch = scene.watch()
            scenes.wait_until(lambda: watch.look().commits >= DAY_OF_THE_KILL - 1 or process.poll() is not None,
                              f"day {DAY_OF_THE_KILL} never came")
            scenes.kill_group(process)
            watch.close()
            process.communicate()
            if scene.look().commits == DAY_OF_THE_KILL - 1:
                return scene
            scene.__exit__()
        self.skipTest(f"no kill hit day {DAY_OF_THE_KILL} in {ATTEMPTS} attempts")

    def test_a_run_that_is_killed_in_a_day_goes_on_with_it(self):
        for write in WRITES:
            job = job_text(write)
            expected = undisturbed(job)
            with self.subTest(write=write), self.kill_in_the_middle(job) as scene:
                done = scene.run()
                self.assertEqual(expected, seen_after(scene, done), done)
                step = done.json["steps"][0]
                self.assertEqual((DAYS, DAY_OF_THE_KILL - 1), (step["batches"], step["batches_resumed"]))
                self.assertEqual([], scene.leavings())

    def test_the_output_is_the_same_whoever_works(self):
        for late in ("keep", "reject"):
            job = job_text(WRITES[1], late)
            expected = undisturbed(job, 1)
            for workers in (2, 3, 7, "{ processes: 2 }"):
                with self.subTest(late=late, workers=workers):
                    self.assertEqual(expected, undisturbed(job, workers))


if __name__ == "__main__":
    unittest.main(verbosity=2)
