#!/usr/bin/env python3
"""Web APIs as a source: how pages follow each other, what is kept of them, and what goes wrong.
The example of docs/web-services.md runs word for word.
"""
import json
import os
import pathlib
import re
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import http_server
import program_scene
import scene as scenes
import web_service

for name in http_server.FOREIGN:
    os.environ.pop(name, None)

PAGE = (scenes.SOURCE / "docs" / "web-services.md").read_text()
EXAMPLES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SECRET = "s3cr3t-Pa55word"
FAST = "{ attempts: 3, backoff: 5ms, max_backoff: 20ms }"
COLUMNS = "{ id: bigint, name: varchar }"
NEXT = "{ next: /links/next }"


def record(number):
    return {"id": number, "name": f"name {number}"}


def rows(count):
    return [f"{i},name {i}" for i in range(count)]


class Api:
    """So many records, in pages of `size`, in each of the ways that are known."""

    def __init__(self, count, size=3):
        self.count = count
        self.size = size

    def page(self, begin):
        return [record(i) for i in range(begin, min(self.count, begin + self.size))]

    def __call__(self, call):
        if call.path == "/next":
            begin = int(call.query.get("from", 0))
            following = begin + self.size
            link = f"/next?from={following}" if following < self.count else None
            return 200, {"data": self.page(begin), "links": {"next": link}}
        if call.path == "/link":
            begin = int(call.query.get("from", 0))
            more = f'<?from={begin + self.size}>; rel="next", ' if begin + self.size < self.count else ""
            return 200, {"data": self.page(begin)}, {"Link": more + '</link?from=0>; title="a, b"; rel="first"'}
        if call.path == "/cursor":
            begin = int(call.query.get("after", "c0")[1:])
            following = begin + self.size
            return 200, {"data": self.page(begin), "meta": {"next": f"c{following}" if following < self.count else ""}}
        if call.path == "/number":
            return 200, {"data": self.page((int(call.query["page"]) - 1) * self.size)}
        if call.path == "/offset":
            return 200, {"data": self.page(int(call.query["offset"]))}
        return 404, "no such page"


class Case(unittest.TestCase):
    maxDiff = 4000

    def service(self, answer):
        service = web_service.Service(answer)
        service.__enter__()
        self.addCleanup(service.__exit__)
        return service

    def folder(self, url, **options):
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        self.write_job(folder, url, **options)
        return folder

    def write_job(self, folder, url, batch=1000, workers="2", max_rejects=0, process="", write="{ csv: out.csv }",
                  **options):
        for key, value in (("retry", FAST), ("records", "/data"), ("columns", COLUMNS)):
            options.setdefault(key, value)
        more = "".join(f"      {key}: {value}\n" for key, value in options.items() if value)
        folder.write_job(f"job: pages\nsteps:\n  - name: load\n    read:\n      http: \"{url}\"\n{more}"
                         f"    batch: {{ rows: {batch} }}\n{process}    on_error: {{ max_rejects: {max_rejects} }}\n"
                         f"    workers: {workers}\n    write: {write}\n")

    def run_well(self, folder):
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 0, done)
        return folder.rows()

    def run_badly(self, answer, code, *said, path="/next", **options):
        service = self.service(answer)
        folder = self.folder(service.url + path, **options)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, code, done)
        for words in said:
            self.assertIn(words, done.err)
        return folder, service

    def kept(self, folder):
        return list(folder.root.glob(".tranche/runs/*/fetched/*"))


class Example(Case):
    def test_the_one_of_the_page(self):
        first = json.loads(EXAMPLES["page.json"])
        second = {"orders": [{"id": 3, "placed": "2026-03-02", "total": "7.25"}], "next": None}

        def answer(call):
            self.assertEqual(call.headers["authorization"], "Bearer t0ken")
            self.assertEqual((call.method, call.query["limit"]), ("GET", "2"))
            return 200, second if call.query.get("cursor") == "eyJpZCI6Mn0" else first
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        folder.write_job(EXAMPLES["pages.yaml"])
        os.environ.update(SHOP_URL=self.service(answer).url, SHOP_TOKEN="t0ken")
        for name in ("SHOP_URL", "SHOP_TOKEN"):
            self.addCleanup(os.environ.pop, name)
        self.run_well(folder)
        self.assertEqual((folder.root / "out.csv").read_text(), EXAMPLES["pages.csv"])


class Paging(Case):
    WAYS = {"/next": NEXT, "/link": "{ next: link }", "/cursor": "{ cursor: /meta/next, parameter: after }",
            "/number": "{ number: page }", "/offset": "{ offset: offset }"}

    def test_all_pages_are_read_in_order_whatever_leads_from_one_to_the_next(self):
        for path, pages in self.WAYS.items():
            for count in (0, 2, 3, 8):
                with self.subTest(path=path, count=count):
                    service = self.service(Api(count))
                    folder = self.folder(service.url + path, pages=pages)
                    self.assertEqual(self.run_well(folder), rows(count))
                    self.assertEqual(self.kept(folder), [])

    def test_the_rest_of_the_query_stays_as_it_is(self):
        service = self.service(Api(4))
        folder = self.folder(service.url + "/offset?q=a%20b&offset=77&x=", pages="{ offset: offset }")
        self.assertEqual(self.run_well(folder), rows(4))
        self.assertEqual([call.target for call in service.calls], [f"/offset?q=a%20b&x=&offset={i}" for i in (0, 3, 4)])

    def test_without_pages_the_answer_is_all_there_is(self):
        service = self.service(lambda call: (200, [record(i) for i in range(4)]))
        self.assertEqual(self.run_well(self.folder(service.url, records="")), rows(4))
        self.assertEqual(len(service.calls), 1)

    def test_a_page_may_say_that_there_is_no_more(self):
        def answer(call):  # it would give its last page again
            page = min(int(call.query["page"]), 2)
            return 200, {"data": [record(page - 1)], "more": page < 2}
        service = self.service(answer)
        folder = self.folder(service.url, pages="{ number: page, more: /more }")
        self.assertEqual(self.run_well(folder), rows(2))

    def test_pages_may_count_from_zero(self):
        service = self.service(lambda call: (200, {"data": [record(0)] if call.query["p"] == "0" else None}))
        self.assertEqual(self.run_well(self.folder(service.url, pages="{ number: p, first: 0 }")), rows(1))

    def test_batches_are_of_several_pages_or_of_parts_of_one(self):
        for batch in (1, 2, 5, 7):
            for workers in ("1", "3", "{ processes: 2 }"):
                with self.subTest(batch=batch, workers=workers):
                    service = self.service(Api(20))
                    folder = self.folder(service.url + "/next", pages=NEXT, batch=batch, workers=workers)
                    done = folder.tranche("run", "job.yaml", "--json")
                    self.assertEqual(folder.rows(), rows(20), done)
                    step, = json.loads(done.out)["steps"]
                    self.assertEqual(step["batches"], -(-20 // batch))
                    self.assertEqual(len(service.calls), 7)

    def test_columns_are_guessed_from_the_first_page(self):
        service = self.service(Api(5))
        folder = self.folder(service.url + "/next", pages=NEXT, columns="", workers="{ processes: 2 }")
        self.assertEqual(self.run_well(folder), rows(5))
        self.assertEqual(len(service.calls), 2)

    def test_records_may_lie_over_lines_and_hold_anything(self):
        body = b'{"data": [\n {"id": 0,\r\n  "name": "a\\nb"},\n\n {"id": 1, "name": "[{"}\n]}'
        service = self.service(lambda call: (200, body))
        folder = self.folder(service.url, write="{ jsonl: out.jsonl }")
        self.assertEqual(folder.tranche("run", "job.yaml").code, 0)
        self.assertEqual([json.loads(line) for line in (folder.root / "out.jsonl").read_text().splitlines()],
                         [{"id": 0, "name": "a\nb"}, {"id": 1, "name": "[{"}])

    def test_it_is_one_of_several_sources(self):
        service = self.service(Api(4))
        folder = self.folder(service.url)
        (folder.root / "more.csv").write_text("id,name\n4,name 4\n")
        folder.write_job("job: pages\nsteps:\n  - name: load\n    read:\n"
                         f"      - {{ http: \"{service.url}/next\", records: /data, pages: {NEXT}, columns: {COLUMNS} }}\n"
                         "      - { csv: more.csv }\n    write: { csv: out.csv }\n")
        self.assertEqual(self.run_well(folder), rows(5))

    def test_each_run_asks_anew(self):
        api = Api(4)
        service = self.service(api)
        folder = self.folder(service.url + "/next", pages=NEXT, write="{ sqlite: out.db, table: t, mode: append }")
        for count in (4, 5):
            api.count = count
            done = folder.tranche("run", "job.yaml", "--json")
            self.assertEqual(json.loads(done.out)["steps"][0]["written"], count, done)

    def test_plan_and_preview_keep_nothing(self):
        service = self.service(Api(8))
        folder = self.folder(service.url + "/next", pages=NEXT, batch=4)
        self.assertIn("name 1", folder.tranche("preview", "job.yaml", "--rows", "2").out)
        self.assertEqual(len(service.calls), 1)
        self.assertEqual(folder.tranche("plan", "job.yaml").code, 0)
        self.assertEqual(folder.tranche("check", "job.yaml", "--data").code, 0)
        self.assertEqual(list(folder.root.glob(".tranche/runs/*")), [])


class Resuming(Case):
    def test_a_killed_run_goes_on_behind_the_pages_that_it_has(self):
        for workers in ("2", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                gate = threading.Event()
                api = Api(60)

                def answer(call):
                    if int(call.query.get("from", 0)) >= 30 and not gate.is_set():
                        gate.wait(60)
                        return None
                    return api(call)
                service = self.service(answer)
                folder = self.folder(service.url + "/next", pages=NEXT, batch=7, workers=workers)
                folder.start_and_kill_when(lambda: len(service.calls) == 11)
                gate.set()
                api.page = lambda begin: [{"id": i, "name": f"new {i}"} for i in range(begin, min(60, begin + 3))]
                self.assertEqual(self.run_well(folder), rows(30) + [f"{i},new {i}" for i in range(30, 60)])
                self.assertEqual(len(service.calls), 20 + 1)  # that in flight
                self.assertEqual(self.kept(folder), [])

    def test_a_page_that_always_fails_fails_the_run_which_then_goes_on_with_it(self):
        api = Api(12)
        broken = threading.Event()
        broken.set()

        def answer(call):
            return (503, b"closed") if broken.is_set() and call.query.get("from") == "6" else api(call)
        folder, service = self.run_badly(answer, 1, "Page 3 (GET http://127.0.0.1", "/next) answers 503: \"closed\".",
                                         "Tried 3 times", "goes on with this page", pages=NEXT, batch=2)
        self.assertEqual(len(service.calls), 2 + 3)
        broken.clear()
        self.assertEqual(self.run_well(folder), rows(12))
        self.assertEqual(len(service.calls), 5 + 2)

    def test_what_may_pass_is_tried_again_and_retry_after_is_heeded(self):
        api = Api(9)
        troubles = [(429, "", {"Retry-After": "1"}), (500, ""), None]

        def answer(call):
            return troubles.pop() if troubles and call.query.get("from") == "3" else api(call)
        service = self.service(answer)
        folder = self.folder(service.url + "/next", pages=NEXT, retry="{ attempts: 4, backoff: 5ms }")
        self.assertEqual(self.run_well(folder), rows(9))
        self.assertGreaterEqual(service.calls[4].time - service.calls[3].time, 0.9)

    def test_what_was_asked_for_otherwise_is_not_gone_on_with(self):
        api = Api(12)
        folder, service = self.run_badly(lambda call: (400, "no") if "from" in call.query else api(call), 1, "answers 400",
                                         pages=NEXT, batch=2)
        self.write_job(folder, service.url + "/next?status=open", pages=NEXT, batch=2)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 2, done)
        self.assertIn("asked for otherwise", done.err)

    def test_rejects_are_processed_again_from_what_was_kept(self):
        service = self.service(lambda call: (200, {"data": [{"id": 0, "name": "a"}, {"id": "x", "name": "b"}]}))
        folder = self.folder(service.url, max_rejects=5)
        self.assertEqual(self.run_well(folder), ["0,a"])
        self.assertIn("bigint", folder.errors()[1])
        self.write_job(folder, service.url, max_rejects=5, columns="{ id: varchar, name: varchar }")
        done = folder.tranche("retry-rejects", "last", "--accept", "job")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(folder.rows(), ["0,a", "x,b"])
        self.assertEqual(len(service.calls), 1)

    def test_a_stop_does_not_wait_for_a_service_that_is_silent(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        api = Api(30)

        def answer(call):
            if call.query.get("from") == "15" and not gate.is_set():
                gate.wait(60)
            return api(call)
        service = self.service(answer)
        folder = self.folder(service.url + "/next", pages=NEXT, batch=3)
        folder.start_and_stop_when(lambda: len(service.calls) == 6)
        self.assertFalse(gate.is_set())
        gate.set()
        self.assertEqual(self.run_well(folder), rows(30))


class Troubles(Case):
    def test_pages_that_come_for_ever_are_an_error(self):
        def data(link):
            return 200, {"data": [record(1)], "links": {"next": link}, "meta": {"next": link}}
        around = ["/next?n=1", "/next?n=2", "/next?n=0"]
        for words, answer, pages in (
                ("was there before", lambda call: data("same"), "{ cursor: /meta/next }"),
                ("was there before", lambda call: data(around[int(call.query.get("n", 0))]), NEXT),
                ("names itself", lambda call: data(call.target), NEXT),
                ("the same records as the page before", lambda call: data(""), "{ number: page }"),
                ("the same records as the page before", lambda call: data(""), "{ offset: start }")):
            with self.subTest(words=words, pages=pages):
                _, service = self.run_badly(answer, 2, words, "Page ", pages=pages)
                self.assertLess(len(service.calls), 12)

    def test_what_is_wrong_with_the_first_page_is_said_before_the_start(self):
        for words, body, options in (
                ("with nothing at /data", {"items": []}, {}),
                ("with an object at /data", {"data": {}}, {}),
                ("with an object where an array of records was expected", {"data": []}, {"records": ""}),
                ("is no JSON (byte 9:", b'{"data": oops}', {}),
                ("without anything in it", b"", {}),
                ("without true or false at /more", {"data": []}, {"pages": "{ number: p, more: /more }"}),
                ("so the columns can't be guessed", {"data": []}, {"columns": ""}),
                ("more than 1 KiB", {"data": ["x" * 2000]}, {"max_answer": "1KiB"})):
            with self.subTest(words=words):
                folder, _ = self.run_badly(lambda call, body=body: (200, body), 2, words, path="/v1?key=K", **options)
                self.assertEqual(list(folder.root.glob(".tranche/runs/*")), [])
        self.run_badly(lambda call: (401, b"who are you?"), 2, "/v1) answers 401: \"who are you?\"", path="/v1?key=K")

    def test_a_link_to_another_server_is_not_followed(self):
        other = self.service(Api(3))
        _, service = self.run_badly(
            lambda call: (200, {"data": [record(0)], "links": {"next": other.url + "/next?a=1"}}), 2,
            "on another server", other.url, pages=NEXT, headers="{ Authorization: secret }")
        self.assertEqual((other.calls, len(service.calls)), ([], 1))

    def test_a_server_that_is_not_trusted_is_not_asked(self):
        with program_scene.tempfile.TemporaryDirectory() as home:
            certificate = http_server.make_certificate(home)
            (pathlib.Path(home) / "p").write_text('{"data": [{"id": 0, "name": "name 0"}]}')
            with http_server.Nginx(home, certificate) as server:
                folder = self.folder(server.url + "/p")
                done = folder.tranche("run", "job.yaml")
                self.assertEqual(done.code, 2, done)
                self.assertIn("SSL_CERT_FILE", done.err)
                os.environ["SSL_CERT_FILE"] = str(certificate[0])
                self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
                self.assertEqual(self.run_well(folder), rows(1))

    def test_a_record_that_does_not_fit_costs_itself(self):
        service = self.service(lambda call: (200, {"data": [record(0), 5, {"id": "x"}, {"id": 9, "new": 1}, record(1)]}))
        folder = self.folder(service.url + "/v1?key=K", max_rejects=9)
        self.assertEqual(self.run_well(folder), rows(2))
        self.assertEqual(sorted(folder.errors()), [1, 2, 3])
        self.assertEqual({reject["source"] for reject in folder.rejects()}, {service.url + "/v1"})

    def test_check_says_what_is_wrong_and_where_without_a_call(self):
        for said, options in (
                ("one of next, cursor, number and offset", {"pages": "{ first: 1 }"}),
                ("has next and cursor", {"pages": "{ next: link, cursor: /a }"}),
                ("JSON pointer", {"records": "data"}),
                ("JSON pointer", {"pages": "{ next: data }"}),
                ("where number and offset begin", {"pages": "{ next: link, first: 1 }"}),
                ("is for a cursor", {"pages": "{ next: link, parameter: a }"}),
                ("name of a header", {"headers": "{ \"a b\": c }"}),
                ("is no rate", {"rate": "fast"}),
                ("begins with https://", {"url": "ftp://x/y"}),
                ("environment variable NO_SUCH_THING", {"url": "https://127.0.0.1:9/${env:NO_SUCH_THING}"}),
                ("for the http transform", {"headers": "{ A: \"${record.id}\" }"}),
                ('did you mean "records"', {"recrods": "/a"}),
                ("can't be a web API", {"process": "    process:\n      - sql: SELECT * FROM batch JOIN t USING (id)\n"
                                                   "        tables: { t: { http: \"http://127.0.0.1:9/\" } }\n"})):
            with self.subTest(**options):
                options.setdefault("url", "https://127.0.0.1:9/x")
                done = self.folder(**options).tranche("check", "job.yaml")
                self.assertEqual(done.code, 2, done)
                self.assertIn(said, done.out + done.err)
                self.assertRegex(done.out + done.err, r"job\.yaml:\d+:\d+")


class Secrets(Case):
    def test_they_are_sent_and_neither_kept_nor_shown(self):
        os.environ["WEB_SECRET"] = SECRET
        self.addCleanup(os.environ.pop, "WEB_SECRET")

        def answer(call):
            self.assertEqual((call.query["key"], call.headers["authorization"]), (SECRET, f"Bearer {SECRET}"))
            if call.query.get("n") == "3":
                return 403, f"your key {SECRET} is bad".encode()
            number = int(call.query.get("n", 0)) + 1
            return 200, {"data": [record(number)], "links": {"next": f"/v1?key={SECRET}&n={number}&price=$5"}}
        folder, service = self.run_badly(answer, 2, "your key ${env:WEB_SECRET} is bad", path="/v1?key=${env:WEB_SECRET}",
                                         pages=NEXT, headers="{ Authorization: \"Bearer ${env:WEB_SECRET}\" }")
        self.assertEqual(service.calls[-1].query["price"], "$5")
        done = folder.tranche("run", "job.yaml", "--json")
        self.assertNotIn(SECRET, done.out + done.err)
        self.assertEqual(service.calls[-1].query["n"], "3")
        for path in folder.root.rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
