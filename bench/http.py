#!/usr/bin/env python3
"""The same calls of a web service that takes 20 ms: an `http:` step of a Tranche job, a thread pool of Python, `curl --parallel`.

    bench/http.py [RECORDS] [ROUNDS]

The service (slow_service) is on this machine, has one thread, and takes a part of the same processors. Python's pool has a
connection a thread (http.client) and writes by csv.writer; curl is given all URLs in one file and throws the answers away, and
has no more than 300 in flight. Neither retries, keeps rejects, or can go on after a kill. Ours runs as it does for everybody:
ledger, fsync and rejects on. All take turns; the figures are medians. What ours and Python make is compared.
"""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

import turns

SOURCE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR") or SOURCE / "build" / "release")
TRANCHE = os.environ.get("TRANCHE_BIN") or str(BUILD / "tranche")
MILLISECONDS = 20
CURL_MOST = 300

JOB = """job: {name}
steps:
  - name: score
    read: {{ csv: in.csv, columns: {{ id: bigint, name: varchar }} }}
    process:
      - http: "{url}/score/${{record.id}}"
        into: {{ score: bigint }}
        concurrency: {at_once}
    write: {{ csv: out.csv }}
"""
POOL = """import concurrent.futures, csv, http.client, json, sys, threading
host, at_once = sys.argv[1].removeprefix("http://"), int(sys.argv[2])
local = threading.local()

def score(row):
    if not hasattr(local, "connection"):
        local.connection = http.client.HTTPConnection(host)
    local.connection.request("GET", "/score/" + row[0])
    return row + [json.loads(local.connection.getresponse().read())["score"]]

with open("in.csv", newline="") as records, open("pool.csv", "w", newline="") as out, \\
        concurrent.futures.ThreadPoolExecutor(at_once) as pool:
    reader = csv.reader(records)
    writer = csv.writer(out, lineterminator="\\n")
    writer.writerow(next(reader) + ["score"])
    writer.writerows(pool.map(score, reader))
"""


def measure(root, url, at_once, rounds):
    for name, limit in (("fixed", at_once), ("auto", "auto")):
        (root / f"{name}.yaml").write_text(JOB.format(name=name, url=url, at_once=limit))
    (root / "pool.py").write_text(POOL)
    contenders = {f"Tranche, concurrency: {at_once}": [TRANCHE, "run", "fixed.yaml", "--fresh"],
                  "Tranche, concurrency: auto": [TRANCHE, "run", "auto.yaml", "--fresh"],
                  f"Python, {at_once} threads": [sys.executable, "pool.py", url, str(at_once)],
                  f"curl --parallel, {min(at_once, CURL_MOST)}":
                      ["curl", "-s", "-Z", "--parallel-max", str(min(at_once, CURL_MOST)), "-K", "urls.txt"]}
    return turns.take_turns(root, contenders, ("out.csv", "pool.csv"), rounds)


def write_input(root, url, records):
    with open(root / "in.csv", "w", newline="", encoding="utf-8") as file, \
            open(root / "expected.csv", "w", newline="", encoding="utf-8") as expected:
        for writer, more in ((csv.writer(file, lineterminator="\n"), 0), (csv.writer(expected, lineterminator="\n"), 1)):
            writer.writerow(["id", "name", "score"][:2 + more])
            writer.writerows([i, f"customer {i * 7919 % 100_003}", i % 1000][:2 + more] for i in range(records))
    (root / "urls.txt").write_text("".join(f'url = "{url}/score/{i}"\noutput = "/dev/null"\n' for i in range(records)))


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    service = subprocess.Popen([BUILD / "bench" / "slow_service", str(MILLISECONDS)], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{int(service.stdout.readline())}"
        print(f"{records:,} calls of {MILLISECONDS} ms, {rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for at_once in (64, 512):
            ideal = records * MILLISECONDS / 1000 / at_once
            print(f"\n{at_once} at once: {ideal:.2f} s if nothing else took time")
            with tempfile.TemporaryDirectory(prefix="tranche-bench-") as folder:
                root = pathlib.Path(folder)
                write_input(root, url, records)
                for name, (taken, computed) in measure(root, url, at_once, rounds).items():
                    print(f"  {name:28} {taken:7.2f} s  {taken / ideal:6.2f}x  {computed / records * 1e6:7.1f} us of CPU a call")
    finally:
        service.kill()
        service.wait()


if __name__ == "__main__":
    main()
