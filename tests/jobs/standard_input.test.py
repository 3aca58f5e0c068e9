#!/usr/bin/env python3
"""Reading standard input: spooled, so that it is read like a file by whoever works, and gone with its run."""
import gzip
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

RECORDS = 20_000
TEXT = "id,name\n" + "".join(f"{i},name {i}\n" for i in range(RECORDS))


def job_text(read='csv: "-"', write="csv: out/o.csv", more=""):
    return f"""job: piped
steps:
  - name: load
    read: {{ {read}, columns: {{ id: integer, name: varchar }} }}
    batch: {{ rows: 500 }}
    write: {{ {write} }}
{more}"""


class Case(scenes.Case):
    def scene(self, job, workers="2"):
        made = scenes.Scene(job, workers)
        self.addCleanup(made.__exit__)
        return made

    def pipe(self, scene, data, *more, fault=None, words=None):
        """Runs the job with the data in its standard input."""
        data = data if isinstance(data, bytes) else data.encode()
        ran = subprocess.run(scene.command(*(words or scene.run_words(*more))), cwd=scene.root, input=data,
                             capture_output=True, env=scene.environment(fault), timeout=scenes.SECONDS_MAX)
        return scenes.Done(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


class StandardInput(Case):
    def test_is_read_like_a_file_whoever_works(self):
        for workers in ("1", "3", "{ processes: 3 }"):
            with self.subTest(workers=workers):
                scene = self.scene(job_text(), workers)
                self.expect(0, self.pipe(scene, TEXT))
                self.assertEqual(TEXT, (scene.out / "o.csv").read_text())
                self.assertEqual([], scene.leavings())

    def test_goes_through_from_pipe_to_pipe(self):
        scene = self.scene(job_text(write='csv: "-"'))
        self.assertEqual(TEXT, self.expect(0, self.pipe(scene, TEXT)).out)

    def test_may_be_compressed(self):
        scene = self.scene(job_text(read='csv: "-", compression: gzip'))
        self.expect(0, self.pipe(scene, gzip.compress(TEXT.encode())))
        self.assertEqual(TEXT, (scene.out / "o.csv").read_text())

    def test_is_still_there_for_a_second_engine(self):
        for workers in ("2", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                scene = self.scene(job_text(), workers)
                self.expect(0, self.pipe(scene, TEXT, fault="kill:committed:7"), "started again")
                self.assertEqual(TEXT, (scene.out / "o.csv").read_text())

    def test_is_gone_with_a_run_that_failed_so_the_next_one_begins_anew(self):
        scene = self.scene(job_text())
        done = self.expect(1, self.pipe(scene, TEXT.replace("\n1234,", "\nx,")), "-, line 1236", "begins anew")
        self.assertNotIn("To go on", done.err)
        done = self.expect(0, self.pipe(scene, TEXT))
        self.assertEqual(0, done.json["steps"][0]["batches_resumed"])
        self.assertEqual(TEXT, (scene.out / "o.csv").read_text())

    def test_may_be_one_of_several_sources(self):
        read = 'csv: "-", columns: { id: integer, name: varchar } }, { csv: more.csv'
        scene = self.scene(job_text(read).replace("read: {", "read: [{").replace("varchar } }\n", "varchar } }]\n"))
        scene.write("more.csv", "name,id\nlast,-1\n")
        self.expect(0, self.pipe(scene, TEXT))
        self.assertEqual(TEXT + "-1,last\n", (scene.out / "o.csv").read_text())

    def test_is_checked_as_well(self):
        scene = self.scene(job_text().replace(", columns: { id: integer, name: varchar }", ""))
        done = self.pipe(scene, TEXT, words=["check", scene.job])
        self.expect(0, done, "bigint")

    def test_is_for_one_step_alone_and_no_file(self):
        again = '  - { name: again, read: { jsonl: "-" }, write: { csv: out/p.csv } }\n'
        self.expect(2, self.pipe(self.scene(job_text(more=again)), TEXT), "Two steps of the job read standard input")
        self.expect(2, self.pipe(self.scene(job_text(read='csv: ["-", "*.csv"]')), TEXT), "stands alone")
        self.expect(2, self.pipe(self.scene(job_text(read='csv: "-", on_done: { move: done }')), TEXT), "is no file")

    def test_of_a_terminal_is_refused(self):
        controller, terminal = os.openpty()
        self.addCleanup(os.close, controller)
        scene = self.scene(job_text())
        ran = subprocess.run(scene.command(*scene.run_words()), cwd=scene.root, stdin=terminal, capture_output=True,
                             env=scene.environment(), timeout=scenes.SECONDS_MAX, text=True)
        os.close(terminal)
        self.expect(2, scenes.Done(ran.returncode, ran.stdout, ran.stderr), "is a terminal")


if __name__ == "__main__":
    unittest.main()
