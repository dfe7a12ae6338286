"""Debian's bochs as a party: its debugger's trace, on a pseudo-terminal, as a stream of entries.

The trace shows general registers and RFLAGS before each instruction, the instruction, and its memory
accesses. Bochs is built with a terminal display only, which needs a terminal.
"""

import os
import pty
import re
import shutil
import subprocess

from entry import Entry, merge_repeats

CPU_MODEL = "corei7_haswell_4770"
CONFIGURATION = """\
display_library: term
romimage: file={rom}
cpu: model={cpu}, count=1, ips=1000000000, reset_on_triple_fault=0
megs: {megabytes}
{payload}
clock: sync=none, time0=utc
log: {folder}/bochs.log
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
"""

TRACE_ON = ("trace on", "trace-reg on", "trace-mem on")
TRACE_OFF = ("trace off", "trace-reg off", "trace-mem off")

LINE = re.compile(rb"^\(0\)\.\[\d+\] \[0x([0-9a-f]+)\] ([0-9a-f]+):([0-9a-f]+) \(.*?\): (.*?)\s*; "
                  rb"([0-9a-f]+)$")
ACCESS = re.compile(rb"^\[CPU0 (WR|RW)\]: LIN 0x([0-9a-f]+) PHY 0x([0-9a-f]+) \(len=(\d+), .*?\):? (.*)$")
# The second half of RW, whose first line has the old value.
WRITE_BACK = re.compile(rb"^\[CPU0 WR\]: PHY 0x([0-9a-f]+) \(len=(\d+), .*?\):? (.*)$")
REGISTER = re.compile(rb"^(r..): ([0-9a-f]{8})_([0-9a-f]{8})$")
FLAGS = re.compile(rb"^eflags 0x([0-9a-f]+)")


def commands_around(image, entries, steps):
    """Debugger commands that trace an image but for its long string instructions. `entries`: of vtsim,
    from the first instruction on."""
    commands = [f"lb {image.start:#x}", "c", *TRACE_ON]
    began = previous = next(entries)
    breakpoints = 1
    for count, entry in enumerate(entries):
        if previous.is_long:
            breakpoints += 1
            commands += [*TRACE_OFF, f"lb {entry.rip:#x}", "c", f"d {breakpoints}", *TRACE_ON]
            began = entry
        if entry.is_long:
            # An entry's index counts its iterations, all of which the debugger would step.
            commands.append(f"s {previous.index - began.index + 1}")
        previous = entry
        if count >= steps:
            break
    return commands + [f"s {previous.index - began.index + 1}"]


def available():
    return shutil.which("bochs") is not None


class BochsRun:
    name = "bochs"

    def __init__(self, image, folder, steps, cpu=CPU_MODEL, commands=None):
        """`steps`: instructions to run from the image's start address on; `commands`: other ones in
        place of these."""
        self.folder = folder
        payload = f"optramimage1: file={image.payload}, address={image.payload_at:#x}" \
            if image.payload else ""
        configuration = CONFIGURATION.format(rom=image.rom, cpu=cpu, megabytes=image.megabytes,
                                             payload=payload, folder=folder)
        (folder / "bochsrc").write_text(configuration)
        commands = commands or [f"lb {image.start:#x}", "c", *TRACE_ON, f"s {steps}"]
        (folder / "bochs.commands").write_text("\n".join(commands + ["q"]) + "\n")
        self.command = ["bochs", "-q", "-f", str(folder / "bochsrc"), "-rc",
                        str(folder / "bochs.commands")]
        self.process = None

    def lines(self):
        master, slave = pty.openpty()
        environment = dict(os.environ, TERM="xterm", LINES="50", COLUMNS="132")
        self.process = subprocess.Popen(self.command, stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True)
        os.close(slave)
        rest = b""
        while True:
            try:
                data = os.read(master, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            *complete, rest = (rest + data).split(b"\n")
            for line in complete:
                yield line.rstrip(b"\r")
        os.close(master)
        self.process.wait()

    def entries(self):
        return merge_repeats(parse(self.lines()))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()  # it may be waiting for someone to read its trace
            self.process.wait()


def number(text):
    return int(text.replace(b"0x", b"").replace(b"_", b"").replace(b" ", b""), 16)


class Accesses:
    """Collects the writes of an entry."""

    def __init__(self):
        self.linear = {}  # physical address of a read-modify-write -> linear address

    def take(self, entry, line):
        if match := ACCESS.match(line):
            linear = int(match[2], 16)
            size, value = int(match[4]), number(match[5])
            if match[1] == b"RW":
                self.linear[int(match[3], 16)] = linear
                entry.write(linear, size, value, entry.kept)
            else:
                entry.write(linear, size, value)
        elif match := WRITE_BACK.match(line):
            linear = self.linear.pop(int(match[1], 16), None)
            if linear is not None:
                entry.write(linear, int(match[2]), number(match[3]))


def parse(lines):
    state, entry, accesses = {}, None, Accesses()
    for line in lines:
        if line.startswith(b"CPU0:"):
            state = {}
        elif match := REGISTER.match(line):
            state[match[1].decode().strip()] = int(match[2] + match[3], 16)
        elif match := FLAGS.match(line):
            state["rflags"] = int(match[1], 16)
        elif match := LINE.match(line):
            if entry:
                yield entry
            code = bytes.fromhex(match[5].decode())
            entry = Entry(int(match[2], 16), int(match[3], 16), state, code, match[4].decode())
        elif entry and line.startswith(b"[CPU0"):
            accesses.take(entry, line)
    if entry:
        yield entry
