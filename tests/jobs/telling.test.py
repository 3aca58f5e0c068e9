#!/usr/bin/env python3
"""What runs tell other systems: figures as OpenMetrics, lineage as OpenLineage events."""
import datetime
import http.server
import json
import pathlib
import re
import signal
import sys
import threading
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

TODAY = datetime.datetime.now(datetime.timezone.utc).date()
YESTERDAY = str(TODAY - datetime.timedelta(days=1))
JOB = f"""job: nightly
schedule: {{ every: 1 day, from: {YESTERDAY} }}
steps:
  - name: load
    read: {{ csv: [a.csv, b.csv], columns: {{ id: integer }} }}
    on_error: {{ max_rejects: 1 }}
    write: {{ sqlite: out/o.db, table: t, mode: append }}
"""
SAMPLE = re.compile(r'^([a-z_]+)\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\} (\S+)$')


def read_metrics(text):
    """The samples of an OpenMetrics text; fails on one that is not well-formed."""
    lines = text.splitlines()
    assert text.endswith("\n") and lines[-1] == "# EOF", text
    samples, types = {}, []
    for line in lines[:-1]:
        if line.startswith("# TYPE "):
            types.append(line.split()[2])
            assert len(set(types)) == len(types), f"{types[-1]} stands in two places"
        elif line.startswith("# UNIT "):
            assert types[-1].endswith("_" + line.split()[3]), line
        elif not line.startswith("# HELP "):
            name, labels, value = SAMPLE.match(line).groups()
            assert name == types[-1], line
            samples[name, *sorted(re.findall(r'="((?:[^"\\]|\\.)*)"', labels))] = float(value)
    return samples


class Telling(unittest.TestCase):
    def scene(self):
        scene = scenes.Scene(JOB)
        self.addCleanup(scene.__exit__)
        scene.out.mkdir()
        scene.write("a.csv", "id\n1\nx\n")
        scene.write("b.csv", "id\n2\n")
        return scene

    def events(self, lines):
        events = [json.loads(line) for line in lines]
        for event in events:
            uuid.UUID(event["run"]["runId"])
            self.assertLessEqual({"eventType", "eventTime", "run", "job", "inputs", "outputs", "producer", "schemaURL"},
                                 set(event))
            datetime.datetime.fromisoformat(event["eventTime"])
        self.assertEqual(1, len({event["run"]["runId"] for event in events}))
        return events

    def test_figures_of_a_run_are_there_at_its_end(self):
        scene = self.scene()
        done = scene.run("--window", YESTERDAY, "--metrics", "run.prom")
        self.assertEqual(0, done.code, done)
        samples = read_metrics((scene.root / "run.prom").read_text())
        self.assertEqual(1, samples["tranche_last_run_completed", "nightly"])
        self.assertEqual((2, 2, 1), tuple(samples["tranche_last_run_records", *sorted((kind, "load", "nightly"))]
                                          for kind in ("read", "written", "rejected")))
        self.assertGreater(samples["tranche_last_run_peak_memory_bytes", "nightly"], 1 << 20)
        self.assertEqual([], list(scene.root.glob(".*.tmp")))
        bad = scene.run("--window", YESTERDAY, "--again", "--metrics", "no/such/folder/run.prom")
        self.assertEqual(0, bad.code, "what can't be told changes nothing about the run")
        self.assertIn("Warning: --metrics", bad.err)

    def test_a_service_keeps_the_figures_of_its_jobs(self):
        scene = self.scene()
        service = scene.start("schedule", scene.job, "--metrics", "jobs.prom")
        self.addCleanup(scenes.kill_group, service)
        watch = scene.watch()
        scenes.wait_until(lambda: watch.look().run_state == "completed", "the window was not run")
        service.send_signal(signal.SIGTERM)
        self.assertEqual(0, scene.finish(service).code)
        samples = read_metrics((scene.root / "jobs.prom").read_text())
        self.assertEqual((1, 0, 0), (samples["tranche_windows", "done", "nightly"],
                                     samples["tranche_windows", "missing", "nightly"],
                                     samples["tranche_schedule_failures", "nightly"]))

    def test_lineage_goes_into_a_file(self):
        scene = self.scene()
        self.assertEqual(0, scene.run("--window", YESTERDAY, "--lineage", "lineage.jsonl").code)
        start, end = self.events((scene.root / "lineage.jsonl").read_text().splitlines())
        self.assertEqual(("START", "COMPLETE"), (start["eventType"], end["eventType"]))
        self.assertEqual([f"{scene.root}/{name}" for name in ("a.csv", "b.csv")], [one["name"] for one in end["inputs"]])
        output, = end["outputs"]
        self.assertEqual((f"{scene.root}/out/o.db.t", 2),
                         (output["name"], output["outputFacets"]["outputStatistics"]["rowCount"]))
        self.assertTrue(end["run"]["facets"]["nominalTime"]["nominalStartTime"].startswith(YESTERDAY))
        self.assertEqual(0, scene.run("--window", YESTERDAY, "--lineage", "lineage.jsonl").code)
        self.assertEqual(2, (scene.root / "lineage.jsonl").read_text().count("\n"), "nothing was done")

    def test_a_failure_and_what_it_was_is_in_it(self):
        scene = self.scene()
        scene.write("b.csv", "id\ny\n")
        self.assertEqual(1, scene.run("--window", YESTERDAY, "--lineage", "lineage.jsonl").code)
        _, end = self.events((scene.root / "lineage.jsonl").read_text().splitlines())
        self.assertEqual("FAIL", end["eventType"])
        self.assertIn("max_rejects", end["run"]["facets"]["errorMessage"]["message"])

    def test_lineage_goes_to_a_service_and_none_is_no_failure(self):
        received = []

        class Service(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api/v1/lineage"
        scene = self.scene()
        done = scene.run("--window", YESTERDAY, "--lineage", url)
        server.shutdown()
        server.server_close()
        self.assertEqual(0, done.code, done)
        self.assertEqual(["START", "COMPLETE"], [event["eventType"] for event in self.events(received)])
        done = scene.run("--window", YESTERDAY, "--again", "--lineage", url)
        self.assertEqual(0, done.code, done)
        self.assertIn("did not take the event", done.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
