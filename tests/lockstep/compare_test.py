#!/usr/bin/env python3
"""What the comparison of two streams finds, on streams made by hand. Argument: tools/lockstep."""

import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))

# pylint: disable=wrong-import-position
import bochs_run
import undefined_flags
import vtsim_run
from compare import Comparison
from entry import Entry, merge_repeats


def entries(*rows):
    """Rows of (rip, rax, rflags, text, writes)."""
    return iter([Entry(0, rip, {"rax": rax, "rcx": 1, "rflags": rflags}, b"\x90", text, dict(writes))
                 for rip, rax, rflags, text, writes in rows])


def compared(ours, theirs):
    return Comparison("peer", None).run(entries(*ours, (-1, 0, 2, "", ())), entries(*theirs))


STEADY = ((0, 1, 2, "nop", ()), (1, 1, 2, "nop", ()), (2, 1, 2, "nop", ()))


class Streams(unittest.TestCase):
    def test_equal(self):
        result = compared(STEADY, STEADY + ((3, 1, 2, "nop", ()),))
        self.assertEqual((result.equal, result.divergence), (3, ""))

    def test_register(self):
        result = compared(STEADY, (STEADY[0], (1, 2, 2, "nop", ()), STEADY[2]))
        self.assertEqual(result.equal, 1)
        self.assertIn("in rax", result.divergence)

    def test_place(self):
        result = compared(STEADY, (STEADY[0], (7, 1, 2, "nop", ()), STEADY[2]))
        self.assertIn("in place", result.divergence)

    def test_flags(self):
        result = compared(STEADY, (STEADY[0], (1, 1, 3, "nop", ()), STEADY[2]))
        self.assertIn("in rflags", result.divergence)

    def test_undefined_flag(self):
        first = (0, 1, 2, "and eax, ecx", ())
        theirs = (first, (1, 1, 2 | undefined_flags.AF, "nop", ()), STEADY[2])
        self.assertEqual(compared((first,) + STEADY[1:], theirs).divergence, "")

    def test_flag_defined_again(self):
        ours = ((0, 1, 2, "and eax, ecx", ()), (1, 1, 2, "cmp eax, ecx", ()), STEADY[2])
        theirs = ours[:2] + ((2, 1, 2 | undefined_flags.AF, "nop", ()),)
        self.assertIn("in rflags", compared(ours, theirs).divergence)

    def test_store(self):
        wrote = (1, 1, 2, "stosb", ((0x500, 7),))
        self.assertEqual(compared((STEADY[0], wrote), (STEADY[0], wrote)).bytes_written, 1)
        other = (1, 1, 2, "stosb", ((0x500, 8),))
        self.assertIn("[500]", compared((STEADY[0], wrote), (STEADY[0], other)).divergence)
        self.assertIn("[500]", compared((STEADY[0], wrote), STEADY[:2]).divergence)

    def test_peer_ends_early(self):
        self.assertIn("peer ended", compared(STEADY, STEADY[:2]).divergence)


class Parts(unittest.TestCase):
    def test_repeats_are_one(self):
        rows = [Entry(0, 5, {"rcx": n}, b"\xf3\xaa", writes={n: 0}) for n in (2, 1)]
        merged = list(merge_repeats(rows))
        self.assertEqual(len(merged), 1)
        self.assertEqual((merged[0].state["rcx"], merged[0].writes), (2, {2: 0, 1: 0}))

    def test_shift_counts(self):
        all_flags = undefined_flags.ARITHMETIC

        def after(text, count=0, before=0):
            return undefined_flags.after(Entry(0, 0, {"rcx": count}, text=text), before)

        self.assertEqual(after("shl eax, cl", 32, all_flags), all_flags)
        self.assertEqual(after("shl eax, 1"), undefined_flags.AF)
        self.assertEqual(after("shl ax, cl", 3), undefined_flags.AF | undefined_flags.OF)
        self.assertEqual(after("shl ax, cl", 17),
                         undefined_flags.AF | undefined_flags.OF | undefined_flags.CF)
        self.assertEqual(after("sar ax, cl", 17), undefined_flags.AF | undefined_flags.OF)
        self.assertEqual(after("rol byte ptr [0x500], 1", before=undefined_flags.CF), 0)

    def test_commit_log(self):
        lines = ["0 1 1000:0000000000000005 66 b8 01 00 00 00 | rax=1 rflags=46 ; mov eax, 1\n",
                 "0 1 1000:000000000000000b event 0d | rsp=fffa cs=0 | [fffa]2=b ; x\n",
                 "# hash 2 0123\n"]
        first, event, last = vtsim_run.parse(lines)
        self.assertEqual((first.cs, first.rip, first.text), (0x1000, 5, "mov eax, 1"))
        self.assertEqual((event.event, event.state["rax"]), (0xD, 1))
        self.assertEqual(event.writes, {0xFFFA: 0xB, 0xFFFB: 0})
        self.assertEqual(last.state["cs"], 0)

    def test_bochs_trace(self):
        lines = [b"CPU0:", b"rax: 00000001_00000002", b"eflags 0x00000046: id vip",
                 b"(0).[7] [0x000000011276] 1000:1276 (unk. ctxt): adc word ptr ds:0x3, bx ; 119e7e43",
                 b"[CPU0 RW]: LIN 0x0000000000020fff PHY 0x000000020fff (len=1, UC): 0x77",
                 b"[CPU0 RW]: LIN 0x0000000000021000 PHY 0x000000021000 (len=3, UC) 12 34 56",
                 b"[CPU0 WR]: PHY 0x000000020fff (len=1, UC): 0x78"]
        entry, = bochs_run.parse(lines)
        self.assertEqual(entry.state, {"rax": 0x100000002, "rflags": 0x46})
        self.assertEqual(entry.writes, {0x20FFF: 0x78})
        self.assertEqual(entry.kept, {0x20FFF: 0x77, 0x21000: 0x56, 0x21001: 0x34, 0x21002: 0x12})


if __name__ == "__main__":
    unittest.main()
