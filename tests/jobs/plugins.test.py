#!/usr/bin/env python3
"""Plugins as business logic, through the command: the examples of docs/plugins.md and that of the README are built and
run word for word, and errors have their place in the job file. What plugins do to themselves is tried in
tests/crash/plugins.test.py.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import program_scene
import scene as scenes

INCLUDE = scenes.SOURCE / "include"
PAGE = (scenes.SOURCE / "docs" / "plugins.md").read_text()
README = (scenes.SOURCE / "README.md").read_text()
EXAMPLES = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def readme_block(language, word):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    block, = (block for block in blocks if word in block)
    return block


class Case(unittest.TestCase):
    maxDiff = 4000

    def folder(self):
        folder = program_scene.Folder()
        self.addCleanup(folder.__exit__)
        return folder

    def build(self, folder, compiler, source, plugin):
        subprocess.run([*compiler.split(), "-fPIC", "-shared", f"-I{INCLUDE}", "-Wall", "-Wextra", "-Werror", source,
                        "-o", plugin], cwd=folder.root, check=True, timeout=scenes.SECONDS_MAX)

    def folder_with(self, plugin, **options):
        folder = self.folder()
        folder.write_plugin_job(plugin, **options)
        return folder


class Examples(Case):
    def folder_of_example(self):
        folder = self.folder()
        for name, text in EXAMPLES.items():
            (folder.root / name).write_text(text)
        return folder

    def run_example(self, compiler, source):
        folder = self.folder_of_example()
        self.build(folder, compiler, source, "total.so")
        self.expect_example(folder)

    def expect_example(self, folder):
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 0, done)
        self.assertEqual((folder.root / "out.csv").read_text(), EXAMPLES["expected.csv"])

    def test_the_one_in_cpp(self):
        self.run_example("c++ -std=c++20", "total.cpp")

    def test_the_one_in_c(self):
        self.run_example("cc", "total.c")

    def test_the_one_in_rust(self):
        if shutil.which("rustc") is None:
            self.skipTest("rustc is not installed")
        folder = self.folder_of_example()
        subprocess.run(["rustc", "--edition", "2021", "-O", "--crate-type", "cdylib", "total.rs", "-o", "total.so"],
                       cwd=folder.root, check=True, timeout=scenes.SECONDS_MAX)
        self.expect_example(folder)

    def test_that_of_the_readme(self):
        folder = self.folder()
        (folder.root / "score.cpp").write_text(readme_block("cpp", "TRANCHE_PLUGIN"))
        self.build(folder, "c++ -std=c++20", "score.cpp", "score.so")
        (folder.root / "in.csv").write_text("id,sku,qty,unit_price\n1,lamp,2,1.50\n2,chair,0,9.00\n")
        folder.write_job("job: readme\nsteps:\n  - name: score\n    read: { csv: in.csv, columns: { id: bigint, sku: "
                         f"varchar, qty: integer, unit_price: \"decimal(12,2)\" }} }}\n{readme_block('yaml', '- { plugin:')}"
                         "    write: { csv: out.csv }\n")
        preview = folder.tranche("preview", "job.yaml")
        self.assertIn("lamp   0.25", preview.out, preview)
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(folder.rows(), ["1,lamp,0.25"])


class Errors(Case):
    def test_have_their_place_in_the_job_file(self):
        folder = self.folder_with("deeds", function="deads")
        folder.write_deeds(1, {})
        done = folder.tranche("check", "job.yaml")
        self.assertEqual(done.code, 2, done)
        self.assertIn('job.yaml:8:19: The plugin deeds.so has no function "deads"; did you mean "deeds"?',
                      done.out + done.err)

    def test_of_options_are_found_with_those_of_the_job_file(self):
        folder = self.folder_with("deeds", options="        options: { factor: [1, 2] }\n        keep: true\n")
        done = folder.tranche("check", "job.yaml")
        self.assertEqual(done.code, 2, done)
        self.assertIn('job.yaml:9:28: "factor" of a plugin\'s options is a list; one value was expected', done.err)
        self.assertIn('"keep"', done.err)


class Changes(Case):
    def test_of_a_plugin_are_noticed_by_a_resume(self):
        folder = self.folder_with("deeds", batch=1000)
        folder.write_deeds(3000, {i: "reject" for i in range(2000, 2200)})
        self.assertEqual(folder.tranche("run", "job.yaml").code, 1)  # two batches are committed
        plugin = folder.root / "deeds.so"
        with open(plugin, "ab") as file:  # what lies behind the end of an ELF file is nobody's
            file.write(b"built anew")
        done = folder.tranche("run", "job.yaml")
        self.assertEqual(done.code, 2, done)
        self.assertIn("plugin: file deeds.so", done.err)
        self.assertIn("--accept code", done.err)
        done = folder.tranche("run", "job.yaml", "--accept", "code", "--max-rejects", "1000")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(folder.rows()), 2800)


if __name__ == "__main__":
    unittest.main()
