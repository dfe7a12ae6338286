#!/usr/bin/env python3
"""The check of the texts finds what it looks for."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import documents

HERE = pathlib.Path(__file__).resolve().parent

TEXT = """Text with `make demo`.
```sh
echo one
```
<!-- output of: echo one -->

```
one
```
```
drawing -> of boxes
```
"""


class Parsing(unittest.TestCase):
    def test_scripts_outputs_and_inline_code(self):
        d = documents.parse_markdown("x.md", TEXT)
        self.assertEqual([b.text for b in d.scripts()], ["echo one\n"])
        self.assertEqual([(b.text, b.output_of) for b in d.outputs()], [("one\n", "echo one")])
        self.assertEqual(d.inline, [(1, "make demo")])

    def test_an_open_fence_is_an_error(self):
        with self.assertRaises(ValueError):
            documents.parse_markdown("x.md", "```sh\nmake\n")

    def test_examples_of_the_manual(self):
        page = ".nf\nExample:\n  vtsim run x \\-\\-kernel k\n.ft\n.SH NEXT\n  not this\n"
        d = documents.parse_manual("p.1", page)
        self.assertEqual([b.text for b in d.scripts()], ["vtsim run x --kernel k\n"])

    def test_a_command_in_an_untagged_fence_is_found(self):
        d = documents.parse_markdown("x.md", "```\nmake demo\n```\n```\nA -> b\n```\n")
        self.assertEqual(len(list(documents.untagged_commands(HERE, d))), 1)


class Outputs(unittest.TestCase):
    SHOWN = "[    0.000000] Linux version 6.1.0-56-cloud-amd64 (debian) ...\n...\n[    1.2] Run /init\n...\n"

    def same(self, shown, real):
        self.assertIsNone(documents.compare_output(shown, real))

    def differs(self, shown, real):
        self.assertIsNotNone(documents.compare_output(shown, real))

    def test_times_and_versions_may_differ_and_nothing_else(self):
        real = "[    0.000012] Linux version 6.1.0-57-cloud-amd64 (debian) gcc\r\nx\n[    3.4] Run /init\nend"
        self.same(self.SHOWN, real)
        self.differs(self.SHOWN, real.replace("Run", "Ran"))
        self.differs(self.SHOWN, real.replace("-cloud", ""))

    def test_lines_without_a_gap_are_neighbours(self):
        self.same("a\nb\n", "a\n\nb\n")
        self.differs("a\nb\n", "a\nx\nb\n")
        self.differs("a\nb\n", "a\nb\nc\n")
        self.differs("a\nb\n", "a\n")

    def test_counts_in_columns(self):
        shown = "       9831920 instructions in 0.19 s: 52 MIPS with start-up\n    40 walks with 3 references\n"
        self.same(shown, "         31920 instructions in 10.9 s: 2 MIPS with start-up\n  4 walks with 33 references\n")
        self.differs(shown, shown.replace("walks", "talks"))
        self.differs("all 15 checks passed\n", "all 14 checks passed\n")


class Inline(unittest.TestCase):
    HELP = "  --memory SIZE\n  --kernel FILE\n"

    def problem(self, code):
        return documents.inline_problem(HERE.parent.parent, code,
                                        lambda name: self.HELP if name == "run" else None, {"demo"})

    def test_targets(self):
        self.assertIsNone(self.problem("make demo CPUS=2"))
        self.assertIsNotNone(self.problem("make tea"))

    def test_options(self):
        self.assertIsNone(self.problem("vtsim run NAME --memory 1G"))
        self.assertIsNotNone(self.problem("vtsim run NAME --memroy 1G"))
        self.assertIsNotNone(self.problem("vtsim walk"))

    def test_files(self):
        self.assertIsNone(self.problem("tests/docs/<name>.py"))
        self.assertIsNotNone(self.problem("tests/docs/nothing.py"))


class StandIns(unittest.TestCase):
    def call(self, *words):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "DOCS_OUTPUTS": folder, "DOCS_MAKE": "/usr/bin/make"}
            return subprocess.run([sys.executable, HERE / "stand_ins.py", *words], env=environment,
                                  cwd=HERE.parent.parent, capture_output=True).returncode

    def test_what_no_rule_covers_fails(self):
        self.assertNotEqual(self.call("make", "tea"), 0)
        self.assertNotEqual(self.call("apt-get", "install", "tea"), 0)

    def test_recipes_are_looked_at(self):
        self.assertEqual(self.call("make", "test"), 0)


if __name__ == "__main__":
    unittest.main()
