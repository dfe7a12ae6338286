"""One instruction that a simulator began: where, the state it found, and what it wrote.

A stream is an iterator of entries in program order. An instruction that faults has an entry too, and
what the delivery of the exception writes counts as written by it. The iterations of a repeated string
instruction are one entry: `merge_repeats` joins what a simulator lists one by one.
"""

from dataclasses import dataclass, field

GPRS = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")
CONTROLS = ("cr0", "cr2", "cr3", "cr4")

REPEAT_PREFIXES = (0xF2, 0xF3)


@dataclass(slots=True)
class Entry:
    cs: int
    rip: int
    state: dict  # register name -> value; only what the simulator shows
    code: bytes = b""
    text: str = ""  # disassembly, where the simulator gives it
    writes: dict = field(default_factory=dict)  # linear address of a byte -> its value
    kept: dict = field(default_factory=dict)  # read to be modified: may be written as they were
    event: int | None = None  # vector of the event that was delivered in the instruction's place
    index: int = 0  # in the simulator's own counting
    is_long: bool = False  # a string instruction with too many writes to look at

    @property
    def where(self):
        return self.cs, self.rip

    def write(self, linear, size, value, into=None):
        into = self.writes if into is None else into
        for n in range(size):
            into[linear + n] = value >> 8 * n & 0xFF


def merge_repeats(entries):
    """Joins consecutive entries at one place: iterations, or a start that was given up."""
    held = None
    for entry in entries:
        if held is not None and entry.where == held.where and held.event is None \
                and entry.event is None:
            # Without bytes: nothing but a repeated instruction stays where it is for long.
            if not held.code or is_repeated(held) or entry.state == held.state:
                held.writes.update(entry.writes)
                held.kept.update(entry.kept)
                continue
        if held is not None:
            yield held
        held = entry
    if held is not None:
        yield held


def is_repeated(entry):
    """Has a REP prefix, as far as the bytes are known."""
    for byte in entry.code:
        if byte in REPEAT_PREFIXES:
            return True
        if byte not in (0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67) and byte >> 4 != 4:
            return False
    return False
