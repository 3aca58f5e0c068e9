#!/usr/bin/env python3
"""Many power cuts: a job of five batches on an XFS that forgets what was not synced, cut at calls that the seed draws.

    tests/crash/torture_power.py [--cuts N] [--report FILE]

The report is Markdown; the exit code is 1 when an acknowledged batch was lost or an output came out otherwise, or when
the control, a disk that lies about its syncs, lost nothing that was seen.
"""
import argparse
import collections
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import power
import report

CONTROLS = {"all": "all of them", "targets": "those of the target"}


def describe(rows, controls, cuts, seed, seconds):
    text = report.head("Power cuts", f"""A job of {every_call.BATCHES} batches on an XFS that is shut down (FS_IOC_SHUTDOWN without flushing its log) at an I/O
call that the seed draws from all of them, the last tenth behind the end of the run; mounted again; the same command.
Acknowledged is what a reader of the ledger saw committed before the cut. Right: nothing acknowledged is gone from
where a resume finds it, the ledger or the table, and the output becomes that of an undisturbed run.""", seed, f"make torture-power CUTS={cuts}", seconds)
    text += "\n| sink | cuts | groups acknowledged | lost | where | runs that ended wrong |\n|---|---|---|---|---|---|\n"
    for sink, found in rows.items():
        where = collections.Counter((cut.hit or "behind").split()[0] for cut in found)
        lost = sum(max(0, cut.acknowledged - cut.kept) for cut in found)
        text += (f"| {sink} | {len(found)} | {sum(cut.acknowledged for cut in found)} | {lost} "
                 f"| {', '.join(f'{name} {count}' for name, count in where.most_common())} "
                 f"| {sum(bool(cut.wrong) for cut in found)} |\n")
    text += "\nThe control: a disk whose syncs do nothing. Here losses must be seen.\n\n"
    text += "| sink | syncs that lie | cuts | losses seen |\n|---|---|---|---|\n"
    for (sink, lies), found in controls.items():
        text += f"| {sink} | {CONTROLS[lies]} | {len(found)} | {sum(bool(cut.wrong) for cut in found)} |\n"
    return text + "".join(f"\n```\n{cut}\n```\n" for found in rows.values() for cut in found if cut.wrong)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cuts", type=int, default=50, help="a sink")
    options.add_argument("--report")
    given = options.parse_args()
    reason = power.why_no_disk()
    if reason:
        sys.exit(f"SKIPPED, no power is cut: {reason}")
    seed = report.take_seed()
    started = time.monotonic()
    rows, controls = {}, {}
    with tempfile.TemporaryDirectory(prefix="tranche-power-") as folder:
        bench = every_call.Bench(folder)
        with power.Disk(folder) as disk:
            for sink in power.SINKS:
                last = bench.calls_of(sink, every_call.KILL)
                draw = random.Random(f"{seed}/{sink}")
                rows[sink] = [power.cut(disk, bench, sink, draw.randint(1, last * 10 // 9)) for _ in range(given.cuts)]
                for lies in CONTROLS:
                    controls[sink, lies] = [power.cut(disk, bench, sink, at, lies) for at in (last * 2 // 3, last * 2)]
                for found in rows[sink]:
                    print(found, flush=True)
    report.keep(describe(rows, controls, given.cuts, seed, time.monotonic() - started), given.report)
    is_wrong = any(cut.wrong for found in rows.values() for cut in found)
    sees_nothing = not all(any(cut.wrong for cut in found) for found in controls.values())
    sys.exit(1 if is_wrong or sees_nothing else 0)


if __name__ == "__main__":
    main()
