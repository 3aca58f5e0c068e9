#!/usr/bin/env python3
"""Files of web servers and of S3 as sources: the same bytes as from files here, whatever the workers, the kills and
what the server does; an object that changes is noticed; no secret is seen or kept.
"""
import gzip
import os
import pathlib
import random
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import http_server
import scene as scenes

for name in http_server.FOREIGN:
    os.environ.pop(name, None)

RECORDS = 160_000  # more than three blocks
SECRET = "s3cr3t-Pa55word"
SIGNATURE = "S1gn-4tur3"
BAD = (405, 100_011)
FAST = "retry: { attempts: 5, backoff: 5ms }, max_rejects: 10"


def csv_text(records=RECORDS, first=0):
    lines = (f"bad-{i},text" if i in BAD else f'{i},"text, {i * 7919}\n{i % 7}"' for i in range(first, first + records))
    return "a,b\n" + "".join(line + "\n" for line in lines)


def jsonl_text(records=RECORDS):
    return "".join(f'{{"a": {"true" if i in BAD else i}, "b": "text {i * 7919}"}}\n' for i in range(records))


def job_text(read, write="csv: out/o.csv", rows=8_000, more="", columns="columns: { a: integer, b: varchar }"):
    return f"""job: remote
memory: 256MiB
steps:
  - name: load
    read: {{ {read}{', ' + columns if columns else ''} }}
    batch: {{ rows: {rows} }}
    on_error: {{ {FAST} }}{more}
    write: {{ {write} }}
"""


class Case(scenes.Case):
    def scene(self, job, workers=None):
        scene = scenes.Scene(job, workers)
        self.addCleanup(scene.__exit__)
        return scene

    known = {}  # what local() found

    def local(self, name, data):
        """The output and the rejects of a run that reads the same from a file here."""
        if (name, len(data)) not in self.known:
            scene = self.scene(job_text(f"{name.split('.')[-1]}: {name}"))
            scene.write(name, data)
            self.expect(0, scene.run())
            self.known[name, len(data)] = scene.output(), scene.rejects()
        return self.known[name, len(data)]

    def expect_no_secret(self, scene, *done):
        for one in done:
            for secret in (SECRET, SIGNATURE):
                self.assertNotIn(secret, one.out + one.err)
        for path in scene.root.rglob("*"):
            if path.is_file() and path != scene.job:
                for secret in (SECRET, SIGNATURE):
                    self.assertNotIn(secret.encode(), path.read_bytes(), path)


class OfNginx(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = scenes.Scene("")
        cls.csv, cls.jsonl = csv_text().encode(), jsonl_text().encode()
        cls.small = csv_text(9_000).encode()
        cls.folder.write("www/sales.csv", cls.csv)
        cls.folder.write("www/small.csv", cls.small)
        cls.folder.write("www/more sales.csv", csv_text(1_000, 200_000))
        cls.folder.write("www/sales.jsonl", cls.jsonl)
        cls.folder.write("www/sales.csv.gz", gzip.compress(cls.csv, 1))
        cls.folder.write("www/empty.csv", "")
        cls.www = cls.folder.root / "www"
        cls.server = http_server.Nginx(cls.www, password=SECRET).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        cls.folder.__exit__()

    def fetched(self, before=0):
        return sum(sent for status, sent, _, _ in self.server.requests()[before:] if status == 206)

    def test_output_equals_that_of_local_files_whatever_the_workers(self):
        processes = "{ processes: 2 }"
        for key, data, counts in (("csv", self.csv, (1, 7, processes)), ("jsonl", self.jsonl, (3, processes))):
            output, rejects = self.local(f"sales.{key}", data)
            url = f"{self.server.url}/sales.{key}"
            for workers in counts:
                scene = self.scene(job_text(f'{key}: "{url}"'), workers)
                before = len(self.server.requests())
                done = self.expect(0, scene.run())
                self.assertEqual(output, scene.output(), f"{key}, {workers}")
                self.assertEqual([dict(reject, source=url) for reject in rejects], scene.rejects())
                self.assertEqual(RECORDS - len(BAD), done.json["steps"][0]["read"])
                if isinstance(workers, int):  # threads take what the planner has fetched
                    self.assertLess(self.fetched(before), len(data) + 100)

    def test_guesses_lists_and_the_name_of_the_file(self):
        urls = [f"{self.server.url}/moved/sales.csv", f"{self.server.url}/more%20sales.csv"]
        more = "\n    process:\n      - sql: SELECT a, _file FROM batch WHERE a IN (7, 200007)"
        scene = self.scene(job_text(f"csv: {urls}", columns="", more=more), 2)
        self.expect(0, scene.run())
        self.assertEqual([f"7,{urls[0]}", f"200007,{urls[1]}"], (scene.out / "o.csv").read_text().splitlines()[1:])
        self.expect(0, scene.type("check", scene.job))
        self.expect(0, scene.type("preview", scene.job), "text, 7919")
        self.expect(0, scene.type("plan", scene.job), "21")

    def test_a_remote_file_is_looked_up_in(self):
        url = f"{self.server.url}/more%20sales.csv"
        more = f"""
    process:
      - sql: SELECT a, known.b FROM batch JOIN known USING (a)
        tables: {{ known: {{ csv: "{url}?sig={SIGNATURE}" }} }}"""
        scene = self.scene(job_text(f'csv: "{url}"', more=more))
        done = self.expect(0, scene.run())
        self.assertEqual(1_000, done.json["steps"][0]["written"])
        self.expect_no_secret(scene, done)

    def test_compressed(self):
        output, rejects = self.local("sales.csv", self.csv)
        url = f"{self.server.url}/sales.csv.gz"
        for workers in (2, "{ processes: 2 }"):
            scene = self.scene(job_text(f'csv: "{url}?x=1"'), workers)
            self.expect(0, scene.run())
            self.assertEqual(output, scene.output())
            self.assertEqual([dict(reject, source=url) for reject in rejects], scene.rejects())
        self.folder.write("www/cut.csv.gz", gzip.compress(self.small, 1)[:-20])
        scene = self.scene(job_text(f'csv: ["{self.server.url}/cut.csv.gz", "{self.server.url}/small.csv"], '
                                    'bad_file: reject'))
        done = self.expect(0, scene.run())
        self.assertEqual((9_000 - 1, 2), tuple(done.json["steps"][0][key] for key in ("written", "rejected")))

    def test_after_kills_a_resume_fetches_what_is_left(self):
        output, _ = self.local("sales.csv", self.csv)
        draw = random.Random(5)
        for workers, point in ((2, "recorded"), ("{ processes: 2 }", "committed")):
            scene = self.scene(job_text(f'csv: "{self.server.url}/sales.csv"'), workers)
            process = scene.start_run(fault=f"kill:{point}:{draw.randint(9, 11)}")
            watch = scene.watch()
            scenes.wait_until(lambda: process.poll() is not None or watch.look().commits >= 12, "no commits")
            scenes.kill_group(process)
            process.communicate()
            before = len(self.server.requests())
            again = self.expect(0, scene.run())
            self.assertGreater(again.json["steps"][0]["batches_resumed"], 8)
            self.assertEqual(output, scene.output())
            ranges = [asked for _, _, _, asked in self.server.requests()[before:]]
            self.assertFalse([asked for asked in ranges if asked.startswith("bytes=1048576-")], ranges)

    def test_an_empty_file_has_no_records(self):
        for empty, code in (("ok", 0), ("fail", 2)):
            scene = self.scene(job_text(f'csv: "{self.server.url}/empty.csv", empty: {empty}'))
            self.expect(code, scene.run())

    def test_what_is_wrong_is_said_before_the_start(self):
        host = self.server.url
        for read, words in ((f'csv: "{host}/none.csv?sig={SIGNATURE}"',
                             f"No such object: {host}/none.csv: the server answers 404"),
                            (f'csv: "{host.replace("//", f"//ann:{SECRET}x@")}/locked/sales.csv"', "401"),
                            (f'csv: "http://nowhere.invalid/a.csv?sig={SIGNATURE}"', "nowhere.invalid"),
                            (f'csv: "{host}/*.csv?sig={SIGNATURE}"', "pattern"),
                            (f'csv: ["{host}/sales.csv", "{host}/sales.csv"]', "named twice"),
                            (f'csv: "{host}/sales.csv?sig={SIGNATURE}", incremental: {{ files: true }}', "remote"),
                            ('csv: "s3://bucket"', "s3://bucket/key"),
                            (f'parquet: "{host}/a.parquet?sig={SIGNATURE}"', "csv and jsonl")):
            columns = "" if "parquet" in read else "columns: { a: integer, b: varchar }"
            scene = self.scene(job_text(read, columns=columns))
            done = self.expect(2, scene.run(), words)
            self.expect_no_secret(scene, done)

    def test_secrets_of_urls_are_nowhere(self):
        os.environ["REMOTE_SIGNATURE"] = SIGNATURE
        self.addCleanup(os.environ.pop, "REMOTE_SIGNATURE")
        output, _ = self.local("small.csv", self.small)
        url = f"{self.server.url.replace('//', f'//ann:{SECRET}@')}/locked/small.csv?sig="
        for query, workers in ((SIGNATURE, 2), ("${env:REMOTE_SIGNATURE}", "{ processes: 2 }")):
            scene = self.scene(job_text(f'csv: "{url}{query}"'), workers)
            done = [self.expect(0, scene.run())]
            self.assertEqual(output, scene.output())
            done += [scene.type(*words) for words in (("check", scene.job), ("plan", scene.job), ("status", "last"),
                                                      ("verify", "last"), ("rejects", "last"))]
            self.expect_no_secret(scene, *done)

    def test_a_url_that_is_signed_anew_is_the_same_file(self):
        scene = self.scene(job_text(f'csv: "{self.server.url}/sales.csv?sig={SIGNATURE}"', rows=10_000))
        process = scene.start_run(fault="kill:committed:5")
        process.communicate()
        scenes.kill_group(process)
        scene.write_job(job_text(f'csv: "{self.server.url}/sales.csv?sig={SIGNATURE}2"', rows=10_000))
        self.expect(0, scene.run())

    def test_a_file_that_changed_between_run_and_resume_is_noticed(self):
        path = self.folder.write("www/changing.csv", csv_text(50_000))
        scene = self.scene(job_text(f'csv: "{self.server.url}/changing.csv"', rows=5_000))
        for _ in range(3):  # the supervisor starts the engine anew, until it makes no progress
            process = scene.start_run(fault="kill:committed:3")
            watch = scene.watch()
            scenes.wait_until(lambda: process.poll() is not None or watch.look().commits >= 3, "no commits")
            scenes.kill_group(process)
            process.communicate()
            if 0 < scene.look().commits < 10:
                break
        stamp = path.stat()
        path.write_text(csv_text(50_000).replace("text, 0", "text, 1"))
        os.utime(path, (stamp.st_atime, stamp.st_mtime + 10))
        self.expect(2, scene.run(), "ETag")
        self.expect(2, scene.run("--accept", "input"), "is not what it was")
        path.write_text(csv_text(50_000))
        os.utime(path, (stamp.st_atime, stamp.st_mtime + 20))
        self.expect(0, scene.run("--accept", "input"))


class Misbehaving(Case):
    DATA = csv_text(60_000).encode()

    def run_with(self, misbehave, code=0, words=(), workers=2, tag='"one"', knows_conditions=True):
        with http_server.Scripted({"/a.csv": self.DATA}, misbehave, tag, knows_conditions) as server:
            scene = self.scene(job_text(f'csv: "{server.url}/a.csv?sig={SIGNATURE}"'), workers)
            done = self.expect(code, scene.run(), *words)
            self.expect_no_secret(scene, done)
            if code == 0:
                self.assertEqual(self.local("a.csv", self.DATA)[0], scene.output())
            return server, done

    def test_errors_that_pass_are_waited_for(self):
        def some(handler, number):
            if number in (1, 3, 6):
                return handler.answer(503 if number == 3 else 500, b"later")
            if number in (4, 8):
                return http_server.cut_in_the_middle(handler)
            return False
        self.run_with(some)

    def test_a_worker_that_meets_them_has_its_batch_tried_again(self):
        """In processes it is the workers who ask for ranges that begin at no block."""
        met = []

        def cut(handler, _):
            first = int(handler.headers["Range"][6:].split("-")[0])
            if first % (1 << 20) != 0 and len(met) < 2:
                met.append(first)
                return http_server.cut_in_the_middle(handler)
            return False
        _, done = self.run_with(cut, workers="{ processes: 2 }")
        self.assertEqual(2, len(met))
        self.assertGreater(done.json["steps"][0]["retries"], 0)

    def test_a_slow_server_is_waited_for(self):
        def trickle(handler, _):
            body, content_range = handler.piece(handler.data)
            handler.send_response(206)
            headers = {"Content-Range": content_range, "ETag": '"one"', "Content-Length": str(len(body))}
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            for at in range(0, len(body), 200_000):
                handler.wfile.write(body[at:at + 200_000])
                handler.wfile.flush()
                time.sleep(0.01)
            return True
        self.run_with(trickle)

    def test_a_server_without_ranges_is_refused(self):
        server, _ = self.run_with(lambda handler, _: handler.answer(200, self.DATA), 2, ["ranges", "Download"])
        self.assertEqual(1, len(server.asked))

    def test_without_a_tag_the_size_and_the_digests_guard(self):
        self.run_with(None, tag="")

    def test_an_object_that_changes_in_the_middle_is_never_mixed(self):
        def change(handler, number):
            if number == 3:
                handler.server.owner.tag = '"two"'
            return False
        for knows_conditions in (True, False):
            self.run_with(change, 1, ["another object", "ETag"],
                          knows_conditions=knows_conditions)

    def test_a_longer_object_is_noticed_without_a_tag(self):
        def grow(handler, number):
            if number == 3:
                handler.server.owner.files["/a.csv"] = self.DATA + b"1,x\n"
            return False
        self.run_with(grow, 1, ["another object", "bytes"], tag="")

    def test_a_gone_object_fails_the_run(self):
        _, done = self.run_with(lambda handler, number: number > 2 and handler.answer(404), 1, ["No such object"])
        self.assertEqual(1, done.code)

    def test_an_outage_is_no_bad_file(self):
        def outage(handler, number):
            return number in (2, 3) and handler.answer(503)
        with http_server.Scripted({"/a.csv": self.DATA}, outage) as server:
            scene = self.scene(job_text(f'csv: "{server.url}/a.csv", bad_file: reject'), 2)
            done = self.expect(0, scene.run())
            self.assertEqual(1, done.json["steps"][0]["rejected"])


class Tls(Case):
    def test_who_can_not_be_trusted_is_refused_and_whom_the_environment_trusts_is_read(self):
        with scenes.Scene("") as folder:
            folder.write("www/a.csv", csv_text(1_000))
            certificate = http_server.make_certificate(folder.root)
            with http_server.Nginx(folder.root / "www", certificate) as server:
                scene = self.scene(job_text(f'csv: "{server.url}/a.csv"'))
                self.expect(2, scene.run(), "certificate", "SSL_CERT_FILE")
                for variable in ("SSL_CERT_FILE", "CURL_CA_BUNDLE"):
                    os.environ[variable] = str(certificate[0])
                    self.addCleanup(os.environ.pop, variable, None)
                    self.expect(0, scene.run("--fresh"))
                    del os.environ[variable]
                self.assertEqual(self.local("a.csv", csv_text(1_000))[0], scene.output())


class OfS3(Case):
    """Against a stand-in that checks the signature, not against Amazon."""

    def setUp(self):
        for variable, value in (("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET),
                                ("AWS_SESSION_TOKEN", SIGNATURE), ("AWS_REGION", "eu-west-3")):
            os.environ[variable] = value
            self.addCleanup(os.environ.pop, variable, None)

    def test_objects_are_read_by_signed_requests(self):
        data = csv_text(60_000).encode()
        key = "of 2026/sales+é.csv"
        with http_server.Scripted({f"/sales/{key}": data},
                                  http_server.S3("AKIDEXAMPLE", SECRET, "eu-west-3", SIGNATURE)) as server:
            os.environ["AWS_ENDPOINT_URL"] = server.url + "/"
            self.addCleanup(os.environ.pop, "AWS_ENDPOINT_URL", None)
            for workers in (2, "{ processes: 2 }"):
                scene = self.scene(job_text(f'csv: "s3://sales/{key}"'), workers)
                done = self.expect(0, scene.run())
                self.assertEqual(self.local("a.csv", data)[0], scene.output())
                self.assertEqual({f"s3://sales/{key}"}, {reject["source"] for reject in scene.rejects()})
                self.expect_no_secret(scene, done)
            os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET + "x"
            self.expect(2, self.scene(job_text(f'csv: "s3://sales/{key}"')).run(), "403 (SignatureDoesNotMatch)")
            self.expect(2, self.scene(job_text('csv: "s3://sales/none.csv"')).run(), "403")
            os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET
            self.expect(2, self.scene(job_text('csv: "s3://sales/none.csv"')).run(),
                        "No such object: s3://sales/none.csv")
            del os.environ["AWS_SECRET_ACCESS_KEY"]
            self.expect(2, self.scene(job_text(f'csv: "s3://sales/{key}"')).run(), "AWS_SECRET_ACCESS_KEY")


if __name__ == "__main__":
    unittest.main()
