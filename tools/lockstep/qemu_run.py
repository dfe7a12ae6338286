"""QEMU's TCG as a party: the state that it logs before each instruction, as a stream of entries.

The log has general registers, RFLAGS, segments and control registers, but no memory accesses.
"""

import re
import shutil
import subprocess

from entry import Entry, merge_repeats

PROGRAM = "qemu-system-x86_64"
NAMES = {"EAX": "rax", "EBX": "rbx", "ECX": "rcx", "EDX": "rdx", "ESI": "rsi", "EDI": "rdi",
         "EBP": "rbp", "ESP": "rsp", "RAX": "rax", "RBX": "rbx", "RCX": "rcx", "RDX": "rdx",
         "RSI": "rsi", "RDI": "rdi", "RBP": "rbp", "RSP": "rsp", "R8": "r8", "R9": "r9",
         "R10": "r10", "R11": "r11", "R12": "r12", "R13": "r13", "R14": "r14", "R15": "r15",
         "EFL": "rflags", "RFL": "rflags", "CR0": "cr0", "CR2": "cr2", "CR3": "cr3", "CR4": "cr4",
         "EIP": "rip", "RIP": "rip"}
VALUE = re.compile(r"\b([A-Z]+\d*) ?= ?([0-9a-f]+)")
SEGMENT = re.compile(r"^(ES|CS|SS|DS|FS|GS) =([0-9a-f]{4}) ")


def available():
    return shutil.which(PROGRAM) is not None


class QemuRun:
    name = "qemu"

    def __init__(self, image, folder, cpu="Haswell,+smap"):
        self.fifo = folder / "qemu.log"
        self.command = [PROGRAM, "-machine", "pc,usb=off", "-cpu", cpu, "-accel", "tcg,thread=single",
                        "-m", str(image.megabytes), "-nodefaults", "-display", "none", "-no-reboot",
                        "-bios", str(image.rom), "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                        "-singlestep", "-d", "cpu,nochain", "-D", str(self.fifo)]
        if image.logged:  # linear addresses; what lies before the start is not logged
            self.command += ["-dfilter", f"{image.start:#x}..{image.logged:#x}"]
        if image.payload:
            self.command += ["-device", f"loader,file={image.payload},addr={image.payload_at:#x},"
                             "force-raw=on"]
        self.process = None

    def entries(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        with open(self.fifo, encoding="ascii") as log:
            yield from merge_repeats(parse(log))
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()  # it may be waiting for someone to read its log
            self.process.wait()


def parse(lines):
    state = None
    for line in lines:
        if line.startswith(("EAX=", "RAX=")):
            if state:
                yield finished(state)
            state = {}
        if state is None:
            continue
        if match := SEGMENT.match(line):
            state[match[1].lower()] = int(match[2], 16)
        elif line[0] in "ERC" and not line.startswith("CC"):
            for name, value in VALUE.findall(line):
                if name in NAMES:
                    state[NAMES[name]] = int(value, 16)
    if state:
        yield finished(state)


def finished(state):
    rip = state.pop("rip", 0)
    return Entry(state.get("cs", 0), rip, state)
