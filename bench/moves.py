#!/usr/bin/env python3
"""Backup and restore of a PostgreSQL database, beside pg_dump -Fd -j2 and pg_restore -j2, in turns: moves.py TABLES SCALE ROUNDS

A database of TABLES small tables, and pgbench's at SCALE (0: none of it). What was restored is compared by the digests of its
rows. Further words are other tranche commands to measure beside build/release/tranche, as NAME=PATH.
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import postgres_server

SMALL = """
CREATE TABLE small_{0} (id integer PRIMARY KEY, name text NOT NULL, price numeric(10,2), made timestamp);
INSERT INTO small_{0} SELECT g, 'name ' || g, g / 4.0, timestamp '2026-01-01' + g * interval '1 minute' FROM generate_series(1, 200) g;
CREATE INDEX small_{0}_name ON small_{0} (name);
"""


def make(server, name, tables, scale):
    server.sql(f"CREATE DATABASE {name}")
    url = server.url_of(name)
    if tables:
        postgres_server.sql(url, "".join(SMALL.format(number) for number in range(tables)))
    if scale:
        subprocess.run([server.bin / "pgbench", "-i", "-q", "-s", str(scale), "--foreign-keys", url], check=True,
                       capture_output=True)
    return url


def digests(url):
    """Rows and a digest of every table that is no record of ours."""
    tables = postgres_server.sql(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
    return {table: postgres_server.sql(url, f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t")
            for table in tables}


class Contest:
    def __init__(self, server, root, url, commands):
        self.server, self.root, self.url = server, root, url
        self.commands = commands
        self.expected = digests(url)
        self.times = {}

    def timed(self, name, words):
        began = time.monotonic()
        done = subprocess.run([str(word) for word in words], cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True)
        if done.returncode != 0:
            sys.exit(f"{words}: {done.stdout}{done.stderr}")
        self.times.setdefault(name, []).append(time.monotonic() - began)

    def restored(self, name, words):
        self.server.sql("DROP DATABASE IF EXISTS copy WITH (FORCE)")
        self.server.sql("CREATE DATABASE copy")
        self.server.sql("CHECKPOINT")
        self.timed(name, words)
        if digests(self.server.url_of("copy")) != self.expected:
            sys.exit(f"{name} restored something else")

    def round(self):
        copy = self.server.url_of("copy")
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, command in self.commands.items():
            self.timed(f"{name} backup", [command, "backup", self.url, f"kept-{name}"])
        self.timed("pg_dump -Fd -j2", [self.server.bin / "pg_dump", "-Fd", "-j2", "-f", "dumped", self.url])
        for name, command in self.commands.items():
            self.restored(f"{name} restore", [command, "restore", f"kept-{name}", copy])
        self.restored("pg_restore -j2", [self.server.bin / "pg_restore", "-j2", "-d", copy, "dumped"])


def main(words):
    if len(words) < 3:
        sys.exit(__doc__)
    tables, scale, rounds = (int(word) for word in words[:3])
    commands = {"tranche": pathlib.Path(os.environ.get("TRANCHE_BIN") or HERE.parent / "build/release/tranche")}
    commands |= dict(word.split("=", 1) for word in words[3:])
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with postgres_server.Server(max_connections="100") as server, tempfile.TemporaryDirectory() as folder:
        contests = {}
        if tables:
            contests[f"{tables} small tables"] = Contest(server, pathlib.Path(folder) / "small",
                                                         make(server, "small", tables, 0), commands)
        if scale:
            contests[f"pgbench, scale {scale}"] = Contest(server, pathlib.Path(folder) / "large",
                                                          make(server, "large", 0, scale), commands)
        for contest in contests.values():
            contest.root.mkdir()
        for _ in range(rounds):
            for contest in contests.values():
                contest.round()
        for title, contest in contests.items():
            print(title)
            for name, taken in contest.times.items():
                print(f"  {name:<24} {statistics.median(taken):8.2f} s   of {', '.join(f'{t:.2f}' for t in taken)}")
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
