#!/usr/bin/env python3
"""Jobs with a schedule through the command: one window is one run, whoever runs it and whatever kills it."""
import contextlib
import datetime
import json
import pathlib
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

TODAY = datetime.datetime.now(datetime.timezone.utc).date()
BUSY = 4


def day(ago):
    return str(TODAY - datetime.timedelta(days=ago))


# Appends: a window that is run twice doubles its row. What `step` says goes on behind that.
def job_text(days=4, schedule="", step="", name="nightly"):
    return f"""job: {name}
params:
  day: {{ type: date, default: window_start }}
schedule: {{ every: 1 day, from: {day(days)}{schedule} }}
steps:
  - name: load
    read: {{ csv: "in-${{day}}.csv", columns: {{ id: integer }} }}
    process:
      - sql: SELECT id, $day AS day, $window_start AS ws, $window_end AS we FROM batch
    write: {{ sqlite: out/o.db, table: t, mode: append }}
{step}"""


class Case(unittest.TestCase):
    def scene(self, job, days=4):
        scene = scenes.Scene(job)
        self.addCleanup(scene.__exit__)
        scene.out.mkdir()
        for ago in range(days + 1):
            scene.write(f"in-{day(ago)}.csv", f"id\n{ago}\n")
        return scene

    def expect(self, code, done, *words):
        self.assertEqual(code, done.code, done)
        for word in words:
            self.assertIn(word, done.err + done.out)
        return done

    def loaded(self, scene, mode="ro"):
        """The days in the order in which their rows came; "rw" also takes back what a killed run has begun, which no reader can."""
        path = scene.out / "o.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True)) as database:
            try:
                return [row[0] for row in database.execute("SELECT day FROM t ORDER BY rowid")]
            except sqlite3.OperationalError:
                return []  # the table is just being made

    def states(self, scene, *more):
        done = self.expect(0, scene.type("windows", scene.job, "--json", *more))
        return {window["window"]: window["state"] for window in json.loads(done.out)["windows"]}

    def serve(self, scene, *more):
        service = scene.start("schedule", scene.job, *more)
        self.addCleanup(scenes.kill_group, service)
        return service

    def end(self, scene, service):
        service.send_signal(signal.SIGTERM)
        return self.expect(0, scene.finish(service))


class Windows(Case):
    def test_one_window_is_one_run(self):
        scene = self.scene(job_text())
        self.expect(2, scene.run(), "--due", f"--window {day(1)}")
        done = self.expect(0, scene.run("--window", day(2)))
        self.assertEqual(day(2), done.json["window"])
        again = self.expect(0, scene.run("--window", day(2)), "is done by run")
        self.assertTrue(again.json["already_loaded"])
        self.assertEqual([day(2)], self.loaded(scene))
        self.assertEqual({day(4): "missing", day(3): "missing", day(2): "done", day(1): "missing"}, self.states(scene))
        self.expect(0, scene.run("--window", day(2), "--again"))
        self.assertEqual([day(2)] * 2, self.loaded(scene))

    def test_one_that_is_not_over_or_not_there_is_refused(self):
        scene = self.scene(job_text())
        self.expect(2, scene.run("--window", day(0)), "is not over before")
        self.expect(2, scene.run("--window", f"{day(2)}T12:00"), f"lies in that of {day(2)}")
        self.expect(2, scene.run("--window", "soon"), "is no time")
        self.expect(2, scene.run("--window", day(40)), "lies before the schedule", "(from: ", "let `from` be")
        self.assertNotIn(day(40), self.expect(0, scene.type("backfill", scene.job, "--from", day(40), "--dry-run")).out)
        self.expect(2, scene.run("--due", "--again"), "--due runs the windows that are missing")
        scene.write_job("job: plain\nsteps:\n  - name: a\n    exec: [\"true\"]\n")
        for words in (["run", scene.job, "--window", day(1)], ["run", scene.job, "--due"], ["windows", scene.job],
                      ["backfill", scene.job], ["schedule", scene.job]):
            self.expect(2, scene.type(*words), "has none; add \"schedule:")
        self.assertEqual([], self.loaded(scene))

    def test_of_more_than_anybody_looks_at_the_latest_are_shown(self):
        scene = self.scene("job: often\nschedule: { cron: '* * * * *', from: 1990-01-01 }\nsteps:\n  - name: a\n    exec: ['true']\n")
        done = self.expect(0, scene.type("windows", scene.job), "... 9,980 before them", "were not looked at", "10,000 missing")
        self.assertLess(len(done.out.splitlines()), 30)
        listed = self.expect(0, scene.type("windows", scene.job, "--json")).json
        self.assertEqual(10_000, len(listed["windows"]))
        self.assertEqual(listed["looked_at_from"], listed["windows"][0]["window"])
        early = ["windows", scene.job, "--from", "1990-01-01", "--to", "1990-01-02"]
        self.assertEqual(1440, len(self.expect(0, scene.type(*early, "--json")).json["windows"]))
        self.assertEqual(1440, self.expect(0, scene.type(*early, "--all")).out.count("  missing  "))

    def test_due_runs_what_is_missing_in_order_and_goes_on_after_a_failure(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run("--window", day(3)))
        scene.write(f"in-{day(2)}.csv", "id\nx\n")
        self.expect(1, scene.run("--due"))
        self.assertEqual({day(4): "done", day(3): "done", day(2): "failed", day(1): "missing"}, self.states(scene))
        self.expect(0, scene.run("--due", "--max-rejects", "1"))
        self.assertEqual([day(3), day(4), day(1)], self.loaded(scene))
        self.assertEqual({"done"}, set(self.states(scene).values()))
        self.expect(0, scene.run("--due"), "No window of nightly is missing")

    def test_a_killed_run_of_a_window_is_gone_on_with(self):
        scene = self.scene(job_text())
        process = scene.start_run("--window", day(2), fault="kill:committed:1")
        scenes.wait_until(lambda: self.loaded(scene) or process.poll() is not None, "nothing was committed")
        scenes.kill_group(process)
        process.communicate()
        self.assertIn(self.states(scene)[day(2)], ("interrupted", "done"))
        self.expect(0, scene.run("--due"))
        self.assertEqual(sorted(day(ago) for ago in range(1, 5)), sorted(self.loaded(scene)))

    def test_a_new_parameter_makes_no_window_missing_and_a_given_one_is_another_variant(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run("--window", day(2)))
        scene.write_job(job_text().replace("params:", "params:\n  region: { type: varchar, default: eu }"))
        self.assertEqual("done", self.states(scene)[day(2)])
        self.assertEqual("missing", self.states(scene, "-p", "region=us")[day(2)])
        scene.write(f"in-{day(1)}.csv", "id\nx\n")
        self.expect(1, scene.run("--window", day(1)))
        scene.write_job(job_text().replace("params:", "params:\n  other: { type: varchar, default: eu }"))
        self.expect(2, scene.run("--window", day(1)), "whose parameters are not those of the job now")
        self.expect(0, scene.type("abandon", "last", "--state", scene.state))
        scene.write(f"in-{day(1)}.csv", "id\n1\n")
        self.expect(0, scene.run("--window", day(1)))

    def test_hours_of_a_day_that_was_done_are_done(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run("--window", day(2)))
        scene.write_job(job_text().replace("1 day", "12 hours"))
        states = self.states(scene)
        self.assertEqual(["done"] * 2, [state for name, state in states.items() if name.startswith(day(2))])
        self.assertEqual(["missing"] * 2, [state for name, state in states.items() if name.startswith(day(1))])

    def test_an_increment_goes_on_from_window_to_window(self):
        scene = self.scene("""job: hourly
schedule: { every: 1 day, from: FROM }
steps:
  - name: load
    read: { csv: "in-*.csv", columns: { id: integer }, incremental: { files: true } }
    write: { sqlite: out/o.db, table: t, mode: append }
""".replace("FROM", day(2)))
        self.expect(0, scene.run("--window", day(2)))
        scene.write("in-new.csv", "id\n77\n")
        self.expect(0, scene.run("--window", day(1)))
        with scenes.open_to_read(scene.out / "o.db") as database:
            rows = [row[0] for row in database.execute("SELECT id FROM t ORDER BY id")]
        self.assertEqual([0, 1, 2, 3, 4, 77], rows)

    def test_rejects_of_a_window_are_processed_again_as_its_own(self):
        scene = self.scene(job_text())
        scene.write(f"in-{day(2)}.csv", "id\n1\nx\n")
        self.expect(0, scene.run("--window", day(2), "--max-rejects", "1"))
        done = scene.type("retry-rejects", "last", "--state", scene.state, "--max-rejects", "1")
        self.assertEqual(0, done.code, done)
        self.assertEqual("done", self.states(scene)[day(2)])


class Backfill(Case):
    def test_it_runs_only_what_is_missing(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run("--window", day(3)))
        listed = self.expect(0, scene.type("backfill", scene.job, "--dry-run", "--to", day(1)))
        self.assertEqual([day(4), day(2)], listed.out.split())
        self.expect(0, scene.type("backfill", scene.job, "--to", day(1)))
        self.assertEqual([day(3), day(4), day(2)], self.loaded(scene))
        self.expect(2, scene.type("backfill", scene.job, "--from", day(1), "--to", day(1)), "is not behind")

    def test_the_first_failure_ends_it_unless_it_is_to_go_on(self):
        scene = self.scene(job_text())
        scene.write(f"in-{day(3)}.csv", "id\nx\n")
        self.expect(1, scene.type("backfill", scene.job), f"nightly {day(3)} did not complete", "2 not begun")
        self.expect(1, scene.type("backfill", scene.job, "--keep-going", "--at-once", "3"))
        self.assertEqual([day(4), day(2), day(1)], sorted(self.loaded(scene)))
        scene.write_job(job_text().replace("    write:", "    on_error: { max_rejects: 1 }\n    write:"))
        done = self.expect(0, scene.type("backfill", scene.job, "--only", "failed", "--json"))
        self.assertEqual({"job": "nightly", "done": 1, "failed": 0, "left": 0}, done.json)


class Service(Case):
    def test_it_catches_up_and_ends_when_it_is_told(self):
        scene = self.scene(job_text())
        service = self.serve(scene)
        scenes.wait_until(lambda: len(self.loaded(scene)) == 4, "not all windows were run")
        self.expect(BUSY, scene.type("schedule", scene.job), "is scheduled already")
        done = self.end(scene, service)
        self.assertIn(f"nightly {day(1)} is done: 1 row in", done.err)
        self.assertEqual([day(4), day(3), day(2), day(1)], self.loaded(scene))

    def test_catch_up_false_runs_the_latest_alone(self):
        scene = self.scene(job_text(schedule=", catch_up: false"))
        service = self.serve(scene)
        scenes.wait_until(lambda: self.loaded(scene), "no window was run")
        self.end(scene, service)
        self.assertEqual([day(1)], self.loaded(scene))
        self.assertEqual("skipped", self.states(scene)[day(4)])

    def test_killed_with_all_its_runs_at_any_time_it_runs_each_window_once(self):
        waits = ("  - name: wait\n    exec: [sh, -c, \"while [ ! -e go ]; do sleep 0.02; done\"]\n")
        scene = self.scene(job_text(step=waits))
        for _ in range(3):
            service = self.serve(scene)
            scenes.wait_until(lambda: "running" in self.states(scene).values() and self.loaded(scene),
                              "no run went on")
            service.send_signal(signal.SIGKILL)  # the service alone: its runs die with it
            service.communicate()
            scenes.wait_until(lambda: "running" not in self.states(scene).values(), "a run outlived the service")
            scenes.wait_until(lambda: self.loaded(scene, "rw") == [day(4)], "the first window's row is not there, or not alone")
        scene.write("go", "")
        service = self.serve(scene)
        scenes.wait_until(lambda: set(self.states(scene).values()) == {"done"}, "not all windows were run")
        self.end(scene, service)
        self.assertEqual([day(4), day(3), day(2), day(1)], self.loaded(scene))

    def test_a_job_that_keeps_failing_is_halted_tells_of_it_and_stays_so(self):
        schedule = ", failures_max: 2, retry_delay: 100ms, on_failure: [sh, tell.sh]"
        scene = self.scene(job_text(schedule=schedule))
        scene.write("tell.sh", 'echo "$TRANCHE_JOB $TRANCHE_WINDOW $TRANCHE_FAILURES $TRANCHE_HALTED ${#TRANCHE_RUN} '
                               '${TRANCHE_ERROR%%,*}" >> told\n')
        scene.write(f"in-{day(3)}.csv", "id\nx\n")
        other = scene.write("other.yaml", job_text(name="other").replace("table: t", "table: other")
                            .replace("in-${day}", f"in-{day(1)}"))
        service = self.serve(scene, other)
        told = scene.root / "told"
        scenes.wait_until(lambda: told.exists() and told.read_text().count("\n") == 2, "nobody was told")
        done = self.end(scene, service)
        self.assertIn("nightly is halted", done.err)
        self.assertIn("failed 2 times in a row", done.err)
        self.assertEqual([f"nightly {day(3)} 1 0 32 in-{day(3)}.csv", f"nightly {day(3)} 2 1 32 in-{day(3)}.csv"],
                         told.read_text().splitlines())
        self.assertEqual([day(4)], self.loaded(scene), "what is behind a failed window waits")
        again = self.serve(scene)
        self.assertIn("Scheduling nightly", again.stderr.readline())
        self.assertIn("is halted", again.stderr.readline())
        self.assertNotIn("begins", self.end(scene, again).err)
        self.expect(0, scene.run("--due", "--max-rejects", "1"))
        self.assertEqual([day(4), day(2), day(1)], self.loaded(scene))

    def test_a_stop_ends_its_runs_at_a_group_and_they_are_gone_on_with(self):
        scene = self.scene(job_text(step="  - name: wait\n    exec: [sh, -c, \"test -e go || sleep 1000\"]\n"))
        service = self.serve(scene)
        scenes.wait_until(lambda: self.loaded(scene), "no run went on")
        done = self.end(scene, service)
        self.assertIn("Stopping; 1 run ends at the next batch boundary", done.err)
        self.assertIn(self.states(scene)[day(4)], ("stopped", "interrupted"))
        scene.write("go", "")
        self.expect(0, scene.run("--due"))
        self.assertEqual([day(4), day(3), day(2), day(1)], self.loaded(scene))

    def test_it_forgets_what_is_old_and_which_windows_are_done_stays_known(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run("--due"))
        runs = lambda: len(scene.type("runs", "--state", scene.state, "--json").json["runs"])
        before = runs()
        self.assertEqual(4, before)
        service = self.serve(scene, "--forget-older-than", "0s")
        scenes.wait_until(lambda: runs() < before, "nothing was forgotten")
        done = self.end(scene, service)
        self.assertRegex(done.err, r"3 runs of .* were forgotten; it has \d")
        self.assertEqual({"done"}, set(self.states(scene).values()))
        self.expect(0, scene.run("--due"))
        self.assertEqual([day(4), day(3), day(2), day(1)], self.loaded(scene))
        self.expect(2, scene.type("schedule", scene.job, "--forget-older-than", "soon"), "a time such as 90d was expected")

    def test_a_unit_for_systemd_holds_what_was_typed(self):
        scene = self.scene(job_text())
        done = self.expect(0, scene.type("schedule", scene.job, "--state", "a state", "--at-once", "2", "--unit"))
        start = [line for line in done.out.splitlines() if line.startswith("ExecStart=")]
        self.assertEqual([f"ExecStart={scenes.TRANCHE} schedule {scene.job} --at-once 2 "
                          f"--state \"{scene.root}/a state\""], start)
        self.assertFalse((scene.root / "a state").exists())
        self.assertIn("RestartPreventExitStatus=2 4", done.out)

    def test_mistakes_in_all_job_files_are_said_before_anything_is_run(self):
        scene = self.scene(job_text())
        scene.write("bad.yaml", job_text(name="bad").replace("1 day", "1 dya"))
        scene.write("worse.yaml", job_text(name="worse").replace("csv:", "cvs:"))
        self.expect(2, scene.type("schedule", scene.job, "bad.yaml", "worse.yaml"), "bad.yaml:4:20", "did you mean \"csv\"",
                    "2 of 3 jobs can't be scheduled")
        self.expect(2, scene.type("schedule", scene.job, scene.job), "was given twice")
        self.assertEqual([], self.loaded(scene))


if __name__ == "__main__":
    unittest.main(verbosity=2)
