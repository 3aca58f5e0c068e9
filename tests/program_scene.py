"""A folder in which a program of the user's is the business logic of a job, for tests of `command:`."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import scene as scenes


PYTHON = sys.executable  # rather than what stands first in PATH, which may be a script that looks for it


def is_running(marker):
    listing = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout
    return any(line.endswith(marker) and not line.startswith("Z") for line in listing.splitlines())


def wait_until(holds):
    deadline = time.monotonic() + scenes.SECONDS_MAX
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


class Folder:
    """Records id,text in records.csv, a job of one step, and what came of it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-program-")
        self.root = pathlib.Path(self.folder.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def write_records(self, count, texts=None):
        texts = texts or {}
        lines = ["id,text\n"] + [f"{i},{texts.get(i, f'text {i}')}\n" for i in range(count)]
        (self.root / "records.csv").write_text("".join(lines))

    def write_job(self, text):
        (self.root / "job.yaml").write_text(text)

    def write_program_job(self, command, columns="{ score: double }", step_workers="2", batch=1_000_000,
                          max_rejects=1000, **options):
        more = "".join(f"        {key}: {value}\n" for key, value in options.items())
        self.write_job("job: programs\nsteps:\n  - name: score\n"
                       "    read: { csv: records.csv, columns: { id: bigint, text: varchar } }\n"
                       f"    batch: {{ rows: {batch} }}\n    process:\n      - command: {command}\n"
                       f"        columns: {columns}\n{more}"
                       f"    on_error: {{ max_rejects: {max_rejects} }}\n    workers: {step_workers}\n"
                       "    write: { csv: out.csv }\n")

    def write_deeds(self, count, deeds):
        """Records id,deed for the plugin of tests/plugins/deeds.c."""
        lines = ["id,deed\n"] + [f"{i},{deeds.get(i, 'none')}\n" for i in range(count)]
        (self.root / "records.csv").write_text("".join(lines))

    def write_plugin_job(self, plugin, options="", workers="2", function="deeds", batch=1_000_000):
        """A job that hands them to a plugin of tests/plugins."""
        build = pathlib.Path(os.environ.get("TRANCHE_BUILD_DIR") or pathlib.Path(scenes.TRANCHE).parent)
        shutil.copy(build / "plugins" / f"{plugin}.so", self.root)
        self.write_job("job: plugins\nsteps:\n  - name: load\n"
                       "    read: { csv: records.csv, columns: { id: bigint, deed: varchar } }\n"
                       f"    batch: {{ rows: {batch} }}\n    process:\n      - plugin: {plugin}.so\n"
                       f"        function: {function}\n{options}"
                       f"    on_error: {{ max_rejects: 100 }}\n    workers: {workers}\n"
                       "    write: { csv: out.csv }\n")

    def environment(self):
        environment = dict(os.environ, NO_COLOR="1", LC_ALL="C.UTF-8")
        environment.pop("TRANCHE_STATE", None)
        return environment

    def tranche(self, *words):
        done = subprocess.run([scenes.TRANCHE, *words], cwd=self.root, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(),
                              timeout=scenes.SECONDS_MAX, check=False)
        return scenes.Done(done.returncode, done.stdout, done.stderr)

    def run_program(self, text, records, texts=None, **options):
        self.write_records(records, texts)
        (self.root / "program.py").write_text(text)
        self.write_program_job(f"[{PYTHON}, program.py]", **options)
        return self.tranche("run", "job.yaml")

    def start_and(self, end, marker):
        """Starts the run, and once `marker` runs stops it, or kills it with its supervisor."""
        self._start_and_send(signal.SIGINT if end == "stop" else signal.SIGKILL, lambda: is_running(marker))

    def start_and_stop_when(self, holds):
        self._start_and_send(signal.SIGINT, holds)

    def start_and_kill_when(self, holds):
        self._start_and_send(signal.SIGKILL, holds)

    def _start_and_send(self, number, holds):
        run = subprocess.Popen([scenes.TRANCHE, "run", "job.yaml"], cwd=self.root, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment())
        try:
            assert wait_until(holds)
            run.send_signal(number)
            run.wait(scenes.SECONDS_MAX)
        finally:
            run.kill()
            run.wait()

    def rows(self):
        return (self.root / "out.csv").read_text().splitlines()[1:]

    def rejects(self):
        done = self.tranche("rejects", "last")
        assert done.code == 0, done
        return [json.loads(line) for line in done.out.splitlines()]

    def errors(self):
        return {reject["record"]: reject["error"] for reject in self.rejects()}

    def log(self):
        return "".join(path.read_text() for path in sorted(self.root.glob(".tranche/runs/*/logs/*")))
