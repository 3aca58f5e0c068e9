#!/usr/bin/env python3
"""The command as it is typed: exit codes, suggestions, help, what goes to which stream, and colours."""
import json
import os
import pathlib
import pty
import re
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TRANCHE = os.path.abspath(os.environ.get("TRANCHE_BIN") or HERE.parent.parent / "build" / "tranche")
COMMANDS = "check plan preview schema run resume stop abandon runs status rejects verify version help".split()

JOB = """job: sales
params: { factor: { type: integer, default: 2 } }
steps:
  - name: load
    read: { csv: in.csv, columns: { id: bigint, qty: integer } }
    batch: { rows: 100 }
    process:
      - sql: SELECT id, qty * $factor AS qty FROM batch
    on_error: { max_rejects: 1 }
    write: { csv: out.csv }
"""


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TRANCHE_STATE", "LC_ALL", "LC_CTYPE")}
    return {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **more}


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-cli-")
        self.addCleanup(self.folder.cleanup)
        self.here = pathlib.Path(self.folder.name)
        (self.here / "sales.yaml").write_text(JOB)
        self.write_input(bad=())

    def write_input(self, bad):
        rows = [f"{i},{'x' if i in bad else i % 9}" for i in range(1000)]
        (self.here / "in.csv").write_text("id,qty\n" + "\n".join(rows) + "\n")

    def tranche(self, *words, **environment):
        return subprocess.run([TRANCHE, *words], cwd=self.here, env=clean_environment(**environment),
                              capture_output=True, text=True, timeout=100)

    def on_terminal(self, *words, **environment):
        """What a person sees whose standard error is a terminal."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([TRANCHE, *words], cwd=self.here, env=clean_environment(**environment),
                                   stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            seen += piece
        os.close(ours)
        return process.wait(timeout=100), seen.decode()

    def refused(self, *words):
        done = self.tranche(*words)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_mistyped_commands_and_options_get_a_suggestion_and_exit_code_2(self):
        self.assertEqual(self.refused("rum", "sales.yaml"), 'Error: There is no command "rum"; did you mean "run"?\n')
        self.assertEqual(self.refused("run", "sales.yaml", "--max-reject", "3"),
                         'Error: "run" has no option --max-reject; did you mean --max-rejects?\n')
        self.assertIn('A command was expected before the job file, as in "', self.refused("sales.yaml"))
        self.assertIn("A command was expected before --json", self.refused("--json", "run"))
        self.assertIn("needs a value, as in --state DIR", self.refused("runs", "--state"))
        self.assertIn('"run" takes one JOB, and "b.yaml" was given too', self.refused("run", "sales.yaml", "b.yaml"))
        self.assertIn("needs a job file", self.refused("run"))
        self.assertIn("needs a run", self.refused("stop"))
        self.assertIn('There is no help on "csw"; did you mean "csv"?', self.refused("help", "csw"))

    def test_wrong_values_of_options_are_refused_before_anything_starts(self):
        for words, part in (
            (("--workers", "many"), "--workers many"),
            (("--workers", "{ processes: none }"), "expected a whole number"),
            (("--memory", "lots"), "--memory lots: a size such as 512MiB was expected"),
            (("--max-rejects", "some"), "--max-rejects"),
            (("--wait", "long"), "--wait long: a duration such as 10m was expected"),
            (("--accept", "all"), "--accept all"),
            (("-p", "factor"), "name=value was expected"),
            (("-p", "factor=two"), 'Parameter "factor"'),
            (("-p", "facto=2"), 'did you mean "factor"?'),
        ):
            self.assertIn(part, self.refused("run", "sales.yaml", *words), words)
        self.assertFalse((self.here / ".tranche").exists())
        self.assertIn('did you mean "load"?', self.refused("preview", "sales.yaml", "--step", "laod"))
        self.assertIn("--rows 0", self.refused("preview", "sales.yaml", "--rows", "0"))

    def test_without_arguments_the_help_is_shown_and_the_exit_code_is_2(self):
        done = self.tranche()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        asked = self.tranche("--help")
        self.assertEqual((asked.returncode, asked.stderr), (0, ""))
        self.assertEqual(done.stderr, asked.stdout)

    def test_every_help_page_fits_80_columns_and_shows_examples(self):
        pages = [("--help",)] + [(command, "--help") for command in COMMANDS]
        for words in pages + [("help", system) for system in ("csv", "jsonl", "parquet", "sqlite", "sql")]:
            done = self.tranche(*words)
            self.assertEqual(done.returncode, 0, words)
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80, words)
            self.assertNotIn("\x1b", done.stdout)
            if words in pages:
                self.assertIn("Examples", done.stdout, words)

    def test_the_overview_names_every_command(self):
        overview = self.tranche("help").stdout
        for command in COMMANDS:
            self.assertRegex(overview, rf"(?m)^  {command}\b")

    def test_errors_of_a_job_file_come_all_at_once_with_places(self):
        (self.here / "bad.yaml").write_text("job: a\nstep: []\nsteps:\n  - name: x\n    raed: { csv: in.csv }\n")
        said = self.refused("run", "bad.yaml")
        self.assertIn('bad.yaml:2:1: Unknown key "step" in the job; did you mean "steps"?', said)
        self.assertIn('bad.yaml:5:5: Unknown key "raed" in step; did you mean "read"?', said)
        found = json.loads(self.tranche("run", "bad.yaml", "--json").stdout)["error"]
        self.assertEqual([p["line"] for p in found["problems"]], sorted(p["line"] for p in found["problems"]))
        self.assertGreaterEqual(len(found["problems"]), 3)

    def test_a_run_says_everything_on_standard_error_and_json_alone_on_standard_output(self):
        done = self.tranche("run", "sales.yaml")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertIn("sales completed in", done.stderr)
        self.assertIn("out.csv", done.stderr)
        self.assertNotRegex(done.stderr, r"[\r\x1b]")
        done = self.tranche("run", "sales.yaml", "--json", "-p", "factor=3")
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual(json.loads(done.stdout)["state"], "completed")
        self.assertIn("\n9,0\n10,3\n", (self.here / "out.csv").read_text())

    def test_rejects_within_the_limit_are_a_warning_and_beyond_it_a_failure_that_can_go_on(self):
        self.write_input(bad=(17,))
        done = self.tranche("run", "sales.yaml")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Warning: 1 record was rejected, within the limit.", done.stderr)
        line = json.loads(self.tranche("rejects", "last").stdout)
        self.assertEqual((line["source"], line["line"], line["raw"]), ("in.csv", 19, "17,x"))
        table = self.tranche("rejects", "sales", "--format", "csv").stdout.splitlines()
        self.assertEqual(table[0].split(",")[:4], ["run", "step", "batch", "record"])
        self.assertEqual(len(table), 2)
        self.write_input(bad=(17, 518))
        done = self.tranche("run", "sales.yaml", "-p", "factor=3")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("in.csv:520 (byte ", done.stderr)
        self.assertIn(f"{TRANCHE} run sales.yaml -p factor=3\n", done.stderr)
        self.assertIn("failed", self.tranche("status").stdout)
        done = self.tranche("resume", "last")
        self.assertEqual(done.returncode, 1, done.stderr)
        done = self.tranche("run", "sales.yaml", "-p", "factor=3", "--max-rejects", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("5 earlier", done.stderr)

    def test_runs_are_listed_shown_and_verified(self):
        self.assertEqual(self.tranche("run", "sales.yaml").returncode, 0)
        run = json.loads(self.tranche("runs", "--json").stdout)["runs"][0]
        self.assertEqual((run["job"], run["state"], run["parameters"]), ("sales", "completed", {"factor": "2"}))
        for name in (run["run"], run["run"][:8], "sales", "sales.yaml", "last"):
            self.assertEqual(json.loads(self.tranche("status", name, "--json").stdout)["run"], run["run"], name)
        self.assertIn("1,000 rows", self.tranche("verify", "last").stdout)
        with open(self.here / "out.csv", "a") as file:
            file.write("more\n")
        self.assertEqual(self.tranche("verify", "last").returncode, 1)
        self.assertEqual(self.tranche("status", "nobody").returncode, 2)
        self.assertEqual(self.tranche("resume", "last").returncode, 2)
        self.assertEqual(self.tranche("stop", "last").returncode, 2)

    def test_what_a_job_would_do_is_shown_and_nothing_is_written(self):
        self.assertRegex(self.tranche("check", "sales.yaml").stdout, r"(?m)^    qty +integer$")
        self.assertIn("1,000 records in 10 batches", self.tranche("plan", "sales.yaml").stdout)
        self.assertEqual(len(json.loads(self.tranche("plan", "sales.yaml", "--json").stdout)["steps"][0]["batches"]), 10)
        stages = json.loads(self.tranche("preview", "sales.yaml", "--rows", "3", "--json").stdout)["stages"]
        self.assertEqual([stage["stage"] for stage in stages], ["read", "sql"])
        self.assertEqual(stages[1]["rows"][2], {"id": 2, "qty": 4})
        self.assertEqual(sorted(os.listdir(self.here)), ["in.csv", "sales.yaml"])

    def test_check_data_prints_every_bad_record(self):
        self.write_input(bad=(3, 400, 999))
        done = self.tranche("check", "sales.yaml", "--data")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual([json.loads(line)["raw"] for line in done.stdout.splitlines()], ["3,x", "400,x", "999,x"])

    def test_a_reader_that_goes_away_is_no_failure(self):
        self.write_input(bad=range(1000))
        self.tranche("run", "sales.yaml", "--max-rejects", "1000")
        script = f"set -o pipefail; '{TRANCHE}' rejects last | head -1"
        done = subprocess.run(["bash", "-c", script], cwd=self.here, env=clean_environment(), capture_output=True,
                              text=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_a_terminal_gets_colours_unless_they_are_unwanted(self):
        code, seen = self.on_terminal("run", "sales.yaml")
        self.assertEqual(code, 0, seen)
        self.assertIn("\x1b[32m", seen)
        code, seen = self.on_terminal("run", "sales.yaml", NO_COLOR="1")
        self.assertEqual(code, 0, seen)
        self.assertIsNone(re.search(r"\x1b\[[0-9;]*m", seen), seen)
        code, seen = self.on_terminal("run", "sales.yaml", TERM="dumb")
        self.assertEqual(code, 0, seen)
        self.assertNotIn("\x1b", seen)
        self.assertIn("load: completed", seen)

    def test_the_version_and_the_schema_are_for_programs_too(self):
        self.assertRegex(self.tranche("--version").stdout, r"^tranche \d+\.\d+\.\d+ \(DuckDB ")
        self.assertEqual(json.loads(self.tranche("schema").stdout)["title"], "Tranche job file")


if __name__ == "__main__":
    unittest.main()
