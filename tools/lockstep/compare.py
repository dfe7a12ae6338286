"""Walks two streams of entries side by side and stops where they part."""

from collections import deque
from dataclasses import dataclass

import undefined_flags
from entry import CONTROLS, GPRS, SEGMENTS

CONTEXT = 12
RF = 1 << 16
RFLAGS_COMPARED = 0x3F7FD5


@dataclass
class Result:
    equal: int = 0  # instructions
    states: int = 0  # register values compared
    bytes_written: int = 0
    divergence: str = ""


def differences(ours, theirs, undefined):
    """Names of registers that both show and that differ."""
    found = []
    for name in (*GPRS, *SEGMENTS, *CONTROLS):
        if name in theirs and ours.get(name, 0) != theirs[name]:
            found.append(name)
    flags = RFLAGS_COMPARED & ~undefined
    if (ours["rflags"] ^ theirs["rflags"]) & flags:
        found.append("rflags")
    return found


def different_bytes(ours, theirs, ignored):
    """Addresses that both wrote, with other values; or that one of them wrote alone."""
    found = []
    for address in ours.writes.keys() | theirs.writes.keys():
        mine = ours.writes.get(address)
        if mine != theirs.writes.get(address, theirs.kept.get(address)) \
                and not any(address in area for area in ignored):
            found.append(address)
    return sorted(found)


class Comparison:
    def __init__(self, peer, start, ignored_memory=(), memory=True):
        self.peer = peer
        self.start = start  # RIP of the first instruction; None: begin at once
        self.ignored = ignored_memory
        self.memory = memory
        self.result = Result()
        self.history = deque(maxlen=CONTEXT)
        self.undefined = 0

    def run(self, ours, theirs, most=None):
        """Compares until ours end. `ours`, `theirs`: iterators of merged entries."""
        ours, theirs = self.skip(ours), self.skip(theirs)
        mine, other = next(ours, None), next(theirs, None)
        if mine is None or other is None:
            self.result.divergence = "a party never reached the first instruction to compare: " + \
                ("vtsim" if mine is None else self.peer)
            return self.result
        while mine is not None and mine.rip >= 0:
            following = next(ours, None)
            if other is None:
                self.result.divergence = f"{self.peer} ended at instruction {self.result.equal}"
                break
            upcoming = next(theirs, None)
            # A trap or interrupt between two instructions: the peer has no entry of its own for it.
            while following is not None and upcoming is not None and following.event is not None \
                    and following.where != upcoming.where:
                mine.writes.update(following.writes)
                following = next(ours, None)
            if not self.same(mine, other):
                break
            self.history.append(mine)
            self.undefined = undefined_flags.after(mine, self.undefined) if mine.event is None \
                else self.undefined
            self.result.equal += 1
            if most and self.result.equal >= most:
                break
            mine, other = following, upcoming
        return self.result

    def skip(self, entries):
        for entry in entries:
            if self.start is None or entry.rip == self.start:
                yield entry
                break
        yield from entries

    def same(self, mine, other):
        registers = [] if mine.where == other.where else ["place"]
        registers += differences(mine.state, other.state, self.undefined)
        if not registers:
            self.result.states += len(other.state)
            if not self.memory or not (addresses := different_bytes(mine, other, self.ignored)):
                self.result.bytes_written += len(other.writes)
                return True
            registers = [f"[{address:x}]" for address in addresses[:8]]
        self.result.divergence = self.report(mine, other, registers)
        return False

    def report(self, mine, other, registers):
        lines = [f"vtsim and {self.peer} part after {self.result.equal} equal instructions, in "
                 f"{', '.join(registers)}. The last ones, as vtsim ran them:"]
        for entry in self.history:
            lines.append("  " + describe(entry))
        lines.append(f"What each found at the next one ({self.peer} below):")
        for entry in (mine, other):
            lines.append("  " + describe(entry))
            lines.append("    " + " ".join(f"{k}={v:x}" for k, v in sorted(entry.state.items())
                                           if k in GPRS or k in SEGMENTS or k in CONTROLS
                                           or k == "rflags"))
            if entry.writes:
                lines.append("    writes " + " ".join(f"[{a:x}]={v:02x}" for a, v in
                                                      sorted(entry.writes.items())[:32]))
        if self.undefined:
            lines.append(f"  flags undefined here: {self.undefined:#x}")
        return "\n".join(lines)


def describe(entry):
    what = f"event {entry.event:#x}" if entry.event is not None else entry.text
    return f"{entry.index:8} {entry.cs:04x}:{entry.rip:08x} {entry.code.hex():<20} {what}"
