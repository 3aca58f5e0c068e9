#!/usr/bin/env python3
"""A few power cuts a sink; `make torture-power` makes many. The seed draws at which calls."""
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import every_call
import power
import report

CUTS = 3  # a sink, the last one behind the end of the run


class Power(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = power.why_no_disk()
        if reason:
            raise unittest.SkipTest(f"SKIPPED, no power is cut: {reason}")
        cls.seed = report.take_seed()
        cls.folder = tempfile.TemporaryDirectory(prefix="tranche-power-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.bench = every_call.Bench(cls.folder.name)
        cls.disk = cls.enterClassContext(power.Disk(cls.folder.name))

    def cut(self, sink, at, **how):
        found = power.cut(self.disk, self.bench, sink, at, **how)
        print(found, flush=True)
        return found

    def test_no_acknowledged_batch_is_lost(self):
        for sink in power.SINKS:
            last = self.bench.calls_of(sink, every_call.KILL)
            draw = random.Random(f"{self.seed}/{sink}")
            for at in [draw.randint(1, last) for _ in range(CUTS - 1)] + [last * 2]:
                with self.subTest(sink=sink, at=at):
                    self.assertEqual([], self.cut(sink, at).wrong, f"seed {self.seed}")

    def test_a_disk_that_lies_about_its_syncs_loses_batches_which_is_seen(self):
        for sink in power.SINKS:
            last = self.bench.calls_of(sink, every_call.KILL)
            for lies in ("all", "targets"):
                with self.subTest(sink=sink, lies=lies):
                    self.assertNotEqual([], self.cut(sink, last * 2, lies=lies).wrong)


if __name__ == "__main__":
    unittest.main(verbosity=2)
