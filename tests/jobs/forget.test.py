#!/usr/bin/env python3
"""Retention: what nobody needs goes, what increments, retries and schedules need stays."""
import datetime
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(ago):
    return str(TODAY - datetime.timedelta(days=ago))


SCHEDULED = f"""job: nightly
params: {{ day: {{ type: date, default: window_start }} }}
schedule: {{ every: 1 day, from: {day(5)} }}
steps:
  - name: load
    read: {{ csv: "in-${{day}}.csv", columns: {{ id: integer }} }}
    on_error: {{ max_rejects: 5 }}
    write: {{ sqlite: out/o.db, table: t, mode: append }}
"""
PLAIN = """job: plain
steps:
  - name: load
    read: { csv: "in-*.csv", columns: { id: integer }MORE }
    on_error: { max_rejects: 5 }
    write: { WRITE }
"""


class Forget(unittest.TestCase):
    def scene(self, job):
        scene = scenes.Scene(job)
        self.addCleanup(scene.__exit__)
        scene.out.mkdir()
        for ago in range(6):
            scene.write(f"in-{day(ago)}.csv", f"id\n{ago}\n")
        return scene

    def expect(self, code, done, *words):
        self.assertEqual(code, done.code, done)
        for word in words:
            self.assertIn(word, done.err + done.out)
        return done

    def forget(self, scene, *more):
        return self.expect(0, scene.type("forget", "--older-than", "0s", "--state", scene.state, "--json", *more)).json

    def count(self, scene, table):
        return scene.ask_ledger(lambda ledger: ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def rows(self, scene):
        with scenes.open_to_read(scene.out / "o.db") as database:
            return [row[0] for row in database.execute("SELECT id FROM t ORDER BY id")]

    def test_windows_that_are_done_stay_done_in_one_row(self):
        scene = self.scene(SCHEDULED)
        self.expect(0, scene.run("--due"))
        self.assertEqual([], self.forget(scene, "--older-than", "1d")["runs"])
        listed = self.forget(scene, "--dry-run")["runs"]
        self.assertEqual((4, 5), (len(listed), self.count(scene, "runs")))
        done = self.forget(scene)
        self.assertEqual(listed, done["runs"])
        self.assertLess(done["bytes_after"], done["bytes_before"])
        self.assertEqual((1, 1), (self.count(scene, "runs"), self.count(scene, "windows_forgotten")))
        self.assertEqual(1, len(list((scene.state / "runs").iterdir())))
        windows = json.loads(scene.type("windows", scene.job, "--json").out)["windows"]
        self.assertEqual(["done"] * 5, [window["state"] for window in windows])
        self.expect(0, scene.run("--window", day(3)), "is done; nothing was done now")
        self.expect(0, scene.run("--due"), "No window of nightly is missing")
        self.assertEqual([1, 2, 3, 4, 5], self.rows(scene))

    def test_rejects_that_nobody_has_processed_again_stay(self):
        scene = self.scene(SCHEDULED)
        scene.write(f"in-{day(4)}.csv", "id\n4\nx\n")
        self.expect(0, scene.run("--due"))
        kept = self.forget(scene)
        self.assertEqual((3, 1), (len(kept["runs"]), kept["kept_rejects"]))
        with_rejects = scene.ask_ledger(lambda ledger: ledger.execute(
            "SELECT runs.id FROM staged JOIN steps ON steps.number = staged.step JOIN runs ON runs.number = steps.run "
            "WHERE rejects > 0").fetchone()[0])
        self.expect(0, scene.type("retry-rejects", with_rejects, "--state", scene.state, "--max-rejects", "1"))
        self.expect(0, scene.run("--window", day(1), "--again"))
        done = self.forget(scene)
        self.assertIn(with_rejects, [one["run"] for one in done["runs"]])
        self.assertEqual(1, done["kept_rejects"], "what was rejected again")

    def test_failed_runs_stay_and_are_told_of(self):
        scene = self.scene(SCHEDULED)
        scene.write(f"in-{day(4)}.csv", "id\n" + "x\n" * 9)
        self.expect(1, scene.run("--window", day(4)))
        self.expect(0, scene.run("--window", day(3)))
        self.expect(0, scene.type("forget", "--older-than", "0s", "--state", scene.state),
                    "0 runs were forgotten", "Kept: 1 run that can be gone on with")

    def test_increments_are_not_read_twice(self):
        scene = self.scene(PLAIN.replace("MORE", ", incremental: { files: true }")
                           .replace("WRITE", "sqlite: out/o.db, table: t, mode: append"))
        self.expect(0, scene.run())
        scene.write("in-new.csv", "id\n7\n")
        self.expect(0, scene.run())
        self.forget(scene)
        self.expect(0, scene.run())
        self.assertEqual([0, 1, 2, 3, 4, 5, 7], self.rows(scene))

    def test_appends_are_not_done_twice(self):
        scene = self.scene("params: { n: integer }\n" + PLAIN.replace("MORE", "")
                           .replace("WRITE", "sqlite: out/o.db, table: t, mode: append"))
        self.expect(0, scene.run("-p", "n=1"))
        self.expect(0, scene.run("-p", "n=2"))
        self.assertEqual(1, len(self.forget(scene)["runs"]))
        self.assertTrue(self.expect(0, scene.run("-p", "n=1")).json["already_loaded"])
        self.assertEqual(12, len(self.rows(scene)))

    def test_what_is_forgotten_can_not_be_verified(self):
        scene = self.scene(PLAIN.replace("MORE", ", incremental: { files: true }")
                           .replace("WRITE", "sqlite: out/o.db, table: t, mode: append"))
        first = self.expect(0, scene.run()).json["run"]
        scene.write("in-new.csv", "id\n7\n")
        self.expect(0, scene.run())
        self.assertEqual(1, len(self.forget(scene)["runs"]))
        self.assertEqual([], self.forget(scene)["runs"])
        self.expect(2, scene.type("verify", first, "--state", scene.state), "is forgotten")
        self.expect(0, scene.type("verify", "last", "--state", scene.state))

    def test_a_limit_for_the_folder_takes_the_oldest_first(self):
        scene = self.scene(SCHEDULED)
        self.expect(0, scene.run("--due"))
        for run in (scene.state / "runs").iterdir():
            (run / "logs").mkdir(exist_ok=True)
            (run / "logs" / "load-0.log").write_bytes(b"x" * 200_000)
        oldest = json.loads(scene.type("runs", "--state", scene.state, "--json").out)["runs"][-1]["run"]
        done = self.expect(0, scene.type("forget", "--max-size", "900kB", "--state", scene.state, "--json")).json
        self.assertLessEqual(done["bytes_after"], 900_000)
        self.assertEqual(oldest, done["runs"][0]["run"])
        self.assertLess(len(done["runs"]), 4)

    def test_it_needs_to_be_told_what(self):
        scene = self.scene(SCHEDULED)
        self.expect(2, scene.type("forget"), "--older-than 90d")
        self.expect(2, scene.type("forget", "--older-than", "old"), "a time such as 90d")
        self.expect(2, scene.type("forget", "--max-size", "big"), "a size such as 10GiB")
        self.expect(2, scene.type("forget", "--older-than", "1d", "--state", "nowhere"), "There is no ledger")


if __name__ == "__main__":
    unittest.main(verbosity=2)
