#!/usr/bin/env python3
"""Web services as business logic: what is sent, how answers are taken, what is tried again, and what a failing call costs.
The example of docs/web-services.md and that of the README run word for word.
"""
import os
import pathlib
import re
import sys
import threading
import time
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


class Case(unittest.TestCase):
    maxDiff = 4000

    def service(self, answer):
        service = web_service.Service(answer)
        service.__enter__()
        self.addCleanup(service.__exit__)
        return service

    def folder(self, records=6, texts=None, **options):
        """Records id,text in records.csv, and a job that calls with these options."""
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        folder.write_records(records, texts)
        self.write_job(folder, **options)
        return folder

    def write_job(self, folder, step_workers="2", max_rejects=1000, batch=1_000_000, before="", **options):
        options.setdefault("retry", FAST)
        options.setdefault("into", "{ score: double }")
        http = options.pop("http")
        more = "".join(f"        {key}: {value}\n" for key, value in options.items())
        folder.write_job("job: web\nsteps:\n  - name: score\n"
                         "    read: { csv: records.csv, columns: { id: bigint, text: varchar } }\n"
                         f"    batch: {{ rows: {batch} }}\n    process:\n{before}      - http: {http}\n{more}"
                         f"    on_error: {{ max_rejects: {max_rejects}, retry: {{ attempts: 2, backoff: 5ms }} }}\n"
                         f"    workers: {step_workers}\n    write: {{ csv: out.csv }}\n")

    def outcome(self, folder):
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 0, done)
        return folder.rows(), folder.errors()

    def run_with(self, answer, path="/score/${record.id}", **options):
        service = self.service(answer)
        folder = self.folder(http=service.url + path, **options)
        return (*self.outcome(folder), service)


class Examples(Case):
    def setUp(self):
        self.folder_of_example = program_scene.Folder()
        self.addCleanup(self.folder_of_example.__exit__)

    def run_job(self, text, environment):
        os.environ.update(environment)
        for name in environment:
            self.addCleanup(os.environ.pop, name)
        self.folder_of_example.write_job(text)
        done = self.folder_of_example.tranche("run", "job.yaml")
        self.assertEqual(done.code, 0, done)
        return (self.folder_of_example.root / "out.csv").read_text()

    def test_the_one_of_the_page(self):
        stock = {"lamp": ("19.90", "A 7"), "table, large": ("120.50", "C 1")}

        def answer(call):
            self.assertEqual(call.headers["authorization"], "Bearer t0ken")
            self.assertEqual(set(call.body), {"order", "quantity"})
            known = stock.get(call.path.removeprefix("/v1/items/"))
            return (200, {"price": known[0], "warehouse": {"shelf": known[1]}}) if known else (404, "no such item")
        (self.folder_of_example.root / "orders.csv").write_text(EXAMPLES["orders.csv"])
        made = self.run_job(EXAMPLES["job.yaml"], {"STOCK_URL": self.service(answer).url, "STOCK_TOKEN": "t0ken"})
        self.assertEqual(made, EXAMPLES["expected.csv"])

    def test_the_one_of_the_readme(self):
        blocks = re.findall(r"^```yaml\n(.*?)^```$", (scenes.SOURCE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
        process, = (block for block in blocks if "- http:" in block)
        service = self.service(lambda call: (200, {"score": len(call.body["sku"])}) if call.body["sku"] else (404, "none"))
        (self.folder_of_example.root / "in.csv").write_text('sku\nlamp\n""\n')
        made = self.run_job("job: readme\nsteps:\n  - name: score\n    read: { csv: in.csv, columns: { sku: varchar } }\n"
                            f"{process}    write: {{ csv: out.csv }}\n", {"SCORES_URL": service.url})
        self.assertEqual(made.splitlines(), ["sku,score", "lamp,4", '"",'])
        self.assertEqual({call.path for call in service.calls}, {"/v1/score"})


class Requests(Case):
    def test_values_are_percent_encoded_in_the_url_and_json_in_the_body(self):
        texts = {0: '"a b/?&é%,""../x"', 1: "plain"}
        rows, errors, service = self.run_with(
            lambda call: (200, {"score": call.body["n"]}), "/items/${record.text}?q=${record.text}&all=$$5", records=2,
            texts=texts, body="'{\"n\": ${record.id}, \"text\": ${record.text}, \"all\": ${record}}'", step_workers=1)
        self.assertEqual(errors, {})
        calls = {call.body["n"]: call for call in service.calls}
        text = 'a b/?&é%,"../x'
        self.assertEqual(calls[0].target.split("?")[0], "/items/a%20b%2F%3F%26%C3%A9%25%2C%22..%2Fx")
        self.assertEqual(calls[0].query, {"q": text, "all": "$5"})
        self.assertEqual(calls[0].body, {"n": 0, "text": text, "all": {"id": 0, "text": text}})
        self.assertEqual((calls[0].method, calls[0].headers["content-type"]), ("POST", "application/json"))
        self.assertEqual(rows[1], "1,plain,1")

    def test_a_value_that_climbs_up_the_path_stays_where_it_is(self):
        _, _, service = self.run_with(lambda call: (200, {"score": 1}), "/items/${record.text}/x", records=1,
                                      texts={0: ".."})
        self.assertEqual(service.calls[0].target, "/items/../x")

    def test_what_a_url_or_a_header_can_not_hold_rejects_its_record_without_a_call(self):
        rows, errors, service = self.run_with(
            lambda call: (200, {"score": 1}), records=3, texts={0: "", 1: '"a\r\nX-Evil: 1"'},
            headers="{ X-Text: \"${record.text}\" }")
        self.assertEqual(rows, ["2,text 2,1"])
        self.assertIn("null", errors[0])
        self.assertIn("control character", errors[1])
        self.assertEqual([call.headers["x-text"] for call in service.calls], ["text 2"])

    def test_the_key_of_a_record_is_the_same_in_every_try_and_another_for_each_record_and_run(self):
        def answer(call):
            return (503, {}) if service.keys().count(call.headers["idempotency-key"]) == 1 else (200, {"score": 1})
        service = self.service(answer)
        folder = self.folder(http=service.url + "/s", body="'{\"id\": 1}'")
        self.outcome(folder)
        keys = service.keys()
        self.assertEqual(len(keys), 12)
        self.assertEqual(len(set(keys)), 6)
        done = folder.tranche("run", "job.yaml", "--fresh")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(set(service.keys())), 12)

    def test_a_resume_calls_with_the_same_keys(self):
        broken = threading.Event()
        broken.set()

        def answer(call):
            return (400, "no") if broken.is_set() and call.body["id"] == 5 else (200, {"score": 1})
        service = self.service(answer)
        folder = self.folder(http=service.url + "/s", body="'{\"id\": ${record.id}}'", records=9, batch=3, max_rejects=0)
        self.assertEqual(folder.tranche("run", "job.yaml").code, 1)
        before = {call.body["id"]: call.headers["idempotency-key"] for call in service.calls}
        broken.clear()
        service.calls.clear()
        self.assertEqual(folder.tranche("run", "job.yaml").code, 0)
        after = {call.body["id"]: call.headers["idempotency-key"] for call in service.calls}
        self.assertNotIn(0, after)  # its batch was committed
        self.assertEqual(before[5], after[5])

    def test_a_get_has_no_key_and_the_method_may_be_said(self):
        for method, has_key in (("GET", False), ("PUT", True), ("DELETE", True)):
            _, _, service = self.run_with(lambda call: (200, {"score": 1}), records=1, method=method)
            self.assertEqual((service.calls[0].method, service.keys()[0] is not None), (method, has_key))


class Answers(Case):
    def test_columns_are_taken_by_name_or_pointer_with_their_types(self):
        answer = {"score": 1.5, "a": {"b/c": [10, {"d": "x"}]}, "more": [1, 2]}
        rows, errors, _ = self.run_with(
            lambda call: (200, answer), records=1,
            into="{ score: 'decimal(5,2)', d: { pointer: /a/b~1c/1/d, type: varchar }, text: { pointer: /nothing, type: "
                 "varchar }, more: 'bigint[]', all: { pointer: /a, type: json } }")
        self.assertEqual(errors, {})
        self.assertEqual(rows, ['0,,1.50,x,"[1,2]","{""b/c"": [10, {""d"": ""x""}]}"'])

    def test_an_answer_that_does_not_fit_rejects_its_record_and_shows_its_beginning(self):
        bodies = [{"score": "many"}, b"<html>", b"", {}, b'{"score": 1, "score": 2}', b"\xff\xfe"]
        rows, errors, service = self.run_with(lambda call: (200, bodies[int(call.path[-1])]),
                                              into="{ score: { type: double, null: error } }")
        self.assertEqual(rows, [])
        for record, words in enumerate(('Column "score"', "no JSON", "without anything", "required", "twice", "UTF-8")):
            self.assertIn(words, errors[record])
            self.assertIn(f"GET {service.url}/score/${{record.id}} answers 200", errors[record])
        self.assertIn("<html>", errors[1])

    def test_statuses_do_what_they_are_told(self):
        statuses = [200, 404, 410, 422, 204, 301]
        rows, errors, _ = self.run_with(lambda call: (statuses[int(call.path[-1])], {"score": 5}),
                                        on_status="{ 404: null, 410: skip, 204: null }")
        self.assertEqual(rows, ["0,text 0,5", "1,text 1,", "4,text 4,"])
        self.assertEqual(sorted(errors), [3, 5])
        self.assertIn('answers 422: "{""score"": 5}"'.replace('""', '"'), errors[3])

    def test_an_answer_that_is_too_long_rejects_its_record(self):
        rows, errors, service = self.run_with(
            lambda call: (200, {"score": 1, "x": "y" * (3000 if call.path.endswith("/2") else 3)}), max_answer="2KiB")
        self.assertEqual(len(rows), 5)
        self.assertIn("more than 2 KiB", errors[2])
        self.assertEqual(len(service.calls), 6)

    def test_the_order_of_the_records_is_kept_whatever_the_workers(self):
        def answer(call):
            time.sleep(0.002 * (call.number * 7 % 5))
            return 200, {"score": int(call.path.split("/")[-1])}
        for workers in ("1", "3", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                rows, _, _ = self.run_with(answer, records=200, step_workers=workers, batch=70)
                self.assertEqual(rows, [f"{i},text {i},{i}" for i in range(200)])


class Failures(Case):
    def test_what_may_pass_is_tried_again(self):
        seen = {}

        def answer(call):
            seen[call.path] = seen.get(call.path, 0) + 1
            return (200, {"score": 1}) if seen[call.path] > 2 else [(429, {}), (500, {}), None][int(call.path[-1]) % 3]
        rows, errors, _ = self.run_with(answer)
        self.assertEqual((len(rows), errors), (6, {}))
        self.assertEqual(set(seen.values()), {3})

    def test_a_record_that_always_fails_is_rejected_while_others_do_well(self):
        rows, errors, service = self.run_with(
            lambda call: (500, "broken") if call.path.endswith("/2") else (200, {"score": 1}), concurrency=2)
        self.assertEqual(len(rows), 5)
        self.assertIn('answers 500: ""broken""'.replace('""', '"\\"', 0), errors[2].replace('\\"', '"'))
        self.assertEqual(sum(call.path.endswith("/2") for call in service.calls), 3)

    def test_a_service_that_is_away_rejects_nobody_and_fails_the_run_that_then_goes_on(self):
        service = self.service(lambda call: (503, "closed"))
        folder = self.folder(http=service.url + "/${record.id}", records=3)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 1, done)
        self.assertIn("503", done.err)
        self.assertIn("no other record was answered", done.err)
        self.assertEqual(folder.rejects(), [])
        service.answer = lambda call: (200, {"score": 1})
        self.assertEqual(len(self.outcome(folder)[0]), 3)

    def test_a_bad_record_behind_all_others_is_called_for_first_when_the_batch_is_tried_again(self):
        service = self.service(lambda call: (500, "broken") if call.path.endswith("/5") else (200, {"score": 1}))
        folder = self.folder(http=service.url + "/${record.id}", concurrency=1, retry="{ attempts: 1 }", step_workers=1)
        rows, errors = self.outcome(folder)
        self.assertEqual((len(rows), list(errors)), (5, [5]))
        self.assertEqual([call.path[-1] for call in service.calls], list("012345" "50"))

    def test_retry_after_is_waited_for_by_all(self):
        rows, errors, service = self.run_with(
            lambda call: (429, {}, {"Retry-After": "1"}) if call.number == 1 else (200, {"score": 1}), records=3,
            concurrency=1)
        self.assertEqual((len(rows), errors), (3, {}))
        self.assertGreaterEqual(service.calls[1].time - service.calls[0].time, 0.9)

    def test_a_call_that_takes_too_long_is_given_up(self):
        def answer(call):
            if call.path.endswith("/1"):
                time.sleep(2)
            return 200, {"score": 1}
        rows, errors, _ = self.run_with(answer, records=3, timeout="200ms", retry="{ attempts: 1 }", concurrency=1)
        self.assertEqual(rows, ["0,text 0,1", "2,text 2,1"])
        self.assertIn("gives no answer", errors[1])

    def test_too_many_rejects_end_the_run_before_all_are_called_for(self):
        service = self.service(lambda call: (400, "no"))
        folder = self.folder(http=service.url + "/${record.id}", records=2000, max_rejects=0, concurrency=4)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 1, done)
        self.assertIn("answers 400", done.err)
        self.assertLess(len(service.calls), 200)

    def test_a_server_that_is_trusted_is_spoken_to_by_http_2_over_few_connections(self):
        with program_scene.tempfile.TemporaryDirectory() as home:
            certificate = http_server.make_certificate(home)
            for i in range(200):
                (pathlib.Path(home) / str(i)).write_text('{"score": 1}')
            os.environ["SSL_CERT_FILE"] = str(certificate[0])
            self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
            with http_server.Nginx(home, certificate) as server:
                rows, errors = self.outcome(self.folder(http=server.url + "/${record.id}", records=200, concurrency=40))
                protocols = server.protocols()
        self.assertEqual((len(rows), errors), (200, {}))
        self.assertEqual({protocol for protocol, _ in protocols}, {"HTTP/2.0"})
        self.assertLess(len({connection for _, connection in protocols}), 10)

    def test_a_server_that_is_not_trusted_fails_the_run(self):
        with program_scene.tempfile.TemporaryDirectory() as home:
            certificate = http_server.make_certificate(home)
            with http_server.Nginx(home, certificate) as server:
                folder = self.folder(http=server.url + "/${record.id}", records=2)
                done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 1, done)
        self.assertIn("SSL_CERT_FILE", done.err)
        self.assertEqual(folder.rejects(), [])


class Several(Case):
    """Calls about several records."""

    OPTIONS = {"records_per_call": 4, "body": "'{\"asked\": ${records}}'", "answers": "/results", "step_workers": 1}

    @staticmethod
    def results(call, score=lambda record: {"score": record["id"]}):
        return 200, {"results": [score(record) for record in call.body["asked"]]}

    def run_several(self, answer, **options):
        return self.run_with(answer, "/scores", **{**self.OPTIONS, **options})

    def test_the_one_of_the_page(self):
        def answer(call):
            return 200, {"items": [{"sku": sku, "price": price} for sku, price in prices.items() if sku in call.body["skus"]]}
        prices = {"table, large": "120.50", "lamp": "19.90"}
        service = self.service(answer)
        job = EXAMPLES["job.yaml"]
        head, tail = job[:job.index("    process:")], job[job.index("    write:"):]
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        os.environ["STOCK_URL"] = service.url
        self.addCleanup(os.environ.pop, "STOCK_URL")
        (folder.root / "orders.csv").write_text(EXAMPLES["orders.csv"])
        folder.write_job(head + EXAMPLES["several.yaml"] + "    on_error: { max_rejects: 1 }\n" + tail)
        rows, errors = self.outcome(folder)
        self.assertEqual(rows, ["1,lamp,2,19.90", '2,"table, large",1,120.50'])
        self.assertEqual(list(errors), [2])
        self.assertEqual([call.body for call in service.calls], [{"skus": ["lamp", "table, large", "unicorn"]}])

    def test_records_are_asked_about_together_and_answered_in_their_order(self):
        for workers in ("1", "3", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                rows, errors, service = self.run_several(self.results, records=50, batch=21, step_workers=workers)
                self.assertEqual((rows, errors), ([f"{i},text {i},{i}" for i in range(50)], {}))
                self.assertEqual(len(service.calls), 6 + 6 + 2)  # of batches of 21, 21 and 8
                self.assertEqual(service.calls[0].body["asked"][0].keys(), {"id", "text"})

    def test_answers_are_matched_by_a_member(self):
        def answer(call):
            return 200, [{"id": str(record["id"]), "score": record["id"]} for record in reversed(call.body)
                         if record["id"] != 5]
        rows, errors, service = self.run_several(answer, records=8, body="'${records}'", answers="''", match_by="id")
        self.assertEqual(rows, [f"{i},text {i},{i}" for i in range(8) if i != 5])
        self.assertIn("without an answer for this record", errors[5])
        self.assertEqual(len(service.calls), 2)

    def test_a_value_that_does_not_fit_costs_its_record(self):
        rows, errors, service = self.run_several(
            lambda call: self.results(call, lambda r: {"score": "many" if r["id"] == 2 else 1}), records=8)
        self.assertEqual((len(rows), list(errors), len(service.calls)), (7, [2], 2))

    def test_where_it_can_not_be_told_whose_answers_are_each_record_is_asked_about_by_itself(self):
        wrong = {"one too few": {"results": [{"score": 1}] * 3}, "one too many": {"results": [{"score": 1}] * 5},
                 "none": {"result": []}, "no JSON": b"<html>"}
        for name, body in wrong.items():
            with self.subTest(name):
                rows, errors, service = self.run_several(
                    lambda call, body=body: (200, body) if len(call.body["asked"]) > 1 and call.body["asked"][0]["id"] == 4
                    else self.results(call), records=12)
                self.assertEqual((rows, errors), ([f"{i},text {i},{i}" for i in range(12)], {}))
                self.assertEqual(len(service.calls), 3 + 4)
        for match in ("two", "unknown", "nameless"):
            with self.subTest(match):
                extra = {"two": {"id": 4}, "unknown": {"id": 99}, "nameless": {}}[match]

                def answer(call, extra=extra):
                    results = [{"id": r["id"], "score": r["id"]} for r in call.body["asked"]]
                    return 200, {"results": results + ([extra] if len(results) > 1 and results[0]["id"] == 4 else [])}
                rows, errors, service = self.run_several(answer, records=12, match_by="id")
                self.assertEqual((rows, errors, len(service.calls)), ([f"{i},text {i},{i}" for i in range(12)], {}, 7))

    def test_a_record_that_a_call_fails_for_costs_itself(self):
        for bad in ((400, b"no"), (500, b"broken"), None):
            with self.subTest(bad=bad):
                rows, errors, service = self.run_several(
                    lambda call, bad=bad: bad if any(r["id"] == 6 for r in call.body["asked"]) else self.results(call),
                    records=12)
                self.assertEqual(rows, [f"{i},text {i},{i}" for i in range(12) if i != 6])
                self.assertEqual(list(errors), [6])

    def test_statuses_do_what_they_are_told_to_all_of_them(self):
        rows, errors, _ = self.run_several(
            lambda call: ({0: 200, 4: 404, 8: 410}[call.body["asked"][0]["id"]], {"results": [{"score": 5}] * 4}), records=12,
            on_status="{ 404: null, 410: skip }")
        self.assertEqual(rows, [f"{i},text {i},{5 if i < 4 else ''}" for i in range(8)])
        self.assertEqual(errors, {})

    def test_a_service_that_is_away_fails_the_run_and_rejects_nobody(self):
        service = self.service(lambda call: (503, b"closed"))
        folder = self.folder(http=service.url, records=100, **{**self.OPTIONS, "records_per_call": 50})
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 1, done)
        self.assertEqual(folder.rejects(), [])
        service.answer = self.results
        self.assertEqual(len(self.outcome(folder)[0]), 100)

    def test_the_key_is_the_same_in_every_try_and_after_a_kill_which_repeats_only_what_was_in_flight(self):
        gate = threading.Event()
        failed = set()

        def answer(call):
            first = call.body["asked"][0]["id"]
            if first >= 40 and not gate.is_set():
                gate.wait(60)
                return None
            if gate.is_set() and first not in failed:
                failed.add(first)
                return 503, {}
            return self.results(call)
        service = self.service(answer)
        folder = self.folder(http=service.url, records=80, **{**self.OPTIONS, "concurrency": 2})
        folder.start_and_kill_when(lambda: any(call.body["asked"][0]["id"] >= 44 for call in service.calls))
        before = len(service.calls)
        gate.set()
        rows, errors = self.outcome(folder)
        self.assertEqual((rows, errors), ([f"{i},text {i},{i}" for i in range(80)], {}))
        keys = {}
        for call in service.calls:
            keys.setdefault(call.body["asked"][0]["id"], set()).add(call.headers["idempotency-key"])
        self.assertEqual({len(of) for of in keys.values()}, {1})
        self.assertEqual(len({key for of in keys.values() for key in of}), 20)
        again = {call.body["asked"][0]["id"] for call in service.calls[before:]}
        self.assertLessEqual(set(range(40, 80, 4)), again)
        self.assertLessEqual(len(again), 10 + 2)

    def test_check_says_what_does_not_go_together(self):
        for said, options in (
                ("the body has the records", {"body": "'{\"a\": 1}'"}),
                ("a value of one", {"body": "'{\"a\": ${records}, \"b\": ${record.id}}'"}),
                ("has one URL", {"http": "https://127.0.0.1:9/${record.id}"}),
                ("in its headers", {"headers": "{ X: \"${record.id}\" }"}),
                ("say how many a call has", {"records_per_call": 1, "answers": ""}),
                ("is for calls about several", {"records_per_call": 1, "body": "'1'"}),
                ("from 1 to 2048", {"records_per_call": 5000}),
                ('no column "nowhere"', {"match_by": "nowhere"}),
                ('no column "nowhere"', {"body": "'${records.nowhere}'"}),
                ("JSON pointer", {"answers": "results"})):
            with self.subTest(said):
                merged = {"http": "https://127.0.0.1:9/x", **self.OPTIONS, **options}
                if not merged["answers"]:
                    del merged["answers"]
                done = self.folder(**merged).tranche("check", "job.yaml")
                self.assertEqual(done.code, 2, done)
                self.assertIn(said, done.out + done.err)
                self.assertRegex(done.out + done.err, r"job\.yaml:\d+:\d+")


class Journal(Case):
    def test_a_killed_run_repeats_only_the_calls_in_flight(self):
        for workers, at_once in (("2", 8), ("{ processes: 2 }", 4)):
            with self.subTest(workers=workers):
                gate = threading.Semaphore(100)

                def answer(call):
                    if not gate.acquire(timeout=60):
                        return None
                    return 200, {"score": int(call.path.split("/")[-1])}
                service = self.service(answer)
                folder = self.folder(http=service.url + "/${record.id}", records=400, concurrency=8, step_workers=workers,
                                     method="POST")
                folder.start_and_kill_when(lambda: len(service.calls) == 100 + at_once)
                for _ in range(1000):
                    gate.release()
                rows, errors = self.outcome(folder)
                self.assertEqual((rows, errors), ([f"{i},text {i},{i}" for i in range(400)], {}))
                self.assertLessEqual(len(service.calls), 400 + at_once)
                keys = service.keys()
                self.assertEqual(len(set(keys)), 400)
                self.assertEqual(list(folder.root.glob(".tranche/runs/*/kept/*")), [])

    def test_a_batch_that_is_tried_again_repeats_only_what_failed(self):
        gone = []

        def answer(call):
            if call.path.endswith("/7") and len(gone) < 3:
                gone.append(call)
                return 429, {}
            return 200, {"score": 1}
        rows, errors, service = self.run_with(answer, records=30, concurrency=2)
        self.assertEqual((len(rows), errors), (30, {}))
        self.assertLessEqual(len(service.calls), 30 + 3 + 1)

    def test_answers_of_another_logic_are_forgotten(self):
        broken = threading.Event()
        broken.set()
        service = self.service(
            lambda call: (400, "no") if broken.is_set() and call.path.endswith("/5") else (200, {"score": 1, "risk": 2}))
        http = service.url + "/${record.id}"
        folder = self.folder(http=http, max_rejects=0, concurrency=1)
        self.assertEqual(folder.tranche("run", "job.yaml").code, 1)
        broken.clear()
        self.write_job(folder, http=http, max_rejects=0, into="{ score: { type: double, pointer: /risk } }")
        done = folder.tranche("run", "job.yaml", "--accept", "job")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(folder.rows(), [f"{i},text {i},2" for i in range(6)])


class Pace(Case):
    def test_no_more_calls_are_in_flight_than_allowed(self):
        def answer(_):
            time.sleep(0.01)
            return 200, {"score": 1}
        for workers, most in (("1", 7), ("3", 7), ("{ processes: 2 }", 6)):
            _, _, service = self.run_with(answer, records=150, concurrency=most, step_workers=workers, batch=40)
            self.assertLessEqual(service.at_once_most, most)

    def test_one_thread_has_many_in_flight(self):
        barrier = threading.Barrier(40)

        def answer(_):
            barrier.wait(30)  # nobody is answered before 40 have asked
            return 200, {"score": 1}
        rows, _, _ = self.run_with(answer, records=80, concurrency=40, step_workers=1)
        self.assertEqual(len(rows), 80)

    def test_no_more_calls_are_begun_than_the_rate_allows(self):
        _, _, service = self.run_with(lambda call: (200, {"score": 1}), records=60, rate="100/s", step_workers=3, batch=20)
        times = [call.time for call in service.calls]
        self.assertGreaterEqual(times[-1] - times[0], 59 / 100 - 0.05)


class Checking(Case):
    def checked(self, http="https://127.0.0.1:9/x", **options):
        folder = self.folder(http=http, **options)
        done = folder.tranche("check", "job.yaml")
        return done.code, done.out + done.err

    def test_check_says_what_is_wrong_and_where_without_a_call(self):
        for said, options in (
                ('did you mean "text"?', {"body": "'{\"a\": ${record.tetx}}'"}),
                ("is no JSON", {"body": "'{\"a\": \"${record.text}\"}'"}),
                ("environment variable NO_SUCH_THING", {"headers": "{ X: \"${env:NO_SUCH_THING}\" }"}),
                ("There is no parameter", {"body": "'[${recrod.text}]'"}),
                ("behind the server", {"http": "https://${record.text}/x"}),
                ("begins with https://", {"http": "ftp://x/y"}),
                ("as 4xx", {"on_status": "{ 4: null }"}),
                ("skip", {"on_status": "{ 404: ignore }"}),
                ("JSON pointer", {"into": "{ a: { pointer: x, type: double } }"}),
                ("name of a header", {"headers": "{ \"a b\": c }"}),
                ("is no rate", {"rate": "fast"}),
                ("concurrency", {"concurrency": "0"}),
                ('did you mean "timeout"', {"timeuot": "1s"}),
                ("double", {"into": "{ score: duble }"})):
            with self.subTest(**options):
                code, out = self.checked(**options)
                self.assertEqual(code, 2, out)
                self.assertIn(said, out)
                self.assertRegex(out, r"job\.yaml:\d+:\d+")

    def test_check_makes_no_call(self):
        service = self.service(lambda call: (200, {"score": 1}))
        code, out = self.checked(http=service.url + "/${record.id}")
        self.assertEqual((code, service.calls), (0, []), out)
        self.assertIn("score", out)

    def test_preview_shows_what_comes_of_the_first_records(self):
        service = self.service(lambda call: (200, {"score": 4.5}))
        folder = self.folder(http=service.url + "/${record.id}")
        self.assertIn("4.5", folder.tranche("preview", "job.yaml").out)


class Secrets(Case):
    def test_they_are_sent_and_neither_kept_nor_shown(self):
        os.environ["WEB_SECRET"] = SECRET
        self.addCleanup(os.environ.pop, "WEB_SECRET")
        service = self.service(lambda call: (403, f"your key {call.headers['authorization']} is bad"))
        folder = self.folder(http=service.url + "/${env:WEB_SECRET}/${record.id}?key=${env:WEB_SECRET}", records=3,
                             headers="{ Authorization: \"Bearer ${env:WEB_SECRET}\" }",
                             body="'{\"key\": \"${env:WEB_SECRET}\", \"id\": ${record.id}}'")
        done = folder.tranche("run", "job.yaml", "--json")
        seen = done.out + done.err + str(folder.rejects())
        self.assertEqual(service.calls[0].headers["authorization"], f"Bearer {SECRET}")
        self.assertEqual((service.calls[0].query["key"], service.calls[0].body["key"]), (SECRET, SECRET))
        self.assertIn("Bearer ${env:WEB_SECRET} is bad", seen)
        self.assertNotIn(SECRET, seen)
        for path in folder.root.rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path)

    def test_another_secret_is_no_other_job_and_another_url_is_one(self):
        def answer(call):
            return (400, "no") if call.headers["x-key"] == "old" and call.path.endswith("/5") else (200, {"score": 1})
        service = self.service(answer)
        self.addCleanup(os.environ.pop, "WEB_KEY")
        options = {"records": 9, "batch": 3, "max_rejects": 0, "headers": "{ X-Key: \"${env:WEB_KEY}\" }"}
        os.environ["WEB_KEY"] = "old"
        folder = self.folder(http=service.url + "/a/${record.id}?v=1", **options)
        self.assertEqual(folder.tranche("run", "job.yaml").code, 1)
        os.environ["WEB_KEY"] = "new"
        options.pop("records")
        self.write_job(folder, http=service.url + "/a/${record.id}?v=2", **options)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 2, done)
        self.assertIn("http", done.err)
        self.write_job(folder, http=service.url + "/a/${record.id}?v=1", **options)
        self.assertEqual(len(self.outcome(folder)[0]), 9)


if __name__ == "__main__":
    unittest.main(verbosity=2)
