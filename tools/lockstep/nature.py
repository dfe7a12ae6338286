"""Comparison where parties may differ by nature: processors tell who they are (CPUID), clocks and devices
tell what they like. What such an instruction wrote is followed: a register that differs is explained when
the last instruction is of that kind, or used a register or memory that differs already. Where the streams
of instructions themselves part, the comparison ends.
"""

from compare import Comparison, differences, different_bytes
from undefined_flags import mnemonic

SOURCES = {"cpuid", "rdtsc", "rdtscp", "rdmsr", "rdpmc", "rdrand", "rdseed", "in", "insb", "insw", "insd"}
# Take operands that the text does not name.
IMPLICIT = {"mul", "imul", "div", "idiv", "cdq", "cqo", "cdqe", "cwde", "pop", "ret", "leave", "popfq",
            "wrmsr", "xsetbv"}
FLAG_READERS = ("set", "cmov", "adc", "sbb", "rcl", "rcr", "pushf", "lahf")


def aliases(name):
    if name[1:].isdigit():
        return {name, name + "d", name + "w", name + "b"}
    base = name[1:]
    low = {"ax": "al", "bx": "bl", "cx": "cl", "dx": "dl"}.get(base, base + "l")
    return {name, "e" + base, base, low, base[0] + "h"}


class NatureComparison(Comparison):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.tainted = set()  # registers that differ, and why is known
        self.dirty = set()  # addresses of bytes likewise
        self.explained = 0  # instructions that found such a register
        self.sources = []  # the instructions from which all differences come

    def uses_tainted(self, entry):
        name = mnemonic(entry.text)
        words = set(entry.text.replace(",", " ").replace("[", " ").replace("]", " ").split())
        if any(words & aliases(register) for register in self.tainted):
            return True
        if "rflags" in self.tainted and name.startswith(FLAG_READERS):
            return True
        return bool(self.tainted or self.dirty) and (name in IMPLICIT or bool(self.dirty)
                                                     and "[" in entry.text)

    def same(self, mine, other):
        found = set(differences(mine.state, other.state, self.undefined))
        found.discard("cr2")
        if mine.where != other.where:
            self.result.divergence = self.report(mine, other, ["place"])
            return False
        if new := found - self.tainted:
            last = self.history[-1] if self.history else mine
            if mnemonic(last.text) in SOURCES:
                self.sources.append(last.text)
            elif not self.uses_tainted(last):
                self.result.divergence = self.report(mine, other, sorted(new))
                return False
        self.tainted = found
        self.explained += bool(found)
        self.result.states += len(other.state) - len(found)
        return self.same_memory(mine, other)

    def same_memory(self, mine, other):
        uses = self.uses_tainted(mine)
        if not self.memory:  # the peer shows none
            if uses:
                self.dirty |= mine.writes.keys()
            else:
                self.dirty -= mine.writes.keys()
            return True
        changed = set(different_bytes(mine, other, self.ignored))
        if changed and not uses:
            self.result.divergence = self.report(mine, other,
                                                 [f"[{a:x}]" for a in sorted(changed)[:8]])
            return False
        self.dirty = (self.dirty - mine.writes.keys()) | changed
        self.result.bytes_written += len(other.writes) - len(changed)
        return True
