#!/usr/bin/env python3
"""Steps that wait for some of the others and not for all: at once where nothing orders them, by what became of others,
told what others came to, and gone on with after a failure or a kill."""
import pathlib
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

# Ends only when the other one is there too.
MEET = 'touch {0}; for i in $(seq 3000); do test -e {1} && exit 0; sleep 0.02; done; exit 1'


def load(name, more="", after="[]"):
    return f"""  - name: {name}
    after: {after}
    read: {{ csv: {name}-in.csv, columns: {{ id: bigint }} }}
    write: {{ csv: {name}.csv }}
{more}"""


def shell(name, text, more="    after: []"):
    return f"""  - name: {name}
{more}
    exec: [sh, -c, '{text}']
"""


class Steps(scenes.Case):
    def scene(self, *steps, memory="512MiB"):
        scene = scenes.Scene(f"job: steps\nmemory: {memory}\nsteps:\n" + "".join(steps))
        self.addCleanup(scene.__exit__)
        return scene

    def states(self, done):
        return {step["name"]: step["state"] for step in done.json["steps"]}

    def text(self, scene, name):
        path = scene.root / name
        return path.read_text() if path.exists() else None

    def test_that_nothing_orders_run_at_once(self):
        scene = self.scene(shell("a", MEET.format("a", "b")), shell("b", MEET.format("b", "a")))
        done = self.expect(0, scene.run())
        self.assertEqual({"a": "completed", "b": "completed"}, self.states(done))

    def test_of_records_run_at_once_too_and_write_what_they_write_alone(self):
        scene = self.scene(*[load(name, "    batch: { rows: 1000 }\n") for name in "abc"], memory="1GiB")
        for name in "abc":
            scene.write(f"{name}-in.csv", "id\n" + "".join(f"{i}\n" for i in range(20_000)))
        done = self.expect(0, scene.run())
        self.assertEqual([20_000] * 3, [step["written"] for step in done.json["steps"]])
        for name in "abc":
            self.assertEqual(self.text(scene, f"{name}-in.csv"), self.text(scene, f"{name}.csv"))
        self.expect(0, scene.type("verify", "last"))

    def test_run_one_after_the_other_where_memory_carries_one(self):
        overlap = 'test ! -e busy || exit 1; touch busy; sleep 0.3; rm busy'
        scene = self.scene(shell("a", overlap), shell("b", overlap), memory="256MiB")
        self.expect(0, scene.run())

    def test_behind_one_that_failed_wait_for_the_next_run_and_the_others_go_on(self):
        scene = self.scene(load("good"), shell("bad", "test -e mended"),
                           shell("behind", "echo ran >> behind.txt", "    after: [bad]"),
                           shell("last", "echo ran >> last.txt", "    after: [good, behind]"),
                           shell("beside", "echo ran >> beside.txt", "    after: [good]"))
        scene.write("good-in.csv", "id\n1\n")
        done = self.expect(1, scene.run())
        self.assertIn('The program of step "bad" exited with code 1.', done.err)
        self.assertEqual({"good": "completed", "bad": "failed", "behind": "held back", "last": "held back", "beside": "completed"},
                         self.states(done))
        scene.write("mended", "")
        again = self.expect(0, scene.run())
        self.assertEqual(done.json["run"], again.json["run"])
        self.assertEqual(1, again.json["steps"][0]["batches_resumed"])
        for name in ("behind", "last", "beside"):
            self.assertEqual("ran\n", self.text(scene, f"{name}.txt"), name)

    def test_that_wait_for_a_failure_run_at_each_failure_and_only_then(self):
        alarm = shell("alarm", "echo \"$0\" >> alarm.txt", "    after: [bad]\n    when: failed").replace(
            "alarm.txt']", "alarm.txt', '${steps.bad.state}: ${steps.bad.error}']")
        scene = self.scene(shell("bad", "test -e mended"), alarm,
                           shell("sweep", "echo swept >> swept.txt", "    after: [bad]\n    when: ended"))
        self.expect(1, scene.run())
        self.expect(1, scene.run())
        line = 'failed: The program of step "bad" exited with code 1.\n'
        self.assertEqual(line * 2, self.text(scene, "alarm.txt"))
        scene.write("mended", "")
        done = self.expect(0, scene.run())
        self.assertEqual("skipped", self.states(done)["alarm"])
        self.assertIn('alarm: not needed: it runs when "bad" failed', done.err)
        self.assertEqual(line * 2, self.text(scene, "alarm.txt"))
        self.assertEqual("swept\n" * 3, self.text(scene, "swept.txt"))

    def test_may_depend_on_how_many_rejects_another_one_had(self):
        steps = (load("load", "    on_error: { max_rejects: 100 }\n"),
                 shell("few", "touch few", "    after: [load]\n    when: rejects"),
                 shell("many", "touch many", "    after: [load]\n    when: { load: rejects > 2 }"))
        scene = self.scene(*steps)
        scene.write("load-in.csv", "id\n1\nx\ny\n2\n")
        done = self.expect(0, scene.run())
        self.assertEqual({"load": "completed", "few": "completed", "many": "skipped"}, self.states(done))

    def test_are_told_what_others_came_to(self):
        tell = """  - name: tell
    exec: [sh, -c, 'echo "$0" > told.txt; echo "it is $0" > "$TRANCHE_OUTPUT"', '${steps.load.read} read, ${steps.load.written} written']
"""
        count = """  - name: count
    query: SELECT $steps.load.written + 1 AS n, $steps.tell.output AS said
    write: { csv: count.csv }
"""
        scene = self.scene(load("load", "    on_error: { max_rejects: 1 }\n"), tell, count)
        scene.write("load-in.csv", "id\n1\n2\nx\n")
        self.expect(0, scene.type("check", "job.yaml"))
        self.expect(0, scene.run())
        self.assertEqual("2 read, 2 written\n", self.text(scene, "told.txt"))
        self.assertEqual("n,said\n3,\"it is 2 read, 2 written\"\n".replace('"', ""),
                         self.text(scene, "count.csv").replace('"', ""))

    def test_remember_after_a_failure_what_others_told_them(self):
        scene = self.scene(shell("tell", 'echo "it'"'"''"'"'s $$" > "$TRANCHE_OUTPUT"', "    after: []"),
                           shell("bad", "test -e mended", ""),
                           """  - name: hear
    query: SELECT $steps.tell.output AS said
    write: { csv: heard.csv }
""")
        self.expect(1, scene.run())
        kept = next(scene.state.glob("runs/*/outputs/tell")).read_text()
        scene.write("mended", "")
        self.expect(0, scene.run())
        self.assertEqual("said\n" + kept, self.text(scene, "heard.csv"))

    def test_in_processes_are_told_too(self):
        scene = self.scene(shell("tell", 'echo 7 > "$TRANCHE_OUTPUT"'),
                           """  - name: load
    read: { csv: in.csv, columns: { id: bigint } }
    process:
      - command: [python3, -u, add.py, '${steps.tell.output}']
        columns: { n: bigint }
    workers: { processes: 2 }
    write: { csv: out.csv }
""")
        scene.write("in.csv", "id\n1\n2\n")
        scene.write("add.py", "import json, sys\nfor line in sys.stdin:\n"
                              "    print(json.dumps({**json.loads(line), 'n': int(sys.argv[1])}))\n")
        self.expect(0, scene.run())
        self.assertEqual("id,n\n1,7\n2,7\n", self.text(scene, "out.csv"))

    def test_that_a_kill_interrupts_go_on_side_by_side(self):
        for workers in ("{ threads: 2 }", "{ processes: 2 }"):
            more = f"""    batch: {{ rows: 500 }}
    workers: {workers}
    process: [{{ sql: SELECT id FROM batch }}]
"""
            scene = self.scene(load("a", more), load("b", more), shell("end", "touch ended", "    after: [a, b]"))
            for name in "ab":
                scene.write(f"{name}-in.csv", "id\n" + "".join(f"{i}\n" for i in range(20_000)))
            kills = 0
            while True:
                process = scene.start_run()
                while process.poll() is None and self.commits(scene) <= kills * 30 + 10:
                    time.sleep(0.05)  # to look costs the run something
                if process.poll() is not None:
                    self.expect(0, scene.finish(process))
                    break
                scenes.kill_group(process)
                kills += 1
            self.assertGreater(kills, 0)
            for name in "ab":
                self.assertEqual(self.text(scene, f"{name}-in.csv"), self.text(scene, f"{name}.csv"), workers)
            self.assertTrue((scene.root / "ended").exists())
            self.assertEqual([], [str(path) for path in scene.root.glob("*.tmp")])

    def commits(self, scene):
        ledger = scene.state / "ledger.db"
        if not ledger.exists():
            return 0
        try:
            connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
            count = connection.execute("SELECT count(*) FROM commits").fetchone()[0]
            connection.close()
            return count
        except sqlite3.Error:
            return 0

    def test_that_make_no_sense_are_refused_with_their_places(self):
        cases = {
            'job.yaml:4:5: Step "a" waits for "c", which is no step of the job':
                "  - name: a\n    after: [c]\n    exec: [\"true\"]\n",
            'Steps wait for each other in a circle: "b", then "a", then "b" again':
                "  - name: a\n    after: [b]\n    exec: [\"true\"]\n  - name: b\n    exec: [\"true\"]\n",
            '"when" has nothing to wait for':
                "  - name: a\n    when: failed\n    exec: [\"true\"]\n",
            'A condition is "broken"; "completed", "failed", "ended", or "rejects > 100" was expected':
                "  - name: a\n    exec: [\"true\"]\n  - name: b\n    when: broken\n    exec: [\"true\"]\n",
            'has a condition on "a", for which it does not wait; say "after: [a]"':
                "  - name: a\n    exec: [\"true\"]\n  - name: b\n    exec: [\"true\"]\n"
                "  - name: c\n    when: { a: failed }\n    exec: [\"true\"]\n",
            'Step "b" names what became of "a", for which it does not wait; it waits for none':
                "  - name: a\n    exec: [\"true\"]\n  - name: b\n    after: []\n    exec: [echo, '${steps.a.state}']\n",
            'Of a step there is no "rows"; one of state, read, written, rejected, filtered, batches, error, output':
                "  - name: a\n    exec: [\"true\"]\n  - name: b\n    exec: [echo, '${steps.a.rows}']\n",
        }
        for sentence, steps in cases.items():
            with self.subTest(sentence):
                done = self.expect(2, self.scene(steps).run())
                self.assertIn(sentence, done.err)

    def test_of_a_job_with_several_mistakes_all_are_named(self):
        sql = '    process:\n      - sql: {}\n      - sql: {}\n'
        scene = self.scene(load("a", sql.format("SELECT nope FROM batch", "SELEC 1")),
                           load("b", sql.format("SELECT id FROM batch", "SELEC 2"), "[]").replace("b-in", "absent"),
                           "  - name: c\n    report: c.html\n    sections:\n      - title: t\n        query: SELECT 1 FROM\n"
                           "      - title: u\n        query: SELEC 3\n",
                           "  - name: d\n    read: { csv: a-in.csv }\n    write: { csv: d.csv, mode: append }\n"
                           + "    process:\n      - sql: SELEC 4\n")
        scene.write("a-in.csv", "id\n1\n")
        done = self.expect(2, scene.type("check", "job.yaml"))
        for place in (r"9:14: .*nope", "10:14: .*SELEC", "17:14: .*SELEC", "22:16: .*syntax", "24:16: .*SELEC", "25:5: .*mode append", "29:14: .*SELEC"):
            self.assertRegex(done.err, r"job\.yaml:" + place)
        scene = self.scene("  - name: a\n    exec: [\"true\"]\n  - name: b\n    after: [c]\n    when: broken\n    exec: [\"true\"]\n"
                           "  - name: d\n    after: [e]\n    exec: [\"true\"]\n  - name: e\n    after: [d]\n    exec: [\"true\"]\n")
        for word in ('A condition is "broken"', 'waits for "c", which is no step', "in a circle"):
            self.assertEqual(1, self.expect(2, scene.type("check", "job.yaml")).err.count(word), word)

    def test_that_are_held_back_stand_in_the_summary_and_say_so(self):
        scene = self.scene(shell("a", "exit 1"), shell("b", "true", ""),
                           "  - name: c\n    after: [b]\n    when: failed\n    exec: [sh, -c, 'echo ${steps.b.state} > told']\n",
                           "  - name: d\n    after: [c]\n    when: failed\n    exec: [\"true\"]\n")
        done = self.expect(1, scene.run())
        self.assertEqual({"a": "failed", "b": "held back", "c": "completed", "d": "skipped"}, self.states(done))
        self.assertEqual("held back\n", self.text(scene, "told"))
        self.expect(0, scene.type("status", "last"), "held back", "skipped")

    def test_an_output_that_a_later_step_replaces_unread_is_noted(self):
        lost = load("b", "", "[a]").replace("b.csv }\n", "a.csv }\n").replace("b-in", "a-in")
        scene = self.scene(load("a"), lost)
        scene.write("a-in.csv", "id\n1\n")
        sentence = r'job\.yaml:11:19: Step "b" replaces what step "a" \(.*job\.yaml:7:19\) has written to .*a\.csv'
        self.assertRegex(" ".join(self.expect(0, scene.type("check", "job.yaml")).out.split()), sentence)
        self.assertRegex(self.expect(0, scene.run()).json["warnings"][0], sentence)
        reads = "  - name: c\n    query: SELECT * FROM 'a.csv'\n    write: { csv: c.csv }\n"
        scene = self.scene(load("a"), reads, lost.replace("[a]", "[c]"))
        scene.write("a-in.csv", "id\n1\n")
        self.assertNotIn("warnings", self.expect(0, scene.run()).json)

    def test_at_once_may_not_write_to_one_place(self):
        other = load("b").replace("b.csv }\n", "a.csv }\n").replace("b-in", "a-in")
        scene = self.scene(load("a"), other)
        scene.write("a-in.csv", "id\n1\n")
        done = self.expect(2, scene.run())
        self.assertRegex(done.err, r'job\.yaml:11:19: Steps "a" \(.*job\.yaml:7:19\) and "b" may run at once, and both write')

    def test_reports_that_run_at_once_may_not_write_one_file(self):
        report = '  - name: {0}\n    after: []\n    report: {1}\n    sections:\n      - title: {0}\n        text: of {0}\n'
        steps = report.format("week", "out.html") + report.format("month", "./out.html")
        scene = self.scene(steps)
        for done in (scene.run(), scene.type("check", "job.yaml")):
            self.expect(2, done)
            self.assertRegex(done.err + done.out,
                             r'job\.yaml:12:13: Steps "week" \(.*job\.yaml:6:13\) and "month" may run at once, and both write '
                             r'.*/out\.html')
        self.assertFalse((scene.root / "out.html").exists())
        self.expect(0, self.scene(steps.replace("after: []\n    report: ./", "after: [week]\n    report: ./")).run())

    def test_of_steps_that_exclude_each_other_both_may_write_one_file(self):
        report = ('  - name: {0}\n    after: [load]\n    when: {1}\n    report: out.html\n'
                  '    sections:\n      - title: how\n        text: it {1}\n')
        scene = self.scene(shell("load", "true"), report.format("good", "completed"), report.format("bad", "failed"))
        self.expect(0, scene.run())
        self.assertIn("it completed", self.text(scene, "out.html"))


if __name__ == "__main__":
    unittest.main()
