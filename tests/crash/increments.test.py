#!/usr/bin/env python3
"""A copy that is kept up to date by increments, while two writers change the table: transactions of seconds, rows that are
inserted, updated, and updated again before anybody saw them. In the end the copy equals the table.

ROUNDS (default 12) is how many runs; SEED repeats what the writers do. A lag that is too small loses rows: the second
test shows it, so that the first one is worth something.
"""
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgres_server
import scene as scenes

ROUNDS = int(os.environ.get("ROUNDS") or 12)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
LONGEST = 1.5  # seconds that a transaction is open before it commits
LAG = 12       # seconds; far longer, since a busy machine makes transactions slow


class Writer(threading.Thread):
    """Transactions, one after the other, by one session of psql."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.chance = random.Random(f"{SEED} {number}")
        self.number = number
        self.stopped = threading.Event()
        self.transactions = 0
        self.psql = subprocess.Popen([server.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", server.url], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(self, text):
        """Sends statements and waits until they are done."""
        self.psql.stdin.write(text + "\n\\echo done\n")
        self.psql.stdin.flush()
        while (line := self.psql.stdout.readline()) != "done\n":
            assert line, "a writer has died"

    def run(self):
        while not self.stopped.is_set():
            inserts = self.chance.randint(1, 20)
            self.say(f"BEGIN; INSERT INTO t (v) SELECT 'w{self.number} ' || i FROM generate_series(1, {inserts}) i;")
            # Each writer has the ids of one remainder, so that they never wait for each other.
            self.say(f"UPDATE t SET v = v || '.', updated_at = now() WHERE id % 2 = {self.number} AND id % 53 = "
                     f"{self.chance.randrange(53)};")
            if self.chance.random() < 0.3:
                time.sleep(self.chance.random() * LONGEST)
            self.say("ROLLBACK;" if self.chance.random() < 0.1 else "COMMIT;")
            self.transactions += 1

    def stop(self):
        self.stopped.set()
        self.join()
        self.psql.stdin.close()
        self.psql.wait()


class Increments(scenes.Case):
    def setUp(self):
        print(f"SEED={SEED}", flush=True)
        self.server = self.enterContext(postgres_server.Server())
        self.server.sql("""CREATE TABLE t (id bigserial PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT now());
                           CREATE INDEX ON t (updated_at);
                           INSERT INTO t (v) SELECT 'a' || i FROM generate_series(1, 5000) i""")

    def scene(self, lag):
        return self.enterContext(scenes.Scene(f"""job: copied
steps:
  - name: copy
    read: {{ postgres: "{self.server.url}", table: t, incremental: {{ column: updated_at, lag: {lag}s }} }}
    write: {{ postgres: "{self.server.url}", table: copy, mode: upsert, key: [id] }}
""", workers="2"))

    def differences(self):
        return int(self.server.sql("""SELECT count(*) FROM ((SELECT id, v FROM t EXCEPT ALL SELECT id, v FROM copy)
                                      UNION ALL (SELECT id, v FROM copy EXCEPT ALL SELECT id, v FROM t)) AS d"""))

    def pass_lag(self, scene, lag):
        """Runs until what was last written is older than the lag."""
        before = self.server.sql("SELECT max(updated_at) FROM t")
        while self.server.sql(f"SELECT now() - interval '{lag} seconds' <= '{before}'::timestamptz") == "t":
            time.sleep(0.1)
        self.expect(0, scene.run())

    def test_the_copy_equals_the_table_in_the_end(self):
        scene = self.scene(LAG)
        writers = [Writer(self.server, number) for number in range(2)]
        for writer in writers:
            writer.start()
        read = 0
        for _ in range(ROUNDS):
            done = self.expect(0, scene.run())
            read += done.json["steps"][0]["read"]
            time.sleep(random.Random(SEED).random() * 0.2)
        for writer in writers:
            writer.stop()
        self.pass_lag(scene, LAG)
        self.assertEqual(0, self.differences())
        print(f"{ROUNDS} rounds, {sum(writer.transactions for writer in writers)} transactions, {read} records read, "
              f"{self.server.sql('SELECT count(*) FROM t')} rows")

    def test_what_commits_later_than_the_lag_is_missed(self):
        scene = self.scene(0)
        self.expect(0, scene.run())
        writer = Writer(self.server, 0)
        writer.say("BEGIN; INSERT INTO t (v) VALUES ('late');")
        self.expect(0, scene.run())
        writer.say("COMMIT;")
        writer.psql.stdin.close()
        writer.psql.wait()
        self.expect(0, scene.run())
        self.assertEqual(1, self.differences())


if __name__ == "__main__":
    unittest.main(verbosity=2)
