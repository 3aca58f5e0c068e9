#!/usr/bin/env python3
"""What shells complete, and the manual page: made from the same table as the help."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TRANCHE = os.path.abspath(os.environ.get("TRANCHE_BIN") or HERE.parent.parent / "build" / "tranche")


def output(*words):
    return subprocess.run([TRANCHE, *words], capture_output=True, text=True, encoding="utf-8", check=True).stdout


def commands():
    """(name, its options) of each command that the help knows."""
    listed = re.findall(r"^  ([a-z][a-z-]*)(?: \[?[A-Z.]+\]?)?  +[a-z]", output("--help"), re.MULTILINE)
    return [(name, re.findall(r"^  (--?[a-z-]+)", output("help", name), re.MULTILINE)) for name in listed]


class Completion(unittest.TestCase):
    def complete(self, *words, folder="."):
        """What bash would offer for the last word."""
        script = ('source <("$1" completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  '_tranche_completion; printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", TRANCHE, "tranche", *words], capture_output=True, text=True,
                              cwd=folder, check=True)
        self.assertEqual("", done.stderr)
        return sorted(done.stdout.split())

    def test_bash_completes_commands_options_topics_and_files(self):
        self.assertEqual(["run", "runs"], self.complete("ru"))
        self.assertEqual(["--wait", "--window", "--workers"], self.complete("run", "--w"))
        self.assertIn("postgres", self.complete("help", "po"))
        self.assertIn("last", self.complete("status", "l"))
        self.assertEqual(["fish"], self.complete("completion", "f"))
        with tempfile.TemporaryDirectory(prefix="tranche-completion-") as folder:
            (pathlib.Path(folder) / "sales.yaml").touch()
            self.assertEqual(["sales.yaml"], self.complete("run", "sa", folder=folder))

    def test_every_shell_knows_every_command_and_option(self):
        found = commands()
        self.assertGreater(len(found), 15)
        for shell in ("bash", "zsh", "fish"):
            text = output("completion", shell)
            for name, options in found:
                with self.subTest(shell=shell, command=name):
                    self.assertIn(name, text)
                    for option in options:
                        as_said = {"fish": f"-l {option[2:]} " if option.startswith("--") else f"-s {option[1:]} "}
                        self.assertIn(as_said.get(shell, option), text)
            if shutil.which(shell):
                checked = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, check=False)
                self.assertEqual((0, ""), (checked.returncode, checked.stderr), shell)

    def test_a_shell_that_nobody_knows_is_refused(self):
        done = subprocess.run([TRANCHE, "completion", "tcsh"], capture_output=True, text=True, check=False)
        self.assertEqual(2, done.returncode)
        self.assertIn('There is no completion for "tcsh"; there is for bash, zsh and fish.', done.stderr)

    def test_the_manual_page_has_every_command_and_option(self):
        text = output("man")
        self.assertTrue(text.startswith(".TH TRANCHE 1"))
        for name, options in commands():
            with self.subTest(command=name):
                self.assertIn(f'.SS "tranche {name}', text.replace("\\-", "-"))
                for option in options:
                    self.assertIn(option, text.replace("\\-", "-"))
        if shutil.which("groff"):
            checked = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=text, text=True, capture_output=True, check=False)
            self.assertEqual("", checked.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
