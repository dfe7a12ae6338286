"""Stand-ins for programs that a documented command calls but a test must not run as they stand. They
are found in front of the real ones; everything else runs for real. A call that no rule here covers
fails, so a newly documented one has to be thought about."""

import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import time

PROMPT = re.compile(rb"/ # (\x1b\[\d*n)?$")
SECONDS = 600


def record(name, output):
    folder = pathlib.Path(os.environ["DOCS_OUTPUTS"])
    (folder / name.replace("/", "%")).write_bytes(output)


def make(arguments):
    real = os.environ["DOCS_MAKE"]
    called = " ".join(["make", *arguments])
    target = next((a for a in arguments if "=" not in a), "all")
    if target == "demo":
        # `-o all`: what is tested has been built; ctest runs out of that very build.
        done = subprocess.run([real, "-o", "all", *arguments], stdout=subprocess.PIPE)
        record(called, done.stdout)
        sys.stdout.buffer.write(done.stdout)
        return done.returncode
    if target in ("linux", "nested"):
        status, output = on_a_terminal([real, "-o", "all", *arguments])
        record(called, output)
        return status
    if target in ("all", "test", "bench"):
        # To build anew, or ctest within ctest, would not end; .ci/run does `make test` from nothing.
        # Here: the recipe is complete and does what its name says.
        expected = {"all": "cmake --build", "test": "ctest --test-dir", "bench": "vtsim_micro"}
        done = subprocess.run([real, "-n", *arguments], stdout=subprocess.PIPE, text=True)
        if expected[target] not in done.stdout:
            print(f"`{called}` would not run {expected[target]}")
            return 1
        return done.returncode
    print(f"no rule tells how to test `{called}`: {__file__}")
    return 97


def on_a_terminal(command):
    """Runs the command on a terminal, waits for the guest's shell, and leaves it by `poweroff -f`."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, close_fds=True)
    os.close(slave)
    output, typed, deadline = b"", False, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.5)[0]:
            try:
                output += os.read(master, 65536)
            except OSError:  # the last process on the terminal has gone
                break
        if not typed and PROMPT.search(output):
            os.write(master, b"poweroff -f\r")
            typed = True
    else:
        process.terminate()
        print(f"no end after {SECONDS} s")
    status = process.wait()
    sys.stdout.buffer.write(output)
    if not typed:
        print("the guest's shell never showed its prompt")
        return 1, output
    return status, output


def refuse(program, arguments):
    print(f"a documented command runs `{program} {' '.join(arguments)}`: what the texts tell must "
          "find everything that tools/install-deps.sh installs")
    return 97


def main():
    program, arguments = sys.argv[1], sys.argv[2:]
    return make(arguments) if program == "make" else refuse(program, arguments)


if __name__ == "__main__":
    sys.exit(main())
