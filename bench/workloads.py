"""The workloads: what is run, by whom, on which data, what must be reached, and how each result is judged."""
import atexit
import contextlib
import dataclasses
import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import time
import typing

import check
import peers as peer_setup
import postgres_server
from data import COLUMNS

HERE = pathlib.Path(__file__).resolve().parent
THREADS = 2
PEER_SLOW_RECORDS_MAX = 1_000_000   # of those that go record by record in an interpreter

READ_COLUMNS = "      columns: { " + ", ".join(f'{name}: "{kind}"' for name, kind in COLUMNS.items()) + " }\n"
TOTALS_SQL = "SELECT id, sold_at, sku, qty * unit_price AS total, currency, customer FROM batch WHERE qty > 0"


@dataclasses.dataclass
class Contender:
    """One program with its data in a folder of its own. `prepare` runs before each run, unmeasured, and gives the
    share of the whole work that is left to do."""
    name: str
    command: list
    judge: typing.Callable                                   # (folder, outcome) -> check.Finding
    ours: bool = False
    links: dict = dataclasses.field(default_factory=dict)    # name in its folder -> file
    files: dict = dataclasses.field(default_factory=dict)    # name in its folder -> text
    environment: dict = dataclasses.field(default_factory=dict)
    prepare: typing.Callable = None                          # (folder) -> share
    share: float = 1.0
    budget_bytes: int = 0
    absent: str = ""                                         # why it is not measured
    remark: str = ""

    def clean(self, folder):
        """Nothing of an earlier run is left: no output, no state."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("out", ".tranche"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "out").mkdir()
        for name, target in self.links.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


@dataclasses.dataclass
class Target:
    """`first` and `goal`: times as fast as `against`; or, with `at_most`, the time of a unit against one there."""
    of: str
    against: str
    first: float
    goal: float
    at_most: bool = False


@dataclasses.dataclass
class Workload:
    key: str
    title: str
    contenders: list
    targets: list
    data: list                          # files to have in memory
    timed: bool = True                  # else only memory is looked at, in one run
    size_within: typing.Tuple = None    # (whose, against, factor): what the output may take
    notes: str = ""


class Programs:
    """Makes contenders of the programs of a build."""

    def __init__(self, build, peers):
        self.build = build
        self.bench = build / "bench"
        self.tranche = build / "tranche"
        self.peers = peers
        self.judge = check.Judge(self.bench)

    def job(self, name, yaml, links, judge, **more):
        return Contender(name, [self.tranche, "run", "job.yaml", "--json"], judge, True, links, {"job.yaml": yaml},
                         **more)

    def totals(self, name, source, judge, memory="", **more):
        command = [self.bench / "sales_totals", "run", "--workers", THREADS, "--json"]
        return Contender(name, command + (["--memory", memory] if memory else []), judge, True, {"sales.csv": source},
                         **more)

    def duckdb(self, name, sql, links, judge, **more):
        return Contender(name, [self.bench / "duckdb_peer", THREADS, sql], judge, False, links,
                         absent=self.peers.absent.get("DuckDB", ""), **more)

    def polars(self, workload, price, time_as, links, output, judge):
        source = next(iter(links))
        return Contender(f"Polars, price as {price}, time as {time_as}",
                         ["node", HERE / "polars_peer.js", workload, price, time_as, source, output], judge, False,
                         links,
                         environment={"NODE_PATH": str(peer_setup.POLARS), "POLARS_MAX_THREADS": str(THREADS)},
                         absent=self.peers.absent.get("Polars", ""))

    def plain(self, peer, name, command, data, judge, records_max=None, remark=""):
        absent = self.peers.absent.get(peer, "")
        if not absent and records_max and data.records > records_max:
            absent = f"not run with more than {records_max:,} records"
        return Contender(name, command, judge, False, {"sales.csv": data.clean()}, absent=absent, remark=remark)


def yaml_job(name, read, write, process="", memory=""):
    return (f"job: {name}\n" + (f"memory: {memory}\n" if memory else "") + "steps:\n  - name: load\n"
            f"    read:\n      {read}\n{READ_COLUMNS}{process}    on_error: {{ max_rejects: 100% }}\n"
            f"    workers: {THREADS}\n    write:\n      {write}\n")


PARQUET = "parquet: out/sales\n      mode: replace\n      compression: zstd"


def parse(programs, data):
    def judge(_, outcome):
        return programs.judge.sums_line(data, outcome.out)
    links = {"sales.csv": data.clean()}
    return Workload(
        "parse", "Parse and type CSV, all columns",
        [Contender("Tranche", [programs.bench / "parse_sales", "sales.csv", THREADS], judge, True, links),
         programs.duckdb("DuckDB read_csv", f"SELECT {check.SUMS} FROM {check.read_csv_sql('sales.csv')}", links,
                         judge)],
        [Target("Tranche", "DuckDB read_csv", 2.5, 4)], [data.clean()],
        notes="Both sum up all columns; of Tranche the reader alone, without a run around it.")


def totals_sql(columns, total, where):
    return (f"COPY (SELECT id, sold_at, sku, {total} AS total, currency, customer FROM read_csv('sales.csv', "
            f"header = true, columns = {columns}) WHERE {where}) TO 'out/totals.csv' (HEADER)")


def duckdb_totals(programs, links, judge):
    return programs.duckdb("DuckDB COPY, typed decimal",
                           totals_sql(check.DUCKDB_COLUMNS, "qty * unit_price", "qty > 0"), links, judge)


def csv_to_csv(programs, data):
    def judge(folder, _):
        return programs.judge.totals(data, folder / "out" / "totals.csv")
    links = {"sales.csv": data.clean()}
    text = check.DUCKDB_COLUMNS.replace("'TIMESTAMP'", "'VARCHAR'").replace("'DECIMAL(12,2)'", "'DOUBLE'")
    awk = ('BEGIN { FS = OFS = "," } NR == 1 { print $1, $2, $4, "total", $7, $8 } '
           'NR > 1 && $5 > 0 { print $1, $2, $4, sprintf("%.2f", $5 * $6), $7, $8 }')
    miller = ["mlr", "--icsv", "--ocsv", "filter", "$qty > 0", "then", "put", "$total = $qty * $unit_price",
              "then", "cut", "-o", "-f", "id,sold_at,sku,total,currency,customer", "sales.csv"]
    into = ["sh", "-c", 'exec "$@" > out/totals.csv', "sh"]
    polars = [programs.polars("totals", *types, links, "out/totals.csv", judge)
              for types in (("decimal", "timestamp"), ("double", "text"))]
    return Workload(
        "csv-to-csv", "CSV to CSV, a filter and exact decimal arithmetic in a C++ function",
        [programs.totals("Tranche", data.clean(), judge),
         duckdb_totals(programs, links, judge),
         programs.duckdb("DuckDB COPY, price as double, time as text", totals_sql(text, "qty * unit_price", "qty > 0"),
                         links, judge),
         *polars,
         programs.plain("mawk", "mawk", [*into, "mawk", awk, "sales.csv"], data, judge, remark="knows no quotes"),
         programs.plain("Miller", "Miller", [*into, *miller], data, judge, PEER_SLOW_RECORDS_MAX),
         programs.plain("Python", "Python csv, Decimal",
                        ["python3", HERE / "python_peer.py", "sales.csv", "out/totals.csv"], data, judge,
                        PEER_SLOW_RECORDS_MAX, "what the others are compared with")],
        [Target("Tranche", "DuckDB COPY, typed decimal", 3.5, 5),
         *(Target("Tranche", contender.name, 1.5, 2.8) for contender in polars)], [data.clean()])


def sql(programs, data):
    def judge(folder, _):
        return programs.judge.totals(data, folder / "out" / "totals.csv")
    links = {"sales.csv": data.clean()}
    process = f"    process:\n      - sql: {TOTALS_SQL}\n"
    job = yaml_job("totals-in-sql", "csv: sales.csv", "csv: out/totals.csv", process)
    return Workload(
        "sql", "The same logic in SQL, batch by batch",
        [programs.job("Tranche", job, links, judge), duckdb_totals(programs, links, judge)],
        [Target("Tranche", "DuckDB COPY, typed decimal", 1.2, 2)], [data.clean()])


def to_parquet(programs, data, key, title, system, source, duckdb_read, targets):
    """CSV or JSON Lines to Parquet."""
    def ours(folder, _):
        return programs.judge.parquet(data, folder / "out" / "sales" / "*.parquet")

    def theirs(folder, _):
        return programs.judge.parquet(data, folder / "out" / "sales.parquet")
    name = f"sales.{system}"
    links = {name: source}
    job = yaml_job(key, f"{system}: {name}", PARQUET)
    copy = f"COPY (SELECT * FROM {duckdb_read}) TO 'out/sales.parquet' (FORMAT parquet, COMPRESSION zstd)"
    duckdb = programs.duckdb("DuckDB COPY, ordered", copy, links, theirs)
    as_quick = programs.duckdb("DuckDB COPY, ordered, zstd level 1 as Tranche's",
                               copy.replace("COMPRESSION zstd", "COMPRESSION zstd, COMPRESSION_LEVEL 1"), links, theirs)
    workload = "parquet" if system == "csv" else "jsonl"
    polars = [programs.polars(workload, price, "timestamp", links, "out/sales.parquet", theirs)
              for price in (("decimal", "double") if system == "csv" else ("double",))]
    return Workload(key, title, [programs.job("Tranche", job, links, ours), duckdb, as_quick, *polars],
                    [Target("Tranche", duckdb.name, *targets)], [source], size_within=("Tranche", duckdb.name, 1.05))


def parquet(programs, data):
    return to_parquet(programs, data, "parquet", "CSV to Parquet, zstd", "csv", data.clean(),
                      check.read_csv_sql("sales.csv"), (1.5, 2.4))


def jsonl(programs, data):
    read = f"read_json('sales.jsonl', format = 'newline_delimited', columns = {check.DUCKDB_COLUMNS})"
    return to_parquet(programs, data, "jsonl", "JSON Lines to Parquet, zstd", "jsonl", data.jsonl(), read, (1.4, 2))


def dirty(programs, data):
    def rejects(*command):
        return lambda folder, _: check.rejects(data, [*command, "rejects", "last", "--state", ".tranche"], folder)
    job = yaml_job("broken-to-parquet", "csv: sales.csv", PARQUET)
    csv_function, csv_clean = "CSV to CSV, broken", "CSV to CSV, clean"
    to_parquet_dirty, to_parquet_clean = "CSV to Parquet, broken", "CSV to Parquet, clean"
    clean_csv, clean_parquet = csv_to_csv(programs, data).contenders[0], parquet(programs, data).contenders[0]
    return Workload(
        "dirty", "The same with one broken record in 10,000, each reported, against itself, clean",
        [programs.totals(csv_function, data.dirty(), rejects(programs.bench / "sales_totals")),
         dataclasses.replace(clean_csv, name=csv_clean),
         programs.job(to_parquet_dirty, job, {"sales.csv": data.dirty()}, rejects(programs.tranche)),
         dataclasses.replace(clean_parquet, name=to_parquet_clean)],
        [Target(csv_function, csv_clean, 1.05, 1.02, True),
         Target(to_parquet_dirty, to_parquet_clean, 1.05, 1.02, True)], [data.clean(), data.dirty()])


def ten_times(programs, data, tenth):
    """Both run in one go, so that the machine's mood is the same."""
    pairs = []
    for make in (csv_to_csv, parquet):
        for each, share in ((data, 10.0), (tenth, 1.0)):
            workload = make(programs, each)
            name = f"{workload.title.split(',')[0]}, {each.records:,} records"
            pairs.append(dataclasses.replace(workload.contenders[0], name=name, share=share))
    return Workload("ten-times", "Ten times the records, against ten times the time", pairs,
                    [Target(pairs[0].name, pairs[1].name, 1.05, 1.0, True),
                     Target(pairs[2].name, pairs[3].name, 1.05, 1.0, True)], [tenth.clean(), data.clean()])


def safety(programs, data):
    """What it costs that nothing committed is lost in a power cut."""
    def rows(folder, _):
        with contextlib.closing(sqlite3.connect(folder / "out" / "sales.db")) as database:
            found, = database.execute("SELECT count(*) FROM sales").fetchone()
        return check.Finding(found == data.records, f"{found:,} rows")
    to_sqlite = yaml_job("to-sqlite", "csv: sales.csv", "sqlite: out/sales.db\n      table: sales\n      mode: append")
    pairs, targets = [], []
    for name, safe in (("CSV to CSV", csv_to_csv(programs, data).contenders[0]),
                       ("CSV to Parquet", parquet(programs, data).contenders[0]),
                       ("CSV to SQLite", programs.job("", to_sqlite, {"sales.csv": data.clean()}, rows))):
        off = {"LD_PRELOAD": str(programs.bench / "libno_sync.so")}
        pairs += [dataclasses.replace(safe, name=name), dataclasses.replace(safe, name=f"{name}, fsync off", environment=off)]
        targets.append(Target(name, f"{name}, fsync off", 1.05, 1.02, True))
    return Workload("safety", "The cost of safety: against the same with every fsync left out", pairs, targets, [data.clean()],
                    notes="A library that is loaded into the command for this measurement does nothing where it would sync a "
                          "file; ledger, checksums and rejects are on in both.")


class TooSmall(ValueError):
    """The data is too small for this workload: that is nobody's failure."""


class Half:
    """Stops a run in the middle, so that a resume can be measured."""

    def __init__(self, command, records):
        self.command = command
        self.records = records
        self.batches = 0

    def prepare(self, folder):
        self.batches = self.batches or self.planned(folder)
        if self.batches < 4:
            raise TooSmall(f"too few batches ({self.batches}) for a stop half-way")
        process = subprocess.Popen([str(word) for word in self.command], cwd=folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while process.poll() is None and commits(folder / ".tranche" / "ledger.db") < self.batches // 2:
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
        if process.returncode != 3:
            raise ValueError(f"it did not stop half-way: exit code {process.returncode}")
        return 1 - json.loads(out)["steps"][0]["read"] / self.records

    def planned(self, folder):
        plan = subprocess.run([str(self.command[0]), "plan", "--json"], cwd=folder, stdout=subprocess.PIPE, check=True)
        return len(json.loads(plan.stdout)["steps"][0]["batches"])


def commits(ledger):
    """0 also when there is no ledger yet, or it is just being made."""
    try:
        connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM commits").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def resume(programs, data):
    def judge(folder, outcome):
        found = programs.judge.totals(data, folder / "out" / "totals.csv")
        step = json.loads(outcome.out)["steps"][0]
        share = step["batches_resumed"] / step["batches"]
        return check.Finding(found.right, f"{share:.0%} of the batches were done before; {found.text}")
    whole = csv_to_csv(programs, data).contenders[0]
    half = programs.totals("Tranche, resumed at half", data.clean(), judge)
    half.prepare = Half(half.command, data.records).prepare
    return Workload("resume", "A resume at half, against that share of an undisturbed run",
                    [half, dataclasses.replace(whole, name="Tranche, undisturbed")],
                    [Target(half.name, "Tranche, undisturbed", 1.05, 1.02, True)], [data.clean()],
                    notes="What is compared is the time of a resume, divided by the share of records that it had left.")


def scores(programs, data, name, *words):
    """A function that computes for about 20 microseconds a record."""
    def judge(folder, _):
        expected = subprocess.run([str(programs.bench / "static_split"), str(data.clean()), str(THREADS)],
                                  text=True, stdout=subprocess.PIPE, check=True).stdout.strip()
        found = programs.judge.ask(f"SELECT count(*), sum(score) FROM read_csv('{folder / 'out' / 'scores.csv'}')")
        rows, total = found.split("|")
        return check.Finding(found == expected, f"{int(rows):,} rows, sum of scores {total}")
    return Contender(name, [programs.bench / "score_sales", "run", "--json", *words], judge, True,
                     {"sales.csv": data.clean()})


def cpu(programs, data):
    def limit(_, outcome):
        rows, total = outcome.out.strip().split("|")
        return check.Finding(int(rows) == data.records, f"{int(rows):,} rows, sum of scores {total}")
    links = {"sales.csv": data.clean()}
    return Workload(
        "cpu", "A CPU-bound function, about 20 microseconds a record",
        [scores(programs, data, "Tranche", "--workers", THREADS),
         scores(programs, data, "Tranche, `workers: auto`"),
         Contender("static split over the cores", [programs.bench / "static_split", "sales.csv", THREADS], limit, False,
                   links, remark="a limit, not a peer: it writes nothing")],
        [Target(name, "static split over the cores", 1.03, 1.01, True)
         for name in ("Tranche", "Tranche, `workers: auto`")], [data.clean()])


def processes(programs, data):
    return Workload(
        "processes", "The same function in worker processes, against threads",
        [scores(programs, data, "in processes", "--workers", f"{{ processes: {THREADS} }}"),
         scores(programs, data, "in threads", "--workers", THREADS)],
        [Target("in processes", "in threads", 1.05, 1.02, True)], [data.clean()])


def ids(programs, data, file, columns):
    """Judges what has the id of each record, and says what it cost."""
    expected = f"{data.records}|{data.records * (data.records + 1) // 2}"

    def judge(folder, outcome):
        found = programs.judge.ask(f"SELECT count(*), sum(id) FROM read_csv('{folder / 'out' / file}')")
        step = json.loads(outcome.out)["steps"][0]
        return check.Finding(found == expected, columns(step))
    return judge


CALL_SECONDS = 0.02


def waits(programs, data):
    """Each number of calls at once with as many records as take half a minute."""
    contenders, targets, files = [], [], []
    for at_once, records, limits in ((64, 100_000, (1.11, 1.05)), (512, 800_000, (1.25, 1.11))):
        part = data.of(min(records, data.records))
        seconds = part.records * CALL_SECONDS / at_once
        name = f"Tranche, `workers: auto`, {at_once} at once"
        ideal = f"{part.records:,} records x 20 ms / {at_once}"
        judge = ids(programs, part, "answers.csv", lambda step: f"{step['read'] / step['seconds']:,.0f} records/s, "
                    f"{step['workers']['count']} at once: {step['workers']['why']}")
        contenders += [
            Contender(name, [programs.bench / "wait_sales", "run", "--json"], judge, True, {"sales.csv": part.clean()},
                      environment={"AT_ONCE": str(at_once)}),
            Contender(ideal, ["sleep", f"{seconds:.3f}"], lambda *_: check.Finding(True, "what can't be beaten"),
                      remark="a limit, not a peer: it only waits")]
        targets.append(Target(name, ideal, *limits, True))
        files.append(part.clean())
    return Workload("waits", "A function that waits 20 ms a record for a service that takes so many at once", contenders,
                    targets, files)


def overhead(programs, data):
    contenders = []
    for rows in (100_000, 1_000):
        judge = ids(programs, data, "ids.csv", lambda step: f"{step['seconds'] / step['read'] * 1e9:,.0f} ns a record, "
                    f"{step['seconds'] / step['batches'] * 1e6:,.0f} us a batch")
        contenders.append(Contender(f"batches of {rows:,} records", [programs.bench / "pass_sales", "run", "--json"],
                                    judge, True, {"sales.csv": data.clean()}, environment={"BATCH_ROWS": str(rows)}))
    return Workload("overhead", "An empty function: what a record and a batch cost", contenders, [], [data.clean()])


def memory(programs, data):
    mib = 1 << 20
    function = csv_to_csv(programs, data).contenders[0]
    csv_job = yaml_job("plain", "csv: sales.csv", "csv: out/sales.csv", memory="128MiB")
    parquet_job = yaml_job("parquet", "csv: sales.csv", PARQUET, memory="256MiB")
    links = {"sales.csv": data.clean()}

    def plain(folder, _):
        table = check.read_csv_sql(folder / "out" / "sales.csv")
        return programs.judge.sums_line(data, programs.judge.ask(f"SELECT {check.SUMS} FROM {table}"))
    return Workload(
        "memory", "Peak memory of the process tree, against the budget",
        [programs.totals("CSV to CSV, C++ function, `memory: 128MiB`", data.clean(), function.judge, "128MiB",
                         budget_bytes=128 * mib),
         programs.job("CSV to CSV, no transform, `memory: 128MiB`", csv_job, links, plain, budget_bytes=128 * mib),
         programs.job("CSV to Parquet, `memory: 256MiB`", parquet_job, links,
                      parquet(programs, data).contenders[0].judge, budget_bytes=256 * mib)],
        [], [data.clean()], timed=False)


POSTGRES_COLUMNS = ("id bigint, sold_at timestamp, store integer, sku text, qty integer, unit_price numeric(12,2), "
                    "currency text, customer text, note text")
PGLOADER = """LOAD CSV FROM 'sales.csv' INTO {url}?tablename=sales
WITH skip header = 1, fields terminated by ',', fields optionally enclosed by '"', fields escaped by double-quote;
"""


class Database:
    """A PostgreSQL of the measurement's own, durable, with room for what is loaded; started when it is first asked for."""
    server = None

    @classmethod
    def start(cls):
        if cls.server is None:
            cls.server = postgres_server.Server(shared_buffers="1GB", max_wal_size="4GB")
            cls.server.__enter__()
            atexit.register(cls.server.__exit__)
        return cls.server

    @classmethod
    def empty(cls, _):
        """An empty table in front of each run, with nothing left to write."""
        cls.start().sql("DROP TABLE IF EXISTS sales")
        cls.server.sql("DROP TABLE IF EXISTS tranche_commits")
        cls.server.sql(f"CREATE TABLE sales ({POSTGRES_COLUMNS})")
        cls.server.sql("CHECKPOINT")
        return 1.0

    @classmethod
    def empty_and_strict(cls, folder):
        """It refuses one row of a thousand."""
        cls.empty(folder)
        cls.server.sql("ALTER TABLE sales ADD CHECK (id % 1000 <> 7)")
        return 1.0


def postgres(programs, data):
    server = Database.start()
    expected = f"{data.records}|{data.records * (data.records + 1) // 2}"

    def rows(*_):
        found = server.sql("SELECT count(*), sum(id) FROM sales")
        return check.Finding(found == expected, f"{int(found.split('|')[0]):,} rows")

    def fewer_rows(*_):
        found, left = int(server.sql("SELECT count(*) FROM sales")), len(range(7, data.records + 1, 1000))
        return check.Finding(found == data.records - left, f"{found:,} rows, {left:,} refused")

    def rejects(folder, _):
        return check.rejects(data, [programs.tranche, "rejects", "last", "--state", ".tranche"], folder)
    job = yaml_job("to-postgres", "csv: sales.csv", f"postgres: {server.url}\n      table: sales\n      mode: append")
    clean, dirty = {"sales.csv": data.clean()}, {"sales.csv": data.dirty()}
    copy = [postgres_server.programs() / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", server.url, "-c", "\\copy sales from 'sales.csv' csv header"]
    peers = programs.peers
    ours = programs.job("Tranche", job, clean, rows, prepare=Database.empty)
    broken = programs.job("Tranche, broken records", job, dirty, rejects, prepare=Database.empty)
    refused = programs.job("Tranche, refused rows", job, clean, fewer_rows, prepare=Database.empty_and_strict)
    psql = Contender("psql \\copy", copy, rows, False, clean, prepare=Database.empty, absent=peers.absent.get("psql", ""))
    pgloader = Contender("pgloader", ["pgloader", "sales.load"], rows, False, clean,
                         {"sales.load": PGLOADER.format(url=server.url)}, prepare=Database.empty,
                         absent=peers.absent.get("pgloader", ""))
    return Workload(
        "postgres", "CSV into a table of PostgreSQL", [ours, psql, broken, refused, pgloader],
        [Target(ours.name, psql.name, 1.4, 2), Target(broken.name, ours.name, 1.05, 1.02, True),
         Target(refused.name, ours.name, 1.5, 1.25, True)], [data.clean(), data.dirty()],
        notes="The server is the measurement's own, on the same cores, with fsync on; an empty table without an index. Of "
              "the broken records one in 10,000 can't be read, of the refused rows the server refuses one in 1,000 by a "
              "CHECK; each is reported.")


# Of workloads that would take long with more, and tell nothing else.
RECORDS_MAX = {"cpu": 1_000_000, "processes": 1_000_000, "waits": 1_000_000, "overhead": 1_000_000,
               "postgres": 1_000_000}

# In the order of the report.
ALL = {"parse": parse, "csv-to-csv": csv_to_csv, "sql": sql, "parquet": parquet, "jsonl": jsonl, "dirty": dirty,
       "postgres": postgres,
       "cpu": cpu, "processes": processes, "waits": waits, "overhead": overhead, "resume": resume, "safety": safety, "memory": memory, "ten-times": ten_times}
