#!/usr/bin/env python3
"""The moments at which nobody knows whether PostgreSQL has committed: the connection goes, the client goes, the server
goes, between COMMIT and its answer. Three COMMITs of a run of five batches are met, with WHOLE=1 every one."""
import contextlib
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import kills
import postgres_server
import report
import scene as scenes
from proxy import Proxy

MODES = ("postgres append", "postgres replace", "postgres upsert")
ONE_ATTEMPT = "rejects: out/rejects.jsonl, retry: { attempts: 1 } }"
MANY_ATTEMPTS = "rejects: out/rejects.jsonl, retry: { attempts: 100, backoff: 50ms, max_backoff: 200ms } }"


def setUpModule():
    global server, folder, seed
    seed = report.take_seed()
    server = postgres_server.for_module()
    folder = tempfile.TemporaryDirectory(prefix="tranche-commits-")


def tearDownModule():
    folder.cleanup()


class Case(unittest.TestCase):
    RECORDS = every_call.RECORDS
    BATCHES = every_call.BATCHES

    @classmethod
    def setUpClass(cls):
        cls.bench = every_call.Bench(tempfile.mkdtemp(dir=folder.name), server.port, cls.RECORDS, cls.BATCHES)

    def scene(self, sink, attempts):
        self.bench.expect(sink)
        scene = scenes.Scene(self.bench.job(sink).replace("rejects: out/rejects.jsonl }", attempts))
        self.addCleanup(scene.__exit__)
        kills.prepare_target(scene, sink)
        return scene

    def complete(self, sink, scene, done, where):
        self.assertEqual(0, done.code, f"{where}\n{done}")
        self.assertEqual([], kills.differences(self.bench.expect(sink), scene, done), where)


class BetweenCommitAndAnswer(Case):
    @contextlib.contextmanager
    def through(self, proxy):
        """Everybody takes the proxy for the server."""
        os.environ[postgres_server.VARIABLE] = server.url.replace(f":{server.port}/", f":{proxy.port}/")
        try:
            yield proxy
        finally:
            os.environ[postgres_server.VARIABLE] = server.url

    def commits_of(self, sink, proxy):
        scene = self.scene(sink, MANY_ATTEMPTS)
        proxy.cut(0, None)
        self.assertEqual(0, scene.run().code)
        self.assertGreater(proxy.commits, every_call.BATCHES)  # of the tables, of each batch, of the seal
        return proxy.commits

    def meet_every_commit(self, meet):
        for sink in MODES:
            self.bench.expect(sink)
            with Proxy(server.port) as proxy, self.through(proxy):
                commits = self.commits_of(sink, proxy)
                for where in (Proxy.BEFORE, Proxy.BEHIND):
                    met = range(1, commits + 1)
                    if not report.IS_WHOLE:
                        met = sorted(random.Random(f"{seed}/{sink}/{where}/{self.id()}").sample(met, 3))
                    for at in met:
                        with self.subTest(sink=sink, where=where, at=at):
                            meet(sink, proxy, at, where)
                            self.assertEqual(1, proxy.cuts)
                    print(f"{sink}: of {commits} commits met {where}: {', '.join(map(str, met))}", flush=True)

    def test_a_connection_that_is_cut_there_costs_at_most_a_second_start(self):
        def meet(sink, proxy, at, where):
            scene = self.scene(sink, ONE_ATTEMPT)
            proxy.cut(at, where)
            done = scene.run()
            if done.code != 0:
                self.assertIn("PostgreSQL", done.err)
                done = scene.run()
            self.complete(sink, scene, done, f"{sink}, cut {where} commit {at}")
        self.meet_every_commit(meet)

    def test_a_client_that_dies_there_goes_on_when_it_is_started_again(self):
        def meet(sink, proxy, at, where):
            scene = self.scene(sink, ONE_ATTEMPT)
            process = []
            proxy.cut(at, where, then=lambda: scenes.kill_group(process[0]))
            process.append(scene.start_run())
            self.assertEqual(-signal.SIGKILL, scene.finish(process[0]).code)
            self.complete(sink, scene, scene.run(), f"{sink}, killed {where} commit {at}")
        self.meet_every_commit(meet)


class Server(Case):
    RECORDS = 40_000  # so that there is a mid-load to die in
    BATCHES = 80

    def disturb(self, sink, disturbance, times):
        draw = random.Random(f"{seed}/{sink}/{disturbance.__name__}")
        groups = self.bench.expect(sink).groups
        scene = self.scene(sink, MANY_ATTEMPTS)
        process = scene.start_run()
        watch = scene.watch()
        met = 0
        for at in sorted(draw.sample(range(1, groups * 3 // 4), times)):
            scenes.wait_until(lambda: watch.look().commits >= at or process.poll() is not None, f"no commit {at}")
            if process.poll() is None:
                disturbance()
                met += 1
        watch.close()
        self.complete(sink, scene, scene.finish(process), f"{sink}, seed {seed}")
        self.assertGreater(met, 0, "the run was over before anything happened")
        print(f"{sink}: {disturbance.__name__} {met} times", flush=True)

    def test_a_server_that_dies_again_and_again_is_waited_for(self):
        def stop_immediately():
            server.restart()
        for sink in MODES:
            with self.subTest(sink=sink):
                self.disturb(sink, stop_immediately, 3 if report.IS_WHOLE else 1)

    def test_sessions_that_are_ended_again_and_again_are_begun_anew(self):
        def terminate_backends():
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tranche'")
        for sink in MODES:
            with self.subTest(sink=sink):
                self.disturb(sink, terminate_backends, 10 if report.IS_WHOLE else 3)

    def test_server_and_client_die_together(self):
        for sink in MODES:
            with self.subTest(sink=sink):
                scene = self.scene(sink, ONE_ATTEMPT)
                process = scene.start_run()
                watch = scene.watch()
                scenes.wait_until(lambda: watch.look().commits >= 20 or process.poll() is not None, "no commits")
                watch.close()
                killer = threading.Thread(target=scenes.kill_group, args=(process,))
                killer.start()
                server.restart()
                killer.join()
                process.communicate()
                self.complete(sink, scene, scene.run(), sink)


if __name__ == "__main__":
    unittest.main(verbosity=2)
