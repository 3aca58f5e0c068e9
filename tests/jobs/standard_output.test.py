#!/usr/bin/env python3
"""Writing to standard output: what a reader of the pipe sees, and that nothing goes on in the middle of it."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 20_000


def job_text(write='csv: "-"', more="", rows=500):
    return f"""job: piped
steps:
  - name: load
    read: {{ csv: in.csv, columns: {{ id: integer, name: varchar }} }}
    batch: {{ rows: {rows} }}
    write: {{ {write} }}
{more}"""


class Case(scenes.Case):
    def scene(self, job, workers="2", bad=()):
        made = scenes.Scene(job, workers)
        self.addCleanup(made.__exit__)
        made.write("in.csv", "id,name\n" + "".join(f"{'x' if i in bad else i},name {i}\n" for i in range(RECORDS)))
        return made


class StandardOutput(Case):
    def test_has_the_data_in_order_whoever_works_and_nothing_else(self):
        text = "id,name\n" + "".join(f"{i},name {i}\n" for i in range(RECORDS))
        for workers in ("1", "3", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                scene = self.scene(job_text(), workers)
                done = self.expect(0, scene.run())
                self.assertEqual(text, done.out)
                summary = json.loads(done.err.splitlines()[-1])
                self.assertEqual(("completed", RECORDS), (summary["state"], summary["steps"][0]["written"]))
                self.assertFalse((scene.root / "-").exists())

    def test_takes_json_lines(self):
        scene = self.scene(job_text(write='jsonl: "-"'))
        done = self.expect(0, scene.run())
        self.assertEqual(list(range(RECORDS)), [json.loads(line)["id"] for line in done.out.splitlines()])

    def test_has_what_was_committed_before_a_failure_and_the_next_run_begins_anew(self):
        scene = self.scene(job_text(), bad=[1_234])
        for _ in range(2):
            done = self.expect(1, scene.run(), "in.csv, line 1236", "begins anew")
            self.assertEqual(1_000, len(done.out.splitlines()) - 1)
            self.assertNotIn("goes on", done.err)
        self.expect(2, scene.type("resume", "last", "--state", scene.state), "can't be gone on with")
        done = self.expect(0, scene.run("--max-rejects", "1"))
        self.assertEqual(RECORDS - 1, len(done.out.splitlines()) - 1)

    def test_gets_no_second_engine_after_a_crash(self):
        scene = self.scene(job_text())
        done = self.expect(1, scene.run(fault="kill:committed:2"), "can't be taken back", '{"error"')
        self.assertEqual([str(i) for i in range(1_000)], [line.split(",")[0] for line in done.out.splitlines()[1:]])

    def test_that_nobody_reads_any_more_ends_the_run_with_a_sentence(self):
        scene = self.scene(job_text(rows=100))
        process = scene.start("run", scene.job)
        self.assertEqual("id,name\n", process.stdout.readline())
        process.stdout.close()
        err = process.stderr.read()
        self.assertEqual(1, process.wait(timeout=scenes.SECONDS_MAX), err)
        process.stderr.close()
        self.assertIn("has closed it", err)
        self.assertEqual(1, err.count("Error:"), err)

    def test_is_for_one_step(self):
        more = '  - { name: again, read: { csv: in.csv }, write: { jsonl: "-" } }\n'
        done = self.expect(2, self.scene(job_text(more=more)).run(), "write to standard output")
        self.assertEqual("", done.out)

    def test_is_not_kept_to_be_verified(self):
        scene = self.scene(job_text())
        self.expect(0, scene.run())
        done = scene.type("verify", "last", "--state", scene.state)
        self.assertNotEqual(0, done.code, done)
        self.assertIn("kept nowhere", done.out + done.err)


if __name__ == "__main__":
    unittest.main()
