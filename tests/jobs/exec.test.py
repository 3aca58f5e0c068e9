#!/usr/bin/env python3
"""Steps that run a program: once in a run, again when the run died while it worked, and never in the way of what was
committed before."""
import contextlib
import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

# Notes each start; what it does then is its argument's.
PROGRAM = """import os, pathlib, subprocess, sys, time
with open("starts", "a") as starts:
    print(os.environ["TRANCHE_JOB"], os.environ["TRANCHE_STEP"], os.environ["TRANCHE_RUN"], sys.argv[1], file=starts)
print("to standard output")
print("to standard error", file=sys.stderr)
deed = sys.argv[1]
if deed == "hang":
    child = subprocess.Popen(["sleep", "1000"])
    pathlib.Path("hanging").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(1000)
if deed == "talk":  # and never stop
    while True:
        os.write(1, b"words " * 10000)
if deed == "mend":  # fails until somebody has mended it
    sys.exit(0 if pathlib.Path("mended").exists() else 75)
if deed == "third":  # succeeds at its third start
    sys.exit(0 if pathlib.Path("starts").read_text().count("third") >= 3 else 75)
sys.exit(int(deed) if deed.isdigit() else 0)
"""


def job_text(deed, more=""):
    return f"""job: nightly
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: bigint }} }}
    write: {{ csv: out.csv }}
  - name: publish
    exec: [python3, publish.py, "{deed}"]
{more}
  - name: copy
    read: {{ csv: out.csv, columns: {{ id: bigint }} }}
    write: {{ csv: copy.csv }}
"""


class Exec(scenes.Case):
    def scene(self, deed, more=""):
        scene = scenes.Scene(job_text(deed, more))
        self.addCleanup(scene.__exit__)
        scene.write("in.csv", "id\n1\n2\n3\n")
        scene.write("publish.py", PROGRAM)
        return scene

    def starts(self, scene):
        path = scene.root / "starts"
        return path.read_text().splitlines() if path.exists() else []

    def is_done(self, scene):
        return (scene.root / "copy.csv").exists()

    def test_runs_once_between_the_steps_around_it_and_knows_its_run(self):
        scene = self.scene("nothing")
        done = self.expect(0, scene.run())
        self.assertEqual([f"nightly publish {done.json['run']} nothing"], self.starts(scene))
        self.assertTrue(self.is_done(scene))
        logs = self.expect(0, scene.type("logs", "last")).out
        self.assertIn("to standard output", logs)
        self.assertIn("to standard error", logs)
        self.assertIn("publish  ran, as the ledger has it", self.expect(0, scene.type("verify", "last")).out)

    def test_that_fails_fails_the_run_which_goes_on_with_it(self):
        scene = self.scene("mend")
        done = self.expect(1, scene.run())
        self.assertIn('The program of step "publish" exited with code 75; the last that it wrote is "to standard error".',
                      done.err)
        self.assertFalse(self.is_done(scene))
        scene.write("mended", "")
        again = self.expect(0, scene.run())
        self.assertEqual(done.json["run"], again.json["run"])
        self.assertEqual(2, len(self.starts(scene)))
        self.assertTrue(self.is_done(scene))

    def test_may_say_which_exit_codes_are_good(self):
        scene = self.scene("3", "    exit_codes: [0, 3]")
        self.expect(0, scene.run())

    def test_is_tried_again_where_the_job_says_that_it_may_pass(self):
        retry = "    on_error: { retry: { attempts: 5, backoff: 10ms, transient: [exited with code 75] } }"
        scene = self.scene("third", retry)
        done = self.expect(0, scene.run())
        self.assertEqual(2, done.json["steps"][1]["retries"])

    def test_that_takes_too_long_is_ended_with_all_that_it_started(self):
        scene = self.scene("hang", "    timeout: 10s")
        done = self.expect(1, scene.run())
        self.assertIn("did not end within 10.0 s", done.err)
        self.expect_ended(scene)

    def test_that_never_stops_talking_is_ended_in_time_too(self):
        done = self.expect(1, self.scene("talk", "    timeout: 3s").run())
        self.assertIn("did not end within 3.0 s", done.err)

    def test_keeps_what_the_environment_tells_it_out_of_the_ledger(self):
        scene = self.scene("nothing")
        scene.write_job(job_text("nothing").replace('"nothing"]', '"nothing", "--dsn=postgresql://me:${env:SECRET}@db/x"]'))
        os.environ["SECRET"] = "s3cr3t-w0rd"
        self.addCleanup(os.environ.pop, "SECRET")
        done = self.expect(0, scene.run())
        os.environ["SECRET"] = "another"
        kept = b"".join(path.read_bytes() for path in scene.state.rglob("*") if path.is_file())
        self.assertNotIn(b"s3cr3t-w0rd", kept + (done.out + done.err).encode())

    def test_whose_change_was_accepted_is_not_asked_about_again(self):
        scene = self.scene("3")
        self.expect(1, scene.run())
        scene.write_job(job_text("mend"))
        self.expect(2, scene.run())
        done = self.expect(1, scene.run("--accept", "job"))
        self.assertIn("a changed job was accepted", done.err)
        scene.write("mended", "")
        self.expect(0, scene.run())

    def test_is_ended_by_a_stop_and_runs_again(self):
        scene = self.scene("hang")
        process = scene.start_run()
        scenes.wait_until(lambda: (scene.root / "hanging").exists() and (scene.root / "hanging").read_text().strip(), "the program hangs")
        process.send_signal(signal.SIGINT)
        self.expect(3, scene.finish(process))
        self.expect_ended(scene)
        scene.write_job(job_text("nothing"))
        self.expect(0, scene.run("--accept", "job"))
        self.assertEqual(2, len(self.starts(scene)))

    def test_that_a_kill_interrupts_runs_again_under_the_same_run(self):
        scene = self.scene("hang")
        process = scene.start_run()
        hanging = scene.root / "hanging"
        scenes.wait_until(lambda: hanging.exists() and len(hanging.read_text().split()) == 2, "the program hangs")
        scenes.kill_group(process)
        scene.finish(process)
        program, child = (int(pid) for pid in hanging.read_text().split())
        self.addCleanup(self.end, child)  # what it had started nobody is left to end
        scenes.wait_until(lambda: not pathlib.Path(f"/proc/{program}").exists(), "the program ends with the run")
        scene.write_job(job_text("nothing"))
        self.expect(0, scene.run("--accept", "job"))
        before, after = (line.split()[2] for line in self.starts(scene))
        self.assertEqual(before, after)

    def test_that_is_not_there_is_found_before_the_start(self):
        scene = self.scene("nothing")
        scene.write_job(job_text("nothing").replace("python3", "pyhton3"))
        for words in (["check"], ["run"]):
            done = self.expect(2, scene.type(*words, scene.job))
            self.assertIn('job.yaml:7:11: The program "pyhton3" can\'t be started', done.err + done.out)
        scene.write_job(job_text("nothing", "    exit_codes: [none]"))
        self.assertIn("numbers from 0 to 255", self.expect(2, scene.type("run", scene.job)).err)
        self.assertFalse((scene.root / "out.csv").exists())

    @staticmethod
    def end(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def expect_ended(self, scene):
        """Neither the program nor what it had started is left."""
        for pid in (scene.root / "hanging").read_text().split():
            scenes.wait_until(lambda pid=pid: not pathlib.Path(f"/proc/{pid}").exists(), f"process {pid} ends")
        (scene.root / "hanging").unlink()


if __name__ == "__main__":
    unittest.main()
