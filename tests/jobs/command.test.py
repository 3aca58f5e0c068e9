#!/usr/bin/env python3
"""Programs as business logic: what they are sent, how each kind of answer is taken, and what is said of those that can't
be started. The examples of docs/programs.md run word for word. What programs do to themselves is tried in
tests/crash/programs.test.py.
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import program_scene as programs
import scene as scenes

PAGE = (scenes.SOURCE / "docs" / "programs.md").read_text()
EXAMPLES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
ECHO = "import sys, json\nfor line in sys.stdin:\n    record = json.loads(line)\n    "


class Examples(unittest.TestCase):
    maxDiff = 4000

    def run_example(self, command, language=None):
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        with programs.Folder() as folder:
            for name, text in EXAMPLES.items():
                (folder.root / name).write_text(text)
            said = f"command: [{', '.join(command)}]" + (f"\n        format: {language}" if language else "")
            folder.write_job(EXAMPLES["job.yaml"].replace("command: [python3, total.py]", said))
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 0, done)
            self.assertEqual((folder.root / "out.csv").read_text(), EXAMPLES["expected.csv"])

    def test_the_one_in_python(self):
        self.run_example(["python3", "total.py"])

    def test_the_one_in_python_with_arrow(self):
        if subprocess.run(["python3", "-c", "import pyarrow"], capture_output=True, check=False).returncode != 0:
            self.skipTest("pyarrow is not installed")
        self.run_example(["python3", "total_arrow.py"], "arrow")

    def test_the_one_in_node(self):
        self.run_example(["node", "total.js"])

    def test_the_one_in_awk(self):
        self.run_example(["mawk", "-W", "interactive", "-f", "total.awk"], "csv")

    def test_the_one_in_shell(self):
        self.run_example(["sh", "total.sh"], "csv")


class Answers(unittest.TestCase):
    maxDiff = 4000

    def outcome(self, program, records=6, **options):
        """What becomes of the records 0, 1, 2, ...: (lines of the output behind its header, rejects by record)."""
        with programs.Folder() as folder:
            done = folder.run_program(program, records, **options)
            self.assertEqual(done.code, 0, done)
            return folder.rows(), folder.errors()

    def test_a_program_is_sent_each_record_with_its_number_and_may_change_nothing_undeclared(self):
        rows, errors = self.outcome(ECHO + "record['text'] = 'changed'; record['seen'] = line.strip()\n"
                                    "    print(json.dumps(record))", records=1, columns="{ seen: varchar }")
        self.assertEqual(rows, ['0,text 0,"{""_id"":""0"",""id"":0,""text"":""text 0""}"'])
        self.assertEqual(errors, {})

    def test_their_chunks_are_small_so_that_workers_end_together(self):
        with programs.Folder() as folder:
            folder.write_records(20_000)  # of 300 kB
            folder.write_program_job("[cat]")
            with_program = folder.tranche("plan", "job.yaml", "--json")
            self.assertEqual(with_program.code, 0, with_program)
            self.assertEqual([batch["chunks"] for batch in json.loads(with_program.out)["steps"][0]["batches"]], [3])

    def test_null_filters_and_an_array_makes_many(self):
        rows, _ = self.outcome(ECHO + "n = record['id']\n    print('null' if n == 1 else"
                               " json.dumps([{'score': i} for i in range(n)]) if n > 1 else '{\"score\": 7}')", 4)
        self.assertEqual(rows, ["0,text 0,7", "2,text 2,0", "2,text 2,1", "3,text 3,0", "3,text 3,1", "3,text 3,2"])

    def test_answers_with_an_id_may_come_in_any_order(self):
        program = ("import os, json\nwhile lines := os.read(0, 1 << 16).splitlines():\n"
                   "    for r in map(json.loads, reversed(lines)):\n        a = {'_id': r['_id'], 'score': r['id']}\n"
                   "        if r['id'] == 2: a = {'_id': r['_id'], '_rows': []}\n"
                   "        if r['id'] == 3: a = {'_id': r['_id'], '_error': 'not this one'}\n"
                   "        print(json.dumps(a))")
        rows, errors = self.outcome(program)
        self.assertEqual(rows, [f"{i},text {i},{i}" for i in (0, 1, 4, 5)])
        self.assertEqual(errors, {3: "not this one"})

    def test_values_that_do_not_fit_reject_their_record_only(self):
        answers = ['{"score": 1}', '{"score": "many"}', '{"scoer": 1}', '{"score": null}', '{}', '{"score": 6}']
        rows, errors = self.outcome(f"import sys\nanswers = {answers!r}\n"
                                    "for line, answer in zip(sys.stdin, answers): print(answer)",
                                    columns="{ score: { type: double, null: error } }")
        self.assertEqual(rows, ["0,text 0,1", "5,text 5,6"])
        self.assertEqual(sorted(errors), [1, 2, 3, 4])
        self.assertIn('Column "score"', errors[1])
        self.assertIn('"score"?', errors[2])
        self.assertIn("required", errors[3])
        self.assertIn("required", errors[4])

    def test_a_column_that_is_declared_again_takes_the_place_of_the_records_own(self):
        rows, _ = self.outcome(ECHO + "print(json.dumps({'text': record['id'] + 0.5}))", 2,
                               columns='{ text: double }')
        self.assertEqual(rows, ["0,0.5", "1,1.5"])

    def test_csv_is_spoken_both_ways(self):
        program = ("import csv, sys\nprint('score')\n"
                   "for row in csv.DictReader(sys.stdin):\n    n = int(row['id'])\n"
                   "    print('' if n == 1 else 'x' if n == 2 else n * 1.5)")
        rows, errors = self.outcome(program, 4, format="csv")
        self.assertEqual(rows, ["0,text 0,0", "3,text 3,4.5"])
        self.assertEqual(list(errors), [2])

    def test_the_output_is_the_same_for_any_workers_and_batches(self):
        program = ECHO + "print(json.dumps({'_id': record['_id'], 'score': record['id'] % 7}))"
        wanted = [f"{i},text {i},{i % 7}" for i in range(20_000)]
        for workers, more in (("1", {}), ("3", {}), ("{ processes: 2 }", {}), ("3", {"workers": "1"})):
            with self.subTest(workers=workers, more=more):
                rows, errors = self.outcome(program, 20_000, step_workers=workers, batch=3_000, **more)
                self.assertEqual(rows, wanted)
                self.assertEqual(errors, {})


class Arrow(unittest.TestCase):
    PROGRAM = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR") or pathlib.Path(scenes.TRANCHE).parent) / "programs/arrow"

    def outcome(self, manner, records, texts=None, **options):
        with programs.Folder() as folder:
            folder.write_records(records, texts)
            folder.write_program_job(f"[{self.PROGRAM}, {manner}]", format="arrow", **options)
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 0, done)
            return folder.rows(), folder.errors()

    def test_each_batch_is_answered_by_one_whose_rows_say_whose_they_are(self):
        rows, errors = self.outcome("ids", 6, {1: "none", 3: "many", 4: "error"})
        self.assertEqual(rows, ["0,text 0,0", "2,text 2,1", "3,many,1.5", "3,many,1.5", "5,text 5,2.5"])
        self.assertEqual(errors, {4: "it says so"})

    def test_without_ids_there_is_one_row_a_record(self):
        rows, errors = self.outcome("plain", 3)
        self.assertEqual(rows, ["0,text 0,0", "1,text 1,0.5", "2,text 2,1"])
        rows, errors = self.outcome("plain", 3, {1: "none"})
        self.assertEqual(rows, ["0,text 0,0", "2,text 2,1"])
        self.assertIn("answered with 0 rows for 1 records, and no column _id says whose they are", errors[1])

    def test_a_record_that_kills_the_program_or_that_it_loses_costs_itself_alone(self):
        rows, errors = self.outcome("ids", 300, {70: "crash", 200: "lose"}, timeout="1s")
        self.assertEqual([int(row.split(",")[0]) for row in rows], [i for i in range(300) if i not in (70, 200)])
        self.assertEqual(sorted(errors), [70, 200])
        self.assertIn("signal 6", errors[70])
        self.assertIn("before it had answered", errors[200])

    def test_columns_that_are_not_declared_or_of_another_type_fail_the_run_at_once(self):
        for columns, why in (("{ scores: double }", 'a column "score", which is none of `columns:`'),
                             ("{ score: varchar }", 'Column "score" is declared as varchar, and comes as double.')):
            with self.subTest(columns=columns), programs.Folder() as folder:
                folder.write_records(2)
                folder.write_program_job(f"[{self.PROGRAM}, ids]", columns=columns, format="arrow")
                done = folder.tranche("run", "job.yaml")
                self.assertEqual(done.code, 1, done)
                self.assertIn(f"{why}", done.err)
                self.assertIn("It does so without any record.", done.err)

    def test_values_that_do_not_fit_reject_their_record_and_those_that_are_missing_are_null(self):
        rows, errors = self.outcome("ids", 3, columns="{ score: double, more: integer }")
        self.assertEqual(rows, ["0,text 0,0,", "1,text 1,0.5,", "2,text 2,1,"])
        self.assertEqual(errors, {})
        rows, errors = self.outcome("ids", 2, columns="{ score: double, more: { type: integer, null: error } }")
        self.assertEqual(rows, [])
        self.assertIn('no value for column "more", which is required', errors[0])

    def test_the_output_is_the_same_for_any_workers_and_batches(self):
        wanted = [f"{i},text {i},{i / 2:g}" for i in range(20_000)]
        for workers, more in (("1", {}), ("{ processes: 2 }", {}), ("3", {"workers": "1"})):
            with self.subTest(workers=workers, more=more):
                rows, errors = self.outcome("ids", 20_000, step_workers=workers, batch=3_000, **more)
                self.assertEqual(rows, wanted)
                self.assertEqual(errors, {})


class Helper(unittest.TestCase):
    maxDiff = 4000

    def test_a_batch_is_as_many_records_as_are_there_and_one_that_raises_costs_one(self):
        program = ("import tranche\n@tranche.batch(size=100)\ndef f(records):\n    assert len(records) <= 100\n"
                   "    print('to the log')\n"
                   "    return [{'score': 100 // (r['id'] - 50)} if r['id'] % 2 else None for r in records]")
        broken = program.replace("if r['id'] % 2 else None", "")
        with programs.Folder() as folder:
            done = folder.run_program(program, 1000)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(folder.rows(), [f"{i},text {i},{100 // (i - 50)}" for i in range(1, 1000, 2)])
            self.assertIn("to the log", folder.log())
        with programs.Folder() as folder:
            done = folder.run_program(broken, 1000)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(len(folder.rows()), 999)
            self.assertEqual(folder.errors(), {50: "ZeroDivisionError: integer division or modulo by zero"})

    def test_it_is_a_plain_module_where_no_job_runs(self):
        text = ("import sys; sys.path.insert(0, sys.argv[1]); sys.argv = ['x']\nimport logic\n"
                "print(logic.f({'id': 3}))")
        with programs.Folder() as folder:
            (folder.root / "logic.py").write_text("import tranche\n@tranche.record\ndef f(r):\n    return r['id']\n")
            done = subprocess.run([sys.executable, "-c", text, str(scenes.SOURCE / "python")], cwd=folder.root,
                                  capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout, "3\n")


class Starting(unittest.TestCase):
    maxDiff = 4000

    def checked(self, command, **options):
        with programs.Folder() as folder:
            folder.write_records(1)
            (folder.root / "plain.sh").write_text("cat\n")
            folder.write_program_job(command, **options)
            done = folder.tranche("check", "job.yaml")
            self.assertEqual(done.code, 2, done)
            return done.err + done.out

    def test_check_says_where_a_program_is_named_that_can_not_be_started(self):
        for command, why in (("[no-such-program]", "not in PATH"), ("./missing.sh", "there is no file"),
                             ("./plain.sh", "can't be executed"), ("plain.sh", "write ./plain.sh")):
            with self.subTest(command=command):
                said = self.checked(command)
                self.assertIn(why, said)
                self.assertRegex(said, r"job\.yaml:7:\d+")

    def test_check_refuses_columns_that_mean_something_else_and_options_that_do_not_fit(self):
        self.assertIn('called "_id"', self.checked("cat", columns="{ _id: bigint }"))
        self.assertIn("processes", self.checked("cat", workers="1", step_workers="{ processes: 2 }"))
        self.assertIn("CSV", self.checked("cat", format="csv", columns='{ score: "integer[]" }'))
        self.assertIn('did you mean "timeout"', self.checked("cat", timeuot="1s"))

    def test_a_program_that_fails_without_any_record_fails_the_run_and_rejects_nothing(self):
        for program, why in (("import no_such_module", "No module named 'no_such_module'"),
                             ("print('hello')", 'no JSON object, array or null: "hello"')):
            with self.subTest(program=program), programs.Folder() as folder:
                done = folder.run_program(program, 10)
                self.assertEqual(done.code, 1, done)
                self.assertIn(why, done.err)
                self.assertIn("without any record", done.err)

    def test_preview_shows_what_it_makes(self):
        with programs.Folder() as folder:
            folder.write_records(3)
            (folder.root / "program.py").write_text(ECHO + "print('{\"score\": 4.5}')")
            folder.write_program_job(f"[{programs.PYTHON}, program.py]")
            done = folder.tranche("preview", "job.yaml")
            self.assertEqual(done.code, 0, done)
            self.assertIn("4.5", done.out)


class Resuming(unittest.TestCase):
    maxDiff = 4000

    def test_a_resume_notices_that_the_program_or_what_it_depends_on_has_changed(self):
        program = ("import os\n" + ECHO + "if record['id'] == 5 and not os.path.exists('mended'): os._exit(3)\n"
                   "    print('{\"score\": 1}')")
        with programs.Folder() as folder:
            (folder.root / "model.txt").write_text("one")
            done = folder.run_program(program, 9, batch=3, depends_on="[model.txt]", max_rejects=0)
            self.assertEqual(done.code, 1, done)
            (folder.root / "mended").touch()
            for name in ("model.txt", "program.py"):
                with self.subTest(changed=name):
                    file = folder.root / name
                    before = file.read_text()
                    file.write_text(before + "\n# changed\n")
                    done = folder.tranche("run", "job.yaml")
                    self.assertEqual(done.code, 2, done)
                    self.assertIn(name, done.err)
                    self.assertIn("--accept code", done.err)
                    file.write_text(before)
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(len(folder.rows()), 9)


class Stopping(unittest.TestCase):
    def test_a_program_that_is_asked_no_more_may_end_by_itself(self):
        program = ECHO + "print('{\"score\": 1}')\nopen(f'ended-{os.getpid()}', 'w').close()"
        for options in ({"step_workers": "2"}, {"step_workers": "{ processes: 2 }"}, {"step_workers": "3", "workers": "1"}):
            with self.subTest(**{f"of {key}": value for key, value in options.items()}), programs.Folder() as folder:
                done = folder.run_program("import os\n" + program, 9_000, batch=500, **options)
                self.assertEqual(done.code, 0, done)
                self.assertNotEqual(list(folder.root.glob("ended-*")), [])

    def test_nothing_of_a_program_outlives_a_run_that_is_stopped_or_killed(self):
        slow = ECHO + "time.sleep(0.05)\n    print('{\"score\": 1}')"
        for workers in ("2", "{ processes: 2 }"):
            for end, begins in (("stop", "subprocess.Popen(['sleep', sys.argv[1]])"), ("kill", "pass")):
                with self.subTest(workers=workers, end=end), programs.Folder() as folder:
                    marker = str(98_000_000 + random.randrange(1_000_000))
                    folder.write_records(400)
                    (folder.root / "program.py").write_text(f"import subprocess, sys, time\n{begins}\n{slow}")
                    folder.write_program_job(f"[{programs.PYTHON}, program.py, {marker}]", batch=10, step_workers=workers)
                    folder.start_and(end, marker)
                    self.assertTrue(programs.wait_until(lambda: not programs.is_running(marker)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
