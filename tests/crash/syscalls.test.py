#!/usr/bin/env python3
"""The order of system calls, as strace sees them, is that of docs/commit-protocol.md: what is acknowledged is durable.

A kill loses nothing that was written, so only the calls themselves show what a power cut would find. The ledger's
commits are recognised in its write-ahead log: a frame is the number of a page and the page, and the number of cells in
the page of the table `commits` is the number of groups committed.
"""
import codecs
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

CALLS = "openat,write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,ftruncate,unlink,unlinkat"
ROWS = 5000
BATCH = 1000
READ = f"""
    read: {{ csv: in.csv, columns: {{ a: integer, b: varchar, c: integer }} }}
    batch: {{ rows: {BATCH} }}
    on_error: {{ max_rejects: 100 }}
"""


def input_text():
    lines = ["a,b,c"]
    for i in range(ROWS):
        lines.append("bad,x,1" if i % 900 == 17 else f"{i},{'text' * 5}{i},{i % 3}")
    return "\n".join(lines) + "\n"


class Call:
    """A system call: `begin` and `end` are its places in the trace, so a.end < b.begin says that a returned first."""

    def __init__(self, begin, name, arguments):
        self.begin = begin
        self.end = None
        self.name = name
        self.arguments = arguments
        self.result = ""

    @property
    def path(self):
        """Of the descriptor, or, of rename, unlink and openat, of the first name."""
        if self.name in ("rename", "renameat", "renameat2", "unlink", "unlinkat", "openat"):
            return self.names[0]
        found = re.match(rb"\d+<([^>]*)>", self.arguments)
        return unescape(found.group(1)).decode() if found else ""

    @property
    def names(self):
        found = []
        folder = re.match(rb"(?:AT_FDCWD|\d+)<([^>]*)>", self.arguments)
        for name in re.findall(rb'"((?:[^"\\]|\\.)*)"', self.arguments):
            path = unescape(name).decode("utf-8", "replace")
            if not path.startswith("/") and folder:
                path = os.path.join(unescape(folder.group(1)).decode(), path)
            found.append(os.path.normpath(path))
        return found

    @property
    def data(self):
        found = re.search(rb'"((?:[^"\\]|\\.)*)"', self.arguments)
        return unescape(found.group(1)) if found else b""

    @property
    def offset(self):
        return int(self.arguments.rsplit(b",", 1)[1])


def unescape(text):
    return codecs.escape_decode(text)[0]


def read_trace(text):
    calls, open_calls = [], {}
    for place, line in enumerate(text.split(b"\n")):
        found = re.match(rb"(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$", line, re.S)
        if not found:
            continue
        thread, resumed, started, rest = found.groups()
        if started:
            call = Call(place, started.decode(), rest)
            calls.append(call)
        else:
            call = open_calls.pop(thread, None)
            if call is None:
                continue
            call.arguments += rest
        if rest.endswith(b"<unfinished ...>"):
            call.arguments = call.arguments[:-len(b"<unfinished ...>")].rstrip(b" ,") + b" "
            open_calls[thread] = call
            continue
        end = re.search(rb"\)\s+= (-?\d+)", call.arguments)
        if end:
            call.result = end.group(1).decode()
            call.arguments = call.arguments[:end.start()]
        call.end = place
    return [call for call in calls if call.end is not None and not call.result.startswith("-")]


def can_trace():
    if shutil.which("strace") is None:
        return "strace is not installed"
    with tempfile.NamedTemporaryFile() as trace:
        done = subprocess.run(["strace", "-f", "-o", trace.name, "true"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return None if done.returncode == 0 else f"strace can't attach here: {done.stdout.strip()}"


class Trace:
    """One traced run, and the questions about it."""

    def __init__(self, write, target=None):
        job = f"job: traced\nsteps:\n  - name: load{READ}    write: {write}\n"
        with scenes.Scene(job) as scene:
            scene.root = scene.root.resolve()
            self.root = str(scene.root)
            scene.write("in.csv", input_text())
            trace = scene.root / "trace"
            process = scene.start(*scene.run_words("--workers", "2"), before=[
                "strace", "-f", "-y", "-qq", "-s", "70000", "-e", f"trace={CALLS}", "-o", str(trace)])
            self.done = scene.finish(process)
            assert self.done.code == 0, self.done
            self.calls = read_trace(trace.read_bytes())
            pages = scene.ask_ledger(lambda db: dict(db.execute("SELECT name, rootpage FROM sqlite_schema")))
            self.groups = scene.look().commits
        self.wal = f"{self.root}/.tranche/ledger.db-wal"
        self.page_of = pages
        self.commits = self.cells_reached("commits")

    def named(self, *names):
        return [call for call in self.calls if call.name in names]

    def syncs(self, path):
        return [call for call in self.named("fsync", "fdatasync") if call.path == path]

    def writes(self, path):
        return [call for call in self.named("write", "pwrite64", "writev", "pwritev", "ftruncate")
                if call.path == path]

    def frames(self):
        """(the write of a page to the ledger's log, number of the page, the page)."""
        writes = self.writes(self.wal)
        for head, page in zip(writes, writes[1:]):
            if head.name == "pwrite64" and len(head.data) == 24 and len(page.data) == 4096:
                yield page, int.from_bytes(head.data[:4], "big"), page.data

    def cells_reached(self, table):
        """For each number of cells from 1, the first write of the table's page that has so many: one for all cells that
        came together."""
        reached = []
        for call, page, data in self.frames():
            cells = int.from_bytes(data[3:5], "big") if page == self.page_of[table] else 0
            reached += [call] * (cells - len(reached))
        return reached

    def ledger_says(self, word):
        """The first write of a page to the ledger that holds the word, behind the first commit."""
        for call, _, data in self.frames():
            if call.begin > self.commits[0].begin and word in data:
                return call
        raise AssertionError(f"The ledger never said {word!r}")

    def durable(self, write):
        """When a write to the ledger is on the disk: the sync that follows it."""
        return next(call for call in self.syncs(self.wal) if call.begin > write.end)


@unittest.skipIf(can_trace(), can_trace())
class Syscalls(unittest.TestCase):
    def assertBefore(self, first, then, what):
        self.assertLess(first.end, then.begin, what)

    def assert_synced(self, trace, path, before, what):
        """Everything written to the file in front of `before` is on the disk there."""
        written = [call for call in trace.writes(path) if call.begin < before.begin]
        self.assertTrue(written, f"{what}: nothing was written to {path}")
        synced = [call for call in trace.syncs(path) if call.begin > written[-1].end and call.end < before.begin]
        self.assertTrue(synced, f"{what}: {path} was written and not synced")
        return written[-1]

    def assert_groups(self, trace, groups_least):
        self.assertGreaterEqual(trace.groups, groups_least)
        self.assertEqual(trace.groups, len(trace.commits), "the ledger's commits were not all seen in the trace")

    def test_csv_is_on_the_disk_before_the_ledger_says_so(self):
        trace = Trace("{ csv: out/o.csv }")
        self.assert_groups(trace, 5)
        renames = [call for call in trace.named("rename", "renameat", "renameat2") if "/out/" in call.path]
        self.assertEqual(1, len(renames))
        temporary, final = renames[0].names
        self.assertEqual(f"{trace.root}/out/o.csv", final)
        last = recorded = None
        for group, commit in enumerate(trace.commits):
            write = self.assert_synced(trace, temporary, commit, f"group {group}")
            if commit is not recorded:  # else it shares the commit of the one before it
                self.assertIsNot(last, write, f"group {group} wrote nothing of its own")
            last, recorded = write, commit
        self.assertGreaterEqual(len(trace.writes(temporary)), trace.groups)
        self.assert_sealed(trace, renames, f"{trace.root}/out")

    def test_parts_are_on_the_disk_before_the_ledger_names_them(self):
        trace = Trace("{ parquet: out/o, mode: append, partition_by: c, part_size: 20KiB }")
        self.assert_groups(trace, 3)
        renames = [call for call in trace.named("rename", "renameat", "renameat2")
                   if call.names[1].endswith(".parquet")]
        self.assertEqual(3 * trace.groups, len(renames))
        for rename in renames:
            temporary = rename.names[0]
            group = int(re.search(r"\.tranche-\w+-(\d+)-\d+\.tmp$", temporary).group(1))
            commit = trace.commits[group]
            self.assert_synced(trace, temporary, commit, f"group {group}")
            made = next(call for call in trace.named("openat")
                        if call.path == temporary and b"O_CREAT" in call.arguments)
            folder = os.path.dirname(temporary)
            self.assertTrue([call for call in trace.syncs(folder) if call.begin > made.end and call.end < commit.begin],
                            f"group {group}: the name {temporary} was not synced")
            self.assertFalse([call for call in trace.writes(temporary) if call.begin > commit.begin],
                             f"{temporary} was written behind its commit")
        for folder in {os.path.dirname(rename.names[1]) for rename in renames}:
            self.assert_sealed(trace, [r for r in renames if os.path.dirname(r.names[1]) == folder], folder)
        manifest = next(call for call in trace.named("rename") if call.names[1].endswith("/_tranche/000001.json"))
        self.assert_synced(trace, manifest.names[0], manifest, "the manifest")
        for folder in {os.path.dirname(rename.names[1]) for rename in renames}:
            last = max(rename.end for rename in renames if os.path.dirname(rename.names[1]) == folder)
            self.assertTrue([call for call in trace.syncs(folder) if call.begin > last and call.end < manifest.begin],
                            f"{folder} was not synced before the manifest named its parts")
        self.assertTrue([call for call in trace.syncs(f"{trace.root}/out/o/_tranche") if call.begin > manifest.end
                         and call.end < trace.ledger_says(b"sealed").begin], "the manifest's name was not synced")

    def assert_sealed(self, trace, renames, folder):
        """Intent durable, then the renames, then the folder, then the ledger's word."""
        intended = trace.durable(trace.ledger_says(b"intended"))
        sealed = trace.ledger_says(b"sealed")
        self.assertBefore(trace.durable(trace.commits[-1]), intended, "the intent came before the last commit")
        for rename in renames:
            self.assertBefore(intended, rename, f"{rename.names[1]}: renamed before the intent was durable")
        last = max(rename.end for rename in renames)
        self.assertTrue([call for call in trace.syncs(folder) if call.begin > last and call.end < sealed.begin],
                        f"{folder} was not synced between its last rename and the ledger's word")

    def test_rejects_are_staged_on_the_disk_before_a_table_commits(self):
        trace = Trace("{ sqlite: out/o.db, table: t, mode: append }")
        self.assert_groups(trace, 5)
        database, journal = f"{trace.root}/out/o.db", f"{trace.root}/out/o.db-journal"
        staged = trace.cells_reached("staged")
        self.assertEqual(trace.groups, len(staged))
        for group, (stage, commit) in enumerate(zip(staged, trace.commits)):
            stage_durable = trace.durable(stage)
            # The end of the journal is what commits in SQLite.
            unlinks = [call for call in trace.named("unlink") if call.path == journal
                       and stage.begin < call.begin < commit.begin]
            self.assertEqual(1, len(unlinks), f"group {group}: one commit of the table between staging and recording")
            self.assertBefore(stage_durable, unlinks[0], f"group {group}: committed before its rejects were staged")
            changed = [call for call in trace.writes(database)
                       if call.begin > stage.begin and call.end < unlinks[0].begin]
            self.assertTrue(changed, f"group {group}: the table was not written")
            # The pages of the table change behind the staging and behind the journal's sync, so that both can undo.
            self.assertBefore(stage_durable, changed[0],
                              f"group {group}: the table changed before its rejects were staged")
            self.assertTrue([call for call in trace.syncs(journal) if call.end < changed[0].begin])
            self.assertTrue([call for call in trace.syncs(database)
                             if call.begin > changed[-1].end and call.end < unlinks[0].begin],
                            f"group {group}: the table was committed without a sync")
            self.assertTrue([call for call in trace.syncs(f"{trace.root}/out")
                             if call.begin > unlinks[0].end and call.end < commit.begin],
                            f"group {group}: the end of the journal was not synced")


if __name__ == "__main__":
    unittest.main(verbosity=2)
