"""Random but valid programs, in sections of one mode each, for 16- and 32-bit code outside long mode.

A program is groups of at most GROUP bytes: what an instruction needs (addresses, counts), and the
instruction. Whatever may read flags is preceded by a comparison where the manual leaves some of them
undefined, so that nothing undefined is ever stored.
"""

import random
from dataclasses import dataclass

from instructions import GROUPS
from operands import Context

@dataclass(frozen=True)
class Mode:
    name: str
    bits: int
    protected: bool
    privileged: bool  # CPL 0 (or real mode)
    v86: bool
    enter: str
    leave: str


MODES = {mode.name: mode for mode in (
    Mode("real", 16, False, True, False, "", ""),
    Mode("p16", 16, True, True, False, "enter_protected 16, idt16_pointer", "leave_protected 16"),
    Mode("p32", 32, True, True, False, "enter_protected 32, idt32_pointer", "leave_protected 32"),
    Mode("u16", 16, True, False, False, "enter_protected 32, idt32_pointer\nenter_user 16",
         "leave_user 16\nleave_protected 32"),
    Mode("u32", 32, True, False, False, "enter_protected 32, idt32_pointer\nenter_user 32",
         "leave_user 32\nleave_protected 32"),
    Mode("v86", 16, False, False, True, "enter_protected 32, idt32_pointer\nenter_v86 3",
         "leave_user 16\nleave_protected 32"),
    Mode("v86-iopl0", 16, False, False, True, "enter_protected 32, idt32_pointer\nenter_v86 0",
         "leave_user 16\nleave_protected 32"),
)}
MIXED = ("real", "p16", "u16", "v86", "p32", "u32", "v86-iopl0", "real")


def choose(rng, rows):
    return rng.choices([row.make for row in rows], [row.weight for row in rows])[0]


def group_lines(rng, mode, limits, avoided):
    """One group: assembly lines with the alignment of the next one."""
    context = Context(rng, mode, limits, avoided)
    rows = [row for row in GROUPS if row.allowed(mode) and (limits or row.needs != "limits")]
    choose(rng, rows)(context)
    return context.lines


def section(rng, mode, groups, number, options):
    lines = [f"        # {mode.name}", mode.enter]
    if mode.protected or mode.v86:
        if number == 0:
            lines = [lines[0], "enter_protected 32, idt32_pointer", "load_task",
                     "leave_protected 32", mode.enter]
    lines += [f"        .code{mode.bits}", "        .balign GROUP, 0x90"]
    for n in range(groups):
        body = group_lines(rng, mode, *options)
        label = f".Lgroup_{number}_{n}"
        lines.append(f"{label}:")
        lines += body
        lines.append(f"        jmp 9f\n        .org {label} + GROUP, 0x90\n9:")
    # A group that ends with a fault goes on at the next boundary, which is here.
    lines.append(mode.leave)
    return lines


def program(seed, modes=MIXED, groups=800, limits=True, avoided=()):
    """Assembly text. `limits`: also accesses at the ends of segments."""
    rng = random.Random(seed)
    lines = [f"# seed {seed}, modes {' '.join(modes)}, {groups} groups, limits {limits}",
             "        .include \"frame.S\"", "sections:"]
    loaded = False
    for number, name in enumerate(modes):
        mode = MODES[name]
        needs_task = (mode.protected or mode.v86) and not loaded
        loaded = loaded or needs_task
        part = section(rng, mode, groups // len(modes), 0 if needs_task else number + 1,
                       (limits, avoided))
        lines += part
    lines.append("        end_of_image")
    return "\n".join(lines) + "\n"
