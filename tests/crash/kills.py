"""Jobs that are killed, and the killing: shared by the quick proof (kill.test.py) and the long one (torture.py)."""
import gzip
import os
import pathlib
import random
import signal
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgres_server
import scene as scenes

READ = """
    read:
      csv: {input}
      columns:
        date: timestamp
        delay: integer
        distance: integer
        origin: varchar
        destination: varchar
    batch: {{ rows: {rows} }}
    on_error: {{ max_rejects: 100000, rejects: out/rejects.jsonl }}
    process:
      - sql: |
          SELECT _line AS id, batch.date AS departed_at, origin, a.city AS origin_city, destination,
                 CASE WHEN distance = 0 THEN error('a flight of no distance') ELSE distance END AS miles,
                 delay AS delay_minutes, strftime(batch.date, '%m') AS month, delay >= 15 AS is_late
          FROM batch LEFT JOIN airports AS a ON a.iata = origin
        tables:
          airports: {{ csv: {airports} }}
"""
POSTGRES = f'write: {{ postgres: "${{env:{postgres_server.VARIABLE}}}", table: flights, '
WRITES = {
    "csv": "write: { csv: out/flights.csv }",
    "jsonl": "write: { jsonl: out/flights.jsonl }",
    "csv.gz": "write: { csv: out/flights.csv.gz }",
    "jsonl.zst": "write: { jsonl: out/flights.jsonl.zst }",
    "parquet": "write: {{ parquet: out/flights, mode: append, partition_by: [month, is_late], part_size: {part} }}",
    "sqlite append": "write: { sqlite: out/flights.db, table: flights, mode: append }",
    "sqlite replace": "write: { sqlite: out/flights.db, table: flights, mode: replace }",
    "sqlite upsert": "write: { sqlite: out/flights.db, table: flights, mode: upsert, key: id }",
    "postgres append": POSTGRES + "mode: append }",
    "postgres replace": POSTGRES + "mode: replace }",
    "postgres upsert": POSTGRES + "mode: upsert, key: id }",
    "duckdb append": "write: { duckdb: out/flights.duckdb, table: flights, mode: append }",
    "duckdb replace": "write: { duckdb: out/flights.duckdb, table: flights, mode: replace }",
    "duckdb upsert": "write: { duckdb: out/flights.duckdb, table: flights, mode: upsert, key: id }",
}


def job_text(sink, flights, rows_a_batch, part_bytes, reading=READ):
    """What is written compressed is read compressed."""
    if sink.endswith((".gz", ".zst")):
        flights = f"{flights}.gz"
    write = WRITES[sink]
    if sink == "parquet":
        write = write.format(part=part_bytes)
    read = reading.format(input=flights, rows=rows_a_batch, airports=scenes.AIRPORTS)
    return f"job: killed\nmemory: 256MiB\nsteps:\n  - name: load{read}    {write}\n"


def prepare_target(scene, sink):
    """`out` is there before the run: the table that `replace` and `upsert` change has old rows."""
    scene.out.mkdir()
    if sink.startswith("postgres"):
        prepare_postgres(sink)
    if sink in ("duckdb replace", "duckdb upsert"):
        prepare_duckdb(scene)
    if sink not in ("sqlite replace", "sqlite upsert"):
        return
    connection = sqlite3.connect(scene.out / "flights.db")
    connection.execute("CREATE TABLE flights (id INTEGER PRIMARY KEY, departed_at TEXT, origin TEXT, origin_city TEXT, "
                       "destination TEXT, miles INTEGER, delay_minutes INTEGER, month TEXT, is_late INTEGER)")
    connection.execute("CREATE INDEX flights_by_origin ON flights (origin)")
    connection.executemany("INSERT INTO flights VALUES (?, 'old', 'old', 'old', 'old', 0, 0, 'old', 0)",
                           [(id,) for id in range(3, 3000, 7)])
    connection.commit()
    connection.close()


def prepare_postgres(sink):
    """The table of `append` refuses some rows, those of the others have old ones."""
    postgres_server.clear()
    constraint = ", CHECK (id % 5003 <> 7)" if sink == "postgres append" else ""
    postgres_server.sql(os.environ[postgres_server.VARIABLE], f"""
        CREATE TABLE flights (id bigint PRIMARY KEY, departed_at timestamp, origin text, origin_city text,
                              destination text, miles integer, delay_minutes integer, month text, is_late boolean
                              {constraint});
        CREATE INDEX flights_by_origin ON flights (origin)""")
    if sink != "postgres append":
        postgres_server.sql(os.environ[postgres_server.VARIABLE],
                            "INSERT INTO flights SELECT id, timestamp '2001-01-01', 'old' FROM generate_series(3, 3000, 7) AS id")


def prepare_duckdb(scene):
    """Loads the old rows by a job in another folder."""
    old = """job: old
steps:
  - name: old
    read: { csv: old.csv, columns: { id: bigint, departed_at: timestamp, origin: varchar, origin_city: varchar,
            destination: varchar, miles: integer, delay_minutes: integer, month: varchar, is_late: boolean } }
    write: { duckdb: "TARGET", table: flights, mode: upsert, key: id, commits_table: old_commits }
""".replace("TARGET", str(scene.out / "flights.duckdb"))
    with scenes.Scene(old) as loading:
        head = "id,departed_at,origin,origin_city,destination,miles,delay_minutes,month,is_late\n"
        rows = (f"{id},2001-01-01 00:00:00,old,old,old,0,0,old,false\n" for id in range(3, 3000, 7))
        loading.write("old.csv", head + "".join(rows))
        done = loading.run()
        assert done.code == 0, done


def damage(path, count, seed):
    """Breaks `count` records of a CSV in place of what they were: a letter in a number, or a column too many."""
    lines = path.read_bytes().split(b"\n")
    draw = random.Random(seed)
    for line in draw.sample(range(1, len(lines) - 1), count):
        fields = lines[line].split(b",")
        kind = draw.randrange(3)
        if kind == 0:
            fields[1] = b"x" + fields[1]
        elif kind == 1:
            fields.append(b"extra")
        else:
            fields[2] = b"0"  # refused by the SQL
        lines[line] = b",".join(fields)
    path.write_bytes(b"\n".join(lines))


def pack(path):
    """Beside the file, as two gzip members that are cut within a record."""
    data = path.read_bytes()
    middle = len(data) // 2 + 7
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(data[:middle], 1) + gzip.compress(data[middle:], 1))


class Undisturbed:
    """What a run gives that nobody disturbs: the measure of all others."""

    def __init__(self, sink, job):
        with scenes.Scene(job) as scene:
            prepare_target(scene, sink)
            started = time.monotonic()
            done = scene.run()
            self.seconds = time.monotonic() - started
            assert done.code == 0, f"{sink}: the undisturbed run failed\n{done}"
            self.output = without_rejects_file(scene.output())
            self.counts = scenes.counts_of(done)
            self.rejects = scene.rejects()
            self.groups = scene.look().commits
            assert not scene.leavings(), scene.leavings()


def without_rejects_file(output):
    """The file of rejects names the run; its lines are compared one by one."""
    assert "rejects.jsonl" in output, output
    return {name: content for name, content in output.items() if name != "rejects.jsonl"}


def differences(expected, scene, done=None):
    """What a completed run left otherwise than an undisturbed one; empty: nothing. Without `done` it said no counts."""
    found = []
    output = without_rejects_file(scene.output())
    for name in sorted(set(expected.output) | set(output)):
        if expected.output.get(name) != output.get(name):
            found.append(f"{name}: {expected.output.get(name)} was expected, {output.get(name)} is there")
    if done is not None and scenes.counts_of(done) != expected.counts:
        found.append(f"counts: {expected.counts} were expected, {scenes.counts_of(done)} were said")
    if scene.rejects() != expected.rejects:
        found.append("the rejects differ")
    if (scene.out / "rejects.jsonl").read_text().count("\n") != len(expected.rejects):
        found.append("the file of rejects has another number of lines")
    found += [f"left behind: {name}" for name in scene.leavings()]
    return found


class Kill:
    """One kill -9 of a whole process group, and what was going on."""

    def __init__(self, state, total):
        self.phase = state.phase
        self.commits = state.commits
        self.total = total

    @property
    def between(self):
        """Behind the first commit and before the seal."""
        return self.commits > 0 and self.phase == "committing"

    def __str__(self):
        return f"{self.phase}, {self.commits}/{self.total} committed"


def kill_after_commits(scene, process, commits, pause):
    """Kills when the ledger has so many commits, and a pause more; or not, when the run is over by then."""
    watch = scene.watch()
    try:
        while process.poll() is None:
            if watch.look().commits >= commits:
                time.sleep(pause)
                break
            time.sleep(0.001)
    finally:
        watch.close()
    scenes.kill_group(process)
    process.communicate()


def kill_after_seconds(process, seconds):
    time.sleep(seconds)
    scenes.kill_group(process)
    process.communicate()


def disturbed_run(sink, job, expected, draw, by_time=False, workers=None, again=0.25, apart_most=None):
    """One run, killed at a random moment, as likely as `again` says once more on its way, and taken up; gives its kills
    and its differences. `apart_most`: so many commits at most from kill to kill."""
    kills = []
    with scenes.Scene(job, workers) as scene:
        prepare_target(scene, sink)
        batch_seconds = expected.seconds / max(1, expected.groups)
        first = 0
        while True:
            process = scene.start_run()
            if by_time:
                kill_after_seconds(process, draw.uniform(0, expected.seconds))
            else:
                last = max(first + 1, int(expected.groups * 0.9))
                if apart_most:
                    last = min(last, first + apart_most)
                commits = draw.randint(first + 1, last)
                kill_after_commits(scene, process, commits, draw.uniform(0, batch_seconds))
            kill = Kill(scene.look(), expected.groups)
            kills.append(kill)
            first = kill.commits
            is_enough = by_time or draw.random() >= again or first + 1 >= expected.groups
            if kill.phase == "completed":  # what starts now is another run
                return kills, differences(expected, scene)
            if is_enough:
                break
        done = scene.run()  # the same command, at once and once
        if done.code != 0:
            return kills, [f"The run after the kill did not complete: {done}"]
        return kills, differences(expected, scene, done)


def engine_of(process):
    """The engine of a supervisor: its only child."""
    children = scenes.children_of(process.pid)
    return children[0] if children else None


def kill_process(pid):
    os.kill(pid, signal.SIGKILL)
