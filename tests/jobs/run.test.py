#!/usr/bin/env python3
"""Job tests as text: each folder here is a job, its input, and a session in session.txt.

A session is what a person would see: a line that begins with "$ " is typed into bash in a copy of the
folder, the lines below it are what must come out of it (standard output), and "[1]" at their end is an
exit code other than 0. Lines above the first command say what the session is about.

Beside the ordinary commands a session may use:
  tranche     the command under test; the programs of examples/cpp by their names
  counts      reads `tranche run --json`, prints what each step counted
  rejects     reads rejects as JSON Lines, prints them with the run's id masked

    tests/jobs/run.test.py [FOLDER...]             runs all, or these
    UPDATE=1 tests/jobs/run.test.py [FOLDER...]    writes what comes out into the sessions: read the diff
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TRANCHE = os.environ.get("TRANCHE_BIN", str(HERE.parent.parent / "build" / "tranche"))

COUNTS = r'''#!/usr/bin/env python3
import json, sys
text = sys.stdin.read()
try:
    run = json.loads(text)
except ValueError:
    sys.exit("counts: no JSON object came: " + text[:200])
print(run["state"] + (", already loaded" if run.get("already_loaded") else ""))
for step in run.get("steps", []):
    parts = [step["name"] + ": " + step["state"]]
    for key in ("read", "filtered", "rejected", "written", "batches", "batches_resumed", "retries"):
        value = step.get(key)
        if value is None or (value == 0 and key in ("filtered", "batches_resumed", "retries")):
            continue
        parts.append(f"{key} {value}")
    print("  " + ", ".join(parts))
'''

REJECTS = r'''#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    reject = json.loads(line)
    assert len(reject["run"]) == 32, reject["run"]
    reject["run"] = "RUN"
    for key in ("raw", "raw_base64"):
        if len(reject.get(key, "")) > 200:
            reject[key] = f"{reject[key][:20]}... ({len(reject[key])} characters)"
    print(json.dumps(reject, ensure_ascii=False))
'''


def read_session(path):
    """Gives (lines above, [(command, expected output)])."""
    head, steps = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif steps:
            steps[-1][1].append(line)
        else:
            head.append(line)
    return head, [(command, strip_end(lines)) for command, lines in steps]


def strip_end(lines):
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


class Session(unittest.TestCase):
    maxDiff = None

    def __init__(self, folder):
        super().__init__("play")
        self.folder = folder

    def __str__(self):
        return f"tests/jobs/{self.folder.name}"

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="tranche-job-")
        self.addCleanup(temporary.cleanup)
        root = pathlib.Path(temporary.name)
        self.work = root / "work"
        shutil.copytree(self.folder, self.work)
        (self.work / "session.txt").unlink()
        tools = root / "tools"
        tools.mkdir()
        for name, text in (("counts", COUNTS), ("rejects", REJECTS)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        (tools / "tranche").symlink_to(os.path.abspath(TRANCHE))
        examples = os.path.join(os.path.dirname(os.path.realpath(TRANCHE)), "examples")
        self.environment = dict(os.environ, PATH=f"{tools}:{examples}:{os.environ['PATH']}",
                                LC_ALL="C.UTF-8", NO_COLOR="1")
        self.environment.setdefault("TRANCHE_SOURCE_DIR", str(HERE.parent.parent))
        self.environment.pop("TRANCHE_STATE", None)

    def type(self, command):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=self.work,
                              env=self.environment, stdin=subprocess.DEVNULL, timeout=100,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = strip_end(done.stdout.decode("utf-8", "backslashreplace").splitlines())
        if done.returncode != 0:
            lines.append(f"[{done.returncode}]")
        return lines, done.stderr.decode("utf-8", "backslashreplace")

    def play(self):
        path = self.folder / "session.txt"
        head, steps = read_session(path)
        self.assertTrue(steps, f"{path} has no command")
        if os.environ.get("UPDATE"):
            text = "\n".join(strip_end(head)) + "\n" if head else ""
            for command, _ in steps:
                lines, errors = self.type(command)
                text += "\n$ " + command + "\n" + "".join(line + "\n" for line in lines)
                if errors:
                    print(f"--- {self}: {command}\n{errors}", file=sys.stderr)
            path.write_text(text, encoding="utf-8")
            return
        for command, expected in steps:
            lines, errors = self.type(command)
            self.assertEqual(expected, lines, f"{self}: {command}\n{errors}")


def main():
    if not os.access(TRANCHE, os.X_OK):
        sys.exit(f"run.test.py: there is no {TRANCHE}; name the command in TRANCHE_BIN")
    names = sys.argv[1:]
    folders = [HERE / name for name in names] or sorted(p.parent for p in HERE.glob("*/session.txt"))
    suite = unittest.TestSuite(Session(folder) for folder in folders)
    if suite.countTestCases() == 0:
        sys.exit("run.test.py: no folder has a session.txt")
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)


if __name__ == "__main__":
    main()
