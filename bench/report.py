"""What was measured, as a page in Markdown."""
import datetime
import os
import pathlib
import subprocess

from measure import MIB, memory_bytes, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent


def git(*words):
    done = subprocess.run(["git", "-C", str(ROOT), *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout.strip()


def commit():
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (
        ", with changes that are not committed" if git("status", "--porcelain", "--untracked-files=no") else "")


def yes(reached):
    return "yes" if reached else "**no**"


def mebibytes(count):
    return f"{count / MIB:.1f}" if count < 10 * MIB else f"{count / MIB:.0f}"


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


class Report:
    def __init__(self, path, repeat, peers, build):
        self.path = path
        self.repeat = repeat
        self.peers = peers
        self.build = build
        self.results = []
        self.left_out = []
        self.began = datetime.datetime.now()
        self.load = os.getloadavg()

    def add(self, result):
        self.results.append(result)
        self.write()   # a measurement that is broken off leaves what it has

    def leave_out(self, key, records, why):
        self.left_out.append(f"- not measured: {key} with {records:,} records: {why}")
        self.write()

    def write(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [*self.head(), *self.summary(), *(line for result in self.results for line in table(result))]
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def head(self):
        versions = [f"{name}: {version}" for name, version in self.peers.version.items()]
        versions += [f"{name}: **not here**: {why}" for name, why in self.peers.absent.items()]
        return [f"# Measurements, {self.began:%Y-%m-%d}", "",
                "`make bench` writes this page; [bench/README.md](../README.md) says what each workload is. "
                f"Medians of {self.repeat} runs each, interleaved, with warm files.", "",
                f"- machine: {processor()}, {os.cpu_count()} cores, {memory_bytes() / (1 << 30):.0f} GiB, "
                f"Linux {os.uname().release}",
                f"- load average at the start: {self.load[0]:.2f} (1 min), {self.load[1]:.2f} (5 min)",
                f"- commit: {commit()}; build: {self.build.name}",
                *(f"- {cell(version)}" for version in versions), ""]

    def summary(self):
        lines = ["## Against the targets", "",
                 "\"3.5x\" is as many times as fast; \"at most\" is the time of a unit against that of one there.", "",
                 "| workload | records | whose | against | measured | first | reached | goal | reached |",
                 "|---|---|---|---|---|---|---|---|---|"]
        for result in self.results:
            lines += [f"| {result.workload.key} | {result.records:,} | {row}" for row in result.target_rows()]
        return [*lines, "", *self.left_out, ""]


def target_cells(target, ratio):
    if ratio is None:
        limits = (target.first, target.goal)
        first, goal = (f"at most {limit}" if target.at_most else f"{limit}x" for limit in limits)
        return f"{target.of} | {target.against} | not measured | {first} | - | {goal} | - |"
    ratio = round(ratio, 2)   # what is shown decides
    if target.at_most:
        first, goal = (yes(ratio <= limit) for limit in (target.first, target.goal))
        return (f"{target.of} | {target.against} | {ratio:.2f} | at most {target.first} | {first} | "
                f"at most {target.goal} | {goal} |")
    return (f"{target.of} | {target.against} | {ratio:.2f}x | {target.first}x | {yes(ratio >= target.first)} | "
            f"{target.goal}x | {yes(ratio >= target.goal)} |")


def bounds_cells(of, against, factor, ratio):
    text = f"{of}: bytes | {against}"
    if ratio is None:
        return f"{text} | not measured | at most {factor} | - | | |"
    return f"{text} | {ratio:.3f} | at most {factor} | {yes(ratio <= factor)} | | |"


def budget_cells(name, peak, budget):
    measured = f"{peak / MIB:.0f} MiB" if peak else "not measured"
    return f"{name} | the budget | {measured} | at most {budget / MIB:.0f} MiB | {yes(0 < peak <= budget)} | | |"


def table(result):
    workload = result.workload
    lines = [f"## {workload.title}, {result.records:,} records", "",
             " ".join(filter(None, [workload.notes, f"Load average before: {result.load:.2f}."])), ""]
    lines += ["| who | wall s | lowest to highest | CPU s | peak MiB | output MB | Tranche is faster | result |",
              "|---|---|---|---|---|---|---|---|"]
    for row in result.rows:
        who = cell(row.contender.name) + (f" ({cell(row.contender.remark)})" if row.contender.remark else "")
        if row.failure:
            lines.append(f"| {who} | | | | | | | **{cell(row.failure)}** |")
            continue
        times = ("", "", "") if not row.seconds else (
            f"{row.median_seconds():.2f}", f"{min(row.seconds):.2f} to {max(row.seconds):.2f}",
            f"{row.median_cpu_seconds():.2f}")
        ratio = result.ratio_to_ours(row)
        size = f"{row.output_bytes / 1e6:.1f}" if row.output_bytes else ""
        right = "" if row.finding is None else ("" if row.finding.right else "**wrong**: ") + cell(row.finding.text)
        lines.append(f"| {who} | {times[0]} | {times[1]} | {times[2]} | {mebibytes(row.peak_bytes)} | {size} | "
                     f"{ratio} | {right} |")
    return [*lines, ""]
