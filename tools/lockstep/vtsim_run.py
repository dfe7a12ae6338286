"""vtsim as a party of the comparison: its commit log as a stream of entries."""

import subprocess

from entry import GPRS, Entry

EXIT_BY_GUEST = 1  # odd statuses are the guest's
LIMIT_REACHED = 4


class VtsimRun:
    """Runs an image and reads its commit log while it is written."""

    name = "vtsim"

    def __init__(self, program, arguments, fifo, platform="q35-haswell", most=None, window=None):
        self.fifo = fifo
        self.command = [program, "run", platform, *arguments, "--console", "none", "--progress",
                        "never", "--no-reboot", "--commit-log", str(fifo),
                        "--commit-log-disassembly"]
        if most:
            self.command += ["--max-instructions", str(most)]
        if window:
            self.command += ["--commit-log-window", window]
        self.process = None

    def entries(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        with open(self.fifo, encoding="ascii") as log:
            yield from parse(log)
        errors = self.process.communicate()[1]
        status = self.process.returncode
        if status % 2 == 0 and status != LIMIT_REACHED:
            raise RuntimeError(f"vtsim ended with status {status}: {errors}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()  # it may be waiting for someone to read its log
            self.process.communicate()


LONG_LINE = 1 << 18  # characters


def parse(lines):
    """Entries with the state that each instruction found."""
    state = {name: 0 for name in GPRS}
    state["rflags"] = 2
    for line in lines:
        if line.startswith("#"):
            continue
        body, _, text = line.rstrip("\n").partition(" ; ")
        head, *parts = body.split(" |")
        words = head.split()
        cs, rip = words[2].split(":")
        entry = Entry(int(cs, 16), int(rip, 16), dict(state), text=text, index=int(words[1]))
        if words[3:4] == ["event"]:
            entry.event = int(words[4], 16)
        else:
            entry.code = bytes.fromhex("".join(words[3:]))
        if len(line) > LONG_LINE:
            entry.is_long, parts = True, parts[:-1]
        for part in parts:
            for item in part.split():
                name, value = item.split("=")
                if name.startswith("["):
                    linear, size = name[1:].split("]")
                    entry.write(int(linear, 16), int(size), int(value, 16))
                else:
                    state[name] = int(value, 16)
        yield entry
    yield Entry(state.get("cs", 0), -1, dict(state))  # what the last instruction left
