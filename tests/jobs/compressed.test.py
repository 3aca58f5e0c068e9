#!/usr/bin/env python3
"""Compressed files, in and out: the same records and the same bytes whatever the compression, the number of workers and
the kills on the way; a resume that seeks; files that are cut off, mended and added to.
"""
import gzip
import os
import pathlib
import random
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

BAD = (405, 20_011)


def line(i):
    return f"bad-{i},text {i}" if i in BAD else f'{i},"text, {i * 7919}"'


def text_of(records, first=0):
    return "".join(line(i) + "\n" for i in range(first, first + records))


def members(text, count):
    """The text as so many gzip members, cut anywhere."""
    data = text.encode()
    size = len(data) // count + 1
    return b"".join(gzip.compress(data[i:i + size], 1) for i in range(0, len(data), size))


def job_text(read="csv: in.csv.gz", write="csv: out/o.csv", rows=1000, more=""):
    return f"""job: packed
memory: 256MiB
steps:
  - name: load
    read: {{ {read}, columns: {{ a: integer, b: varchar }} }}
    batch: {{ rows: {rows} }}
    on_error: {{ max_rejects: 10 }}{more}
    write: {{ {write} }}
"""


class Case(scenes.Case):
    maxDiff = 2000

    def scene(self, job, workers=None, **files):
        scene = scenes.Scene(job, workers)
        self.addCleanup(scene.__exit__)
        for name, data in files.items():
            scene.write(name.replace("_", "."), data)
        return scene

    def unpacked(self, scene, name):
        """The text of an output, unpacked by others where they can, by Tranche where not."""
        path = scene.out / name
        if path.suffix == ".gz":
            return gzip.decompress(path.read_bytes()).decode()
        if path.suffix == ".zst":
            key = "jsonl" if ".jsonl" in name else "csv"
            with scenes.Scene(f"job: back\nsteps:\n  - name: back\n    read: {{ {key}: '{path}', columns: {{ a: integer, "
                              f"b: varchar }} }}\n    write: {{ {key}: out/o.{key} }}\n") as back:
                self.expect(0, back.run())
                return (back.out / f"o.{key}").read_text()
        return path.read_text()


class ParquetLevels(Case):
    def parts(self, more):
        job = job_text("csv: in.csv", f"parquet: out/o, mode: replace{more}", 40_000)
        scene = self.scene(job, in_csv="a,b\n" + text_of(40_000).replace("bad-", ""))
        self.expect(0, scene.run())
        return sum(part.stat().st_size for part in (scene.out / "o").glob("*.parquet"))

    def test_are_those_of_zstd(self):
        usual = self.parts("")
        self.assertEqual(self.parts(", compression_level: 1"), usual)
        self.assertNotEqual(self.parts(", compression_level: 19"), usual)
        self.assertLess(usual, self.parts(", compression: none"))

    def test_that_there_are_not_are_refused_at_their_place(self):
        for more, why in ((", compression_level: 0", "is 1 to 19, not 0"), (", compression_level: 20", "is 1 to 19, not 20"),
                          (", compression: snappy, compression_level: 3", "say `compression: zstd`")):
            scene = self.scene(job_text("csv: in.csv", f"parquet: out/o, mode: replace{more}"), in_csv="a,b\n" + text_of(10))
            self.expect(2, scene.run(), why)


class SameOutput(Case):
    def test_whatever_the_compression_and_the_workers(self):
        records = 25_000
        text = "a,b\n" + text_of(records)
        plain = self.scene(job_text("csv: in.csv"), in_csv=text)
        self.expect(0, plain.run())
        expected = (plain.out / "o.csv").read_text()
        self.assertEqual(records - len(BAD) + 1, expected.count("\n"))
        rejects = plain.rejects()
        for name in ("o.csv.gz", "o.csv.zst", "o.csv"):
            bytes_of = set()
            for workers in (1, 2, 7):
                scene = self.scene(job_text(write=f"csv: out/{name}"), workers, in_csv_gz=members(text, 3))
                self.expect(0, scene.run())
                self.assertEqual(expected, self.unpacked(scene, name))
                self.assertEqual([dict(reject, source="in.csv.gz") for reject in rejects], scene.rejects())
                self.expect(0, scene.type("verify", "last", "--state", scene.state))
                bytes_of.add((scene.out / name).read_bytes())
            self.assertEqual(1, len(bytes_of), name)

    def test_json_lines_and_sql_too(self):
        text = "a,b\n" + text_of(5_000)
        sql = "\n    process:\n      - sql: SELECT a, upper(b) AS b FROM batch WHERE a % 3 = 0"
        bytes_of = {}
        for workers in (1, 7):
            for name in ("o.jsonl.gz", "o.jsonl.zst"):
                scene = self.scene(job_text(write=f"jsonl: out/{name}, compression_level: 1", more=sql), workers,
                                   in_csv_gz=members(text, 2))
                self.expect(0, scene.run())
                self.assertEqual(1666, self.unpacked(scene, name).count("\n"))
                self.assertEqual(bytes_of.setdefault(name, (scene.out / name).read_bytes()),
                                 (scene.out / name).read_bytes())

    def test_an_output_without_records_is_a_whole_file_all_the_same(self):
        for write in ("jsonl: out/o.gz", "csv: out/o.gz, header: false", "csv: out/o.gz"):
            scene = self.scene(job_text(write=write), in_csv_gz=members("a,b\n", 1))
            self.expect(0, scene.run())
            self.assertEqual("a,b\n" if write == "csv: out/o.gz" else "", self.unpacked(scene, "o.gz"))

    def test_looking_at_a_compressed_file_works_as_at_a_plain_one(self):
        text = "a,b\n" + text_of(5_000)
        scene = self.scene(job_text(), in_csv_gz=members(text, 2))
        self.expect(0, scene.type("check", scene.job))
        self.expect(0, scene.type("plan", scene.job), "5")
        self.expect(0, scene.type("preview", scene.job), "text, 7919")
        done = scene.type("check", "--data", scene.job)
        self.assertIn("bad-405", done.out + done.err)
        scene.write_job(job_text().replace(", columns: { a: integer, b: varchar }", ""))
        self.expect(0, scene.type("check", scene.job), "varchar")


class Resumes(Case):
    RECORDS = 700_000  # more than two checkpoints
    HEAD = 1_000_000   # bytes of the file

    @classmethod
    def setUpClass(cls):
        cls.text = "a,b\n" + text_of(cls.RECORDS)
        cls.packed = gzip.compress(cls.text.encode(), 1)  # one member

    def job(self, name, more=""):
        return job_text(write=f"csv: out/{name}", rows=20_000, more=more)

    def test_after_kills_the_output_is_that_of_an_undisturbed_run(self):
        draw = random.Random(7)
        for name in ("o.csv.gz", "o.csv.zst"):
            undisturbed = self.scene(self.job(name), 2, in_csv_gz=self.packed)
            done = self.expect(0, undisturbed.run())
            for point in ("applied", "committed", "recorded"):
                scene = self.scene(self.job(name), 2, in_csv_gz=self.packed)
                # The supervisor starts the engine again by itself: without any commit in between, thrice at most.
                for _ in range(2):
                    process = scene.start_run(fault=f"kill:{point}:{draw.randint(3, 10)}")
                    watch = scene.watch()
                    scenes.wait_until(lambda: process.poll() is not None or watch.look().commits >= 12, "no commits")
                    scenes.kill_group(process)
                    process.communicate()
                again = self.expect(0, scene.run())
                self.assertGreater(again.json["steps"][0]["batches_resumed"], 0)
                self.assertEqual(undisturbed.output(), scene.output(), f"{name}, {point}")
                self.assertEqual(scenes.counts_of(done), scenes.counts_of(again))
                self.assertEqual(undisturbed.rejects(), scene.rejects())
                self.assertEqual([], scene.leavings())

    def checkpoints(self, scene):
        return scene.ask_ledger(lambda ledger: ledger.execute(
            "SELECT offset, file_offset, length(state) FROM checkpoints ORDER BY offset").fetchall())

    def interrupted(self):
        """A run that stood still in the middle, at its first reject too many."""
        job = self.job("o.csv").replace("max_rejects: 10", "max_rejects: 0")
        text = self.text.replace(line(BAD[0]), "405,was bad").replace(line(BAD[1]), "20011,was bad")
        text = text.replace(line(600_000), "bad,bad")
        packed = gzip.compress(text.encode(), 1)
        scene = self.scene(job, 2, in_csv_gz=packed)
        self.expect(1, scene.run(), "in.csv.gz, line 600002")
        return scene, text

    def test_a_resume_reads_from_the_checkpoints_of_the_plan(self):
        scene, text = self.interrupted()
        checkpoints = self.checkpoints(scene)
        self.assertGreaterEqual(len(checkpoints), 2)
        self.assertTrue(all(size < 33_000 for _, _, size in checkpoints), checkpoints)
        # What is between the head, which is looked at again, and the last checkpoint before the record is needed no
        # more: it may be anything, as long as size and time are the same.
        line_begin = text.index("bad,bad")
        begin = [file_offset for offset, file_offset, _ in checkpoints if offset < line_begin - 100_000][-1]
        path = scene.root / "in.csv.gz"
        status = path.stat()
        with open(path, "r+b") as file:
            file.seek(self.HEAD)
            file.write(bytes(begin - 1 - self.HEAD))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.expect(0, scene.run("--max-rejects", "1"))
        self.assertEqual([], self.checkpoints(scene), "they go with the seal")
        self.assertEqual(self.RECORDS, (scene.out / "o.csv").read_text().count("\n"))

    def test_a_mended_and_a_longer_file_are_accepted_and_every_record_comes_once(self):
        scene, text = self.interrupted()
        mended = text.replace("bad,bad", "600000,mended")
        scene.write("in.csv.gz", gzip.compress(mended.encode(), 6) + gzip.compress(b"700000,added\n"))
        self.expect(2, scene.run(), "in.csv.gz", "--accept input")
        done = self.expect(0, scene.run("--accept", "input"))
        self.assertGreater(done.json["steps"][0]["batches_resumed"], 20)
        keys = [int(text.split(",")[0]) for text in (scene.out / "o.csv").read_text().splitlines()[1:]]
        self.assertEqual(list(range(self.RECORDS + 1)), keys)

    def test_a_change_in_what_is_committed_is_never_accepted(self):
        scene, text = self.interrupted()
        scene.write("in.csv.gz", gzip.compress(text.replace("\n17,", "\n18,").encode(), 1))
        self.expect(2, scene.run("--accept", "input"), "batch 0", "--fresh")


class Damage(Case):
    def test_a_file_that_is_cut_off_fails_and_goes_on_when_it_is_whole(self):
        text = "a,b\n" + text_of(400_000, first=30_000)
        packed = gzip.compress(text.encode(), 1)
        scene = self.scene(job_text(rows=5000), in_csv_gz=packed[:-len(packed) // 10])
        self.expect(1, scene.run(), "in.csv.gz is cut off", f"byte {len(packed[:-len(packed) // 10])} of the file")
        commits = scene.look().commits
        scene.write("in.csv.gz", packed)
        done = self.expect(0, scene.run("--accept", "input"))
        self.assertEqual(commits, done.json["steps"][0]["batches_resumed"])
        self.assertEqual(400_001, (scene.out / "o.csv").read_text().count("\n"))

    def test_what_is_no_gzip_and_what_follows_it_is_said(self):
        scene = self.scene(job_text(), in_csv_gz="a,b\n1,x\n")
        self.expect(2, scene.run(), "in.csv.gz is no gzip file", "compression: none")
        scene.write_job(job_text("csv: in.csv.gz, compression: none"))
        self.expect(0, scene.run())
        packed = members("a,b\n" + text_of(300), 1)
        scene = self.scene(job_text(), in_csv_gz=packed + b"garbage")
        self.expect(2, scene.run(), f"from byte {len(packed)} of the file on")

    def test_an_encoding_that_the_file_denies_is_said(self):
        wide = "\ufeffa,b\n1,x\n".encode("utf-16le")
        scene = self.scene(job_text("csv: in.csv"), in_csv=wide)
        self.expect(2, scene.run(), "encoding: utf-16")
        scene.write_job(job_text("csv: in.csv, encoding: utf-16"))
        self.expect(0, scene.run())
        self.assertEqual("a,b\n1,x\n", (scene.out / "o.csv").read_text())
        scene.write_job(job_text("csv: in.csv, encoding: utf-16be"))
        self.expect(2, scene.run("--fresh"), "other order")


class OlderLedger(Case):
    def test_a_ledger_of_version_1_is_read_and_gets_what_it_lacks(self):
        scene = self.scene(job_text("csv: in.csv"), in_csv="a,b\n1,x\n")
        self.expect(0, scene.run())
        ledger = sqlite3.connect(scene.state / "ledger.db")
        ledger.executescript("DROP TABLE checkpoints; DROP TABLE trials; DROP TABLE input_states; DROP TABLE input_sources; DROP TABLE rejects_runs; "
                             "DROP TABLE windows; DROP TABLE windows_forgotten; DROP TABLE troubles; "
                             "ALTER TABLE commits DROP COLUMN work; ALTER TABLE runs DROP COLUMN details_forgotten; "
                             "PRAGMA user_version = 1;")
        ledger.close()
        self.expect(0, scene.type("runs", "--state", scene.state))
        self.expect(0, scene.run())
        self.assertEqual(9, scene.ask_ledger(lambda copy: copy.execute("PRAGMA user_version").fetchone()[0]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
