#!/usr/bin/env python3
"""Sources of several systems in one step: the same output whoever works, and whatever dies on the way."""
import gzip
import json
import pathlib
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgres_server
import scene as scenes

FILES, TABLE, LINES = 700, 900, 500  # records of the three sources


def job_text(read, batch="{ rows: 64 }", max_rejects=0, source_column="_source"):
    return f"""job: several
steps:
  - name: load
    read:
{read}
    source_column: {source_column}
    batch: {batch}
    on_error: {{ max_rejects: {max_rejects} }}
    write: {{ csv: out/all.csv }}
"""


READ = """      - { csv: [in-1.csv, in-2.csv.gz], columns: { id: bigint, name: varchar, price: "decimal(12,2)" } }
      - { sqlite: in.db, table: sales, columns: { price: "decimal(8,2)" } }
      - { jsonl: in.jsonl, columns: { id: integer, price: "decimal(6,1)" }, missing_columns: null }"""


def expected():
    return ([f"{i},name {i},{i}.50,{'in-1.csv' if i < 300 else 'in-2.csv.gz'}" for i in range(FILES)]
            + [f"{i},of a table {i},{i}.25,sales" for i in range(1000, 1000 + TABLE)]
            + [f"{i},,{i}.10,in.jsonl" for i in range(5000, 5000 + LINES)])


class Case(scenes.Case):
    def scene(self, job, workers="2"):
        made = scenes.Scene(job, workers)
        self.addCleanup(made.__exit__)
        lines = [f"{i},name {i},{i}.5\n" for i in range(FILES)]
        made.write("in-1.csv", "id,name,price\n" + "".join(lines[:300]))
        made.write("in-2.csv.gz", gzip.compress(("id,name,price\n" + "".join(lines[300:])).encode()))
        connection = sqlite3.connect(made.root / "in.db")
        connection.execute("CREATE TABLE sales (Price DECIMAL(8,2), name TEXT, id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)",
                               [(i + 0.25, f"of a table {i}", i) for i in range(1000, 1000 + TABLE)])
        connection.commit()
        connection.close()
        made.write("in.jsonl", "".join(json.dumps({"price": i + 0.1, "id": i}) + "\n"
                                       for i in range(5000, 5000 + LINES)))
        return made

    def lines(self, scene):
        return (scene.out / "all.csv").read_text().splitlines()[1:]


class SameOutput(Case):
    def test_whoever_works(self):
        for workers in ("1", "2", "3", "5", "7", "{ processes: 1 }", "{ processes: 3 }"):
            with self.subTest(workers=workers):
                scene = self.scene(job_text(READ), workers)
                done = self.expect(0, scene.run())
                self.assertEqual(expected(), self.lines(scene))
                self.assertEqual(-(-(FILES + TABLE + LINES) // 64), done.json["steps"][0]["batches"])

    def test_whatever_dies_on_the_way(self):
        """The engine dies at every second commit, in each of the sources, and between them."""
        for workers in ("2", "{ processes: 2 }"):
            with self.subTest(workers=workers):
                scene = self.scene(job_text(READ), workers)
                self.expect(0, scene.run(fault="kill:committed:2"), "started again after the last commit")
                self.assertEqual(expected(), self.lines(scene))

    def test_a_run_that_failed_in_the_second_source_goes_on_there(self):
        scene = self.scene(job_text(READ))
        connection = sqlite3.connect(scene.root / "in.db")
        self.addCleanup(connection.close)
        connection.execute("UPDATE sales SET price = 'free' WHERE id = 1400")
        connection.commit()
        self.expect(1, scene.run(), "sales", "free")
        self.assertEqual((FILES + 400) // 64, scene.look().commits)
        done = self.expect(0, scene.run("--max-rejects", "1"))
        self.assertEqual((FILES + 400) // 64, done.json["steps"][0]["batches_resumed"])
        self.assertEqual([line for line in expected() if not line.startswith("1400,")], self.lines(scene))

    def test_another_list_is_another_job(self):
        scene = self.scene(job_text(READ))
        scene.write("in-1.csv", "id,name,price\nx,y,z\n")
        self.expect(1, scene.run())
        scene.write_job(job_text(READ.replace("decimal(8,2)", "decimal(9,2)")))
        self.expect(2, scene.run(), "changed since run")


class Files(Case):
    def test_are_moved_by_the_rule_of_their_own_source(self):
        read = READ.replace("{ jsonl: in.jsonl,", "{ jsonl: in.jsonl, on_done: { move: done },")
        scene = self.scene(job_text(read))
        self.expect(0, scene.run())
        self.assertTrue((scene.root / "done" / "in.jsonl").exists())
        self.assertTrue((scene.root / "in-1.csv").exists())
        self.assertEqual(expected(), self.lines(scene))

    def test_of_an_increment_may_have_a_source_column(self):
        read = ('      - { csv: "in-*.csv", columns: { id: bigint }, extra_columns: undeclared, '
                'incremental: { files: true } }')
        scene = self.scene(job_text(read))
        self.expect(0, scene.run())
        self.assertEqual([f"{i},in-1.csv" for i in range(300)], self.lines(scene))
        scene.write("in-3.csv", "id\n7\n")
        self.expect(0, scene.run())
        self.assertEqual(["7,in-3.csv"], self.lines(scene))


class Tables(Case):
    def test_of_postgresql_each_have_a_snapshot_that_a_resume_may_do_without(self):
        with postgres_server.Server() as server:
            server.sql("""CREATE TABLE new (id bigint PRIMARY KEY, sold_at timestamp);
                          CREATE TABLE old (sold_at date, id integer PRIMARY KEY);
                          INSERT INTO new SELECT i, '2026-01-31'::timestamp + i * interval '1 s'
                            FROM generate_series(1, 300) i;
                          INSERT INTO old SELECT '2025-01-31', i FROM generate_series(301, 600) i""")
            url = server.url_of("postgres")
            read = "\n".join(f'      - {{ postgres: "{url}", table: {table}, on_change: continue }}'
                             for table in ("new", "old"))
            for fault in (None, "kill:committed:3"):
                with self.subTest(fault=fault):
                    scene = self.scene(job_text(read, batch="{ key: id, rows: 40 }"))
                    self.expect(0, scene.run(fault=fault))
                    lines = self.lines(scene)
                    self.assertEqual([str(i) for i in range(1, 601)], [line.split(",")[0] for line in lines])
                    self.assertTrue(lines[299].endswith("new"))
                    self.assertEqual("301,2025-01-31T00:00:00", lines[300].rsplit(",", 1)[0])


if __name__ == "__main__":
    unittest.main()
