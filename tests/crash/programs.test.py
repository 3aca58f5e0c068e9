#!/usr/bin/env python3
"""A program that dies, hangs, answers twice, answers garbage or closes its standard output on chosen records costs
exactly those records, whether its answers carry an `_id` or only their order, with threads and with processes; and the
rest of the output is what it would have been.
"""
import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import program_scene as programs

RECORDS = int(os.environ.get("RECORDS", 20_000))
SEED = int(os.environ.get("SEED", 1))

# What a record does, and what its reject says of it; None: it harms nobody.
DEEDS = {
    "segfault": "was killed by signal 11 (SIGSEGV)",
    "abort": "was killed by signal 6 (SIGABRT)",
    "exit": "exited with code 3",
    "exit0": "exited with code 0",
    "raise": "ZeroDivisionError: division by zero",
    "hang": "gave no answer within",
    "silent": "gave no answer within|exited with code 0",
    "twice": "more than it was asked for|answered more than once",
    "garbage": "no JSON object, array or null",
    "half": "no JSON object, array or null",
    "binary": "not UTF-8",
    "close": "closed its standard output",
    "stranger": "it was not asked about|more than it was asked for",
    "noise": None,
    "flood": None,
}
SIGNALS = {"segfault": 11, "abort": 6}

PROGRAM = r"""
import json, os, signal, sys, time
NAMED = sys.argv[1] == "named"
for line in sys.stdin:
    record = json.loads(line)
    deed = record["text"]
    answer = {"score": record["id"] * 0.5}
    if NAMED:
        answer["_id"] = record["_id"]
    text = json.dumps(answer)
    if deed == "segfault": os.kill(os.getpid(), signal.SIGSEGV)
    if deed == "abort": os.abort()
    if deed == "exit": os._exit(3)
    if deed == "exit0": os._exit(0)
    if deed == "raise": 1 / 0
    if deed == "hang": time.sleep(1000)
    if deed == "silent": continue
    if deed == "twice": text += "\n" + text
    if deed == "garbage": text = "Traceback: what a day"
    if deed == "half": text = text[:-1]
    if deed == "close":
        os.close(1)
        time.sleep(1000)
    if deed == "binary":
        sys.stdout.buffer.write(b"\xff\xfe\n")
        continue
    if deed == "stranger": text = json.dumps(dict(answer, _id="999999999")) + ("" if NAMED else "\n" + text)
    if deed == "noise": print("a word on standard error", file=sys.stderr)
    if deed == "flood": sys.stderr.write("x" * 300_000 + "\n")
    print(text)
"""


def poisoned():
    chance = random.Random(SEED)
    deeds = list(DEEDS)
    chance.shuffle(deeds)
    # The first and the last record, two in a row, and the others anywhere.
    places = [0, RECORDS - 1, 5000, 5001] + chance.sample(range(6000, RECORDS - 10), len(deeds) - 4)
    return dict(zip(places, deeds))


class Programs(unittest.TestCase):
    maxDiff = 4000

    def outcome(self, answers, workers, texts):
        with programs.Folder() as folder:
            folder.write_records(RECORDS, texts)
            (folder.root / "program.py").write_text(PROGRAM)
            folder.write_program_job(f"[{programs.PYTHON}, program.py, {answers}]", step_workers=workers, batch=7_000,
                                     timeout="3s", startup_timeout="7s")
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 0, done)
            sizes = [path.stat().st_size for path in folder.root.glob(".tranche/runs/*/logs/*")]
            self.assertLessEqual(max(sizes, default=0), 1 << 20)
            return folder.rows(), folder.rejects()

    def test_each_of_them_costs_its_record_and_no_other(self):
        for answers in ("named", "ordered"):
            texts = poisoned()
            guilty = {record: deed for record, deed in texts.items() if DEEDS[deed]}
            wanted = [f"{i},{texts.get(i, f'text {i}')},{i * 0.5:g}" for i in range(RECORDS) if i not in guilty]
            for workers in ("2", "{ processes: 2 }"):
                with self.subTest(answers=answers, workers=workers, seed=SEED):
                    rows, rejects = self.outcome(answers, workers, texts)
                    self.assertEqual([reject["record"] for reject in rejects], sorted(guilty))
                    for reject in rejects:
                        deed = guilty[reject["record"]]
                        self.assertRegex(reject["error"], DEEDS[deed].replace("(SIG", r"\(SIG").replace(")", r"\)"))
                        self.assertEqual(reject["signal"], SIGNALS.get(deed))
                        self.assertEqual(reject["phase"], "command")
                    self.assertEqual(rows, wanted)

    def run_and_lose_nothing(self, program, answers, ends):
        """`ends`: how often the program leaves a file that says so."""
        with programs.Folder() as folder:
            folder.write_records(RECORDS)
            (folder.root / "program.py").write_text(program)
            folder.write_program_job(f"[{programs.PYTHON}, program.py, {answers}]", max_rejects=0)
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(len(folder.rows()), RECORDS)
            self.assertEqual(ends, len(list(folder.root.glob("ended*"))))

    # Who crashes twice with one record is guilty to anybody who looks: so each does it once.
    def test_a_program_that_crashes_now_and_then_costs_nobody(self):
        self.run_and_lose_nothing(PROGRAM.replace(
            "    deed =", "    if record['id'] % 997 == 5 and not os.path.exists(f\"ended{record['id']}\"):\n"
            "        open(f\"ended{record['id']}\", 'w').close()\n        os.kill(os.getpid(), 11)\n    deed ="), "named", len(range(5, RECORDS, 997)))

    def test_a_program_that_is_killed_from_outside_costs_nobody(self):
        self.run_and_lose_nothing(PROGRAM.replace(
            "    deed =", "    if not os.path.exists('ended') and record['id'] == 3000:\n"
            "        open('ended', 'w').close()\n        os.kill(os.getpid(), 9)\n    deed ="), "ordered", 1)

    def test_one_that_keeps_its_answers_is_told_to_flush(self):
        program = PROGRAM.replace("import json", "import io, json").replace(
            "for line", "sys.stdout = io.TextIOWrapper(open(1, 'wb', 1 << 24), line_buffering=False)\nfor line", 1)
        with programs.Folder() as folder:
            folder.write_records(30_000)
            (folder.root / "program.py").write_text(program)
            folder.write_program_job(f"[{programs.PYTHON}, program.py, named]", step_workers="1", timeout="1s",
                                     startup_timeout="3s")
            done = folder.tranche("run", "job.yaml")
            self.assertEqual(done.code, 1, done)
            self.assertIn("flush", done.err)


if __name__ == "__main__":
    print(f"seed {SEED}")
    unittest.main(verbosity=2)
