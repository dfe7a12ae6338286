#!/usr/bin/env python3
"""check_documents.py SOURCE_DIR BUILD_DIR: everything that the texts tell a user to type works.

Each fence tagged `sh` of each README.md and of docs/, and each example of the manual page, runs as a
script of its own in a copy of the source tree whose build/ leads to the built programs. Output blocks
(behind `<!-- output of: COMMAND -->`) are compared with what COMMAND printed. Inline code that names a
make target, a vtsim option or a file is checked against those. What cannot run within a test run has a
rule in stand_ins.py or below; a command without one just runs, and fails if it can't."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import documents

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 900

# Programs in front of the real ones, see stand_ins.py.
STAND_INS = ["make", "apt-get", "apt", "sudo"]

# Programs that the project does not install: their lines run where they are there.
OPTIONAL = ["qemu-system-x86_64", "man"]

# Scripts that run for minutes or install peers are narrowed to our own part of them.
NARROWED = {"bench/linux/compare.sh": ["--runs", "1", "--no-bochs", "--no-qemu"]}

# The manual page's examples run beside files of the user's.
MANUAL_FILES = {"vmlinuz": "guests/vmlinuz-cloud-amd64", "root.cpio.gz": "guests/check.gz"}


class Scratch:
    """A copy of the source tree with build/ as after `make`, and the stand-ins."""

    def __init__(self, source, build, folder):
        self.tree = folder / "tree"
        self.outputs = folder / "outputs"
        self.programs = folder / "programs"
        self.build = build
        shutil.copytree(source, self.tree, symlinks=True,
                        ignore=shutil.ignore_patterns("build*", ".git"))
        for path in (self.outputs, self.programs, self.tree / "build/bench-linux"):
            path.mkdir(parents=True)
        for name, target in {"vtsim": "vtsim", "workloads": "workloads",
                             "kernels": "guests/kernels",
                             "bench-linux/kernels": "guests/kernels"}.items():
            (self.tree / "build" / name).symlink_to(build / target)
        for name, target in MANUAL_FILES.items():
            (self.tree / name).symlink_to(build / target)
        (self.programs / "vtsim").symlink_to(build / "vtsim")
        for name in STAND_INS:
            self.script(self.programs / name,
                        f'exec "{sys.executable}" "{HERE}/stand_ins.py" {name} "$@"')
        for name in OPTIONAL:
            if shutil.which(name) is None:
                self.script(self.programs / name, f'echo "not run: there is no {name} here"')
        for name, options in NARROWED.items():
            path = self.tree / name
            path.rename(path.with_suffix(".real"))
            self.script(path, f'exec "{path.with_suffix(".real")}" "$@" {" ".join(options)}')

    @staticmethod
    def script(path, line):
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def environment(self):
        return {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}",
                "DOCS_OUTPUTS": str(self.outputs), "DOCS_MAKE": shutil.which("make"),
                "MAKEFLAGS": "", "MAKELEVEL": ""}

    def run(self, script):
        """Exit status and output, standard error included."""
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.tree,
                              env=self.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
        first = script.strip().split("\n")[0]
        path = self.outputs / first.replace("/", "%")[:200]
        if not path.exists():
            path.write_bytes(done.stdout)
        return done.returncode, done.stdout.decode(errors="replace")

    def output_of(self, command):
        path = self.outputs / command.replace("/", "%")
        return path.read_text(errors="replace") if path.exists() else None


def run_scripts(scratch, document):
    for block in document.scripts():
        print(f"== {document.path}:{block.line}\n{block.text.rstrip()}", flush=True)
        status, output = scratch.run(block.text)
        if status != 0:
            yield f"{document.path}:{block.line}: exit status {status}\n{output}"


def check_outputs(scratch, document):
    for block in document.outputs():
        real = scratch.output_of(block.output_of)
        if real is None:
            yield f"{document.path}:{block.line}: no script runs `{block.output_of}`"
            continue
        difference = documents.compare_output(block.text, real)
        if difference:
            yield f"{document.path}:{block.line}: `{block.output_of}` prints something else\n  {difference}"


def check_inline(source, document, options_of, targets):
    for line, code in document.inline:
        problem = documents.inline_problem(source, code, options_of, targets)
        if problem:
            yield f"{document.path}:{line}: `{code}`: {problem}"


def check_manual(source, vtsim):
    printed = subprocess.run([vtsim, "manual"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if printed != (source / "docs/vtsim.1").read_text():
        yield "docs/vtsim.1 is not what `vtsim manual` prints"


def main():
    source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    vtsim = build / "vtsim"
    helps = {}

    def options_of(command):
        if command not in helps:
            done = subprocess.run([vtsim, command, "--help"], capture_output=True, text=True)
            helps[command] = done.stdout if done.returncode == 0 else None
        return helps[command]

    targets = documents.make_targets((source / "Makefile").read_text())
    found = list(check_manual(source, vtsim))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Scratch(source, build, pathlib.Path(folder))
        everything = documents.find_documents(source)
        for document in everything:
            found += documents.untagged_commands(source, document)
            found += check_inline(source, document, options_of, targets)
            found += run_scripts(scratch, document)
        for document in everything:
            found += check_outputs(scratch, document)
    scripts = sum(len(d.scripts()) for d in everything)
    print("\n".join(found) if found else
          f"{scripts} scripts of {len(everything)} texts run, and print what is shown")
    return 1 if found or scripts < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
