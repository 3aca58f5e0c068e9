#!/usr/bin/env python3
"""A record that kills, or hangs, a plugin costs itself alone."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import program_scene
import scene as scenes

os.environ.update(scenes.SIGNALS_LEFT_ALONE)
TIMEOUT = 2 if not scenes.IS_SANITIZED else 10  # seconds without progress


class Isolation(unittest.TestCase):
    DEEDS = {40: "crash", 1500: "hang", 2500: "abort", 2501: "reject"}

    def check_that_the_guilty_are_rejected(self, workers, function):
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        folder.write_plugin_job("deeds", workers=workers, function=function, batch=1000)
        folder.write_deeds(3000, self.DEEDS)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(folder.rows(), [str(i) for i in range(3000) if i not in self.DEEDS])
        errors = folder.errors()
        self.assertEqual(sorted(errors), sorted(self.DEEDS))
        self.assertIn("signal 11 (SIGSEGV)", errors[40])
        self.assertIn("no progress", errors[1500])
        self.assertIn("signal 6 (SIGABRT)", errors[2500])
        self.assertEqual(errors[2501], "It says so.")

    def test_in_threads(self):
        self.check_that_the_guilty_are_rejected(f"{{ threads: 2, timeout: {TIMEOUT}s }}", "deeds")

    def test_in_processes_where_the_plugin_does_not_say_which_record_it_has(self):
        self.check_that_the_guilty_are_rejected(f"{{ processes: 2, timeout: {TIMEOUT}s }}", "quiet_deeds")

    def test_in_steps_that_run_at_once_each_has_its_own_culprits(self):
        deeds = {"a": {40: "crash", 1500: "hang"}, "b": {7: "abort", 40: "none", 1501: "crash"}}
        for workers in (f"{{ threads: 2, timeout: {TIMEOUT}s }}", f"{{ processes: 2, timeout: {TIMEOUT}s }}"):
            folder = program_scene.Folder()
            self.addCleanup(folder.__exit__)
            folder.write_plugin_job("deeds", workers=workers, batch=1000)
            [head, step] = (folder.root / "job.yaml").read_text().split("steps:\n")
            steps = "".join(step.replace("name: load\n", f"name: {name}\n    after: []\n")
                            .replace("records.csv", f"{name}-in.csv").replace("out.csv", f"{name}.csv") for name in deeds)
            folder.write_job(f"{head}memory: 512MiB\nsteps:\n{steps}")
            for name in deeds:
                folder.write_deeds(3000, deeds[name])
                (folder.root / "records.csv").rename(folder.root / f"{name}-in.csv")
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 0, done)
            rejects = folder.rejects()
            for name in deeds:
                guilty = {record for record, deed in deeds[name].items() if deed != "none"}
                self.assertEqual({reject["record"] for reject in rejects if reject["step"] == name}, guilty, workers)
                rows = (folder.root / f"{name}.csv").read_text().splitlines()[1:]
                self.assertEqual(rows, [str(i) for i in range(3000) if i not in guilty], workers)


if __name__ == "__main__":
    unittest.main()
