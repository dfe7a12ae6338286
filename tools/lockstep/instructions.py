"""The groups that a program is made of: each row makes one kind of instruction with what it needs."""

from dataclasses import dataclass
from typing import Callable

from operands import CONDITIONS, REGISTERS, WORD


# ---- arithmetic

def alu(c):
    op = c.rng.choice(("add", "adc", "and", "or", "xor", "sub", "sbb", "cmp", "test"))
    size = c.size()
    if op in ("adc", "sbb"):
        c.define_flags()
    undefines = op in ("and", "or", "xor", "test")
    kind = c.rng.randrange(3)
    if kind == 0:
        place = c.place(size, op not in ("cmp", "test"))
        value = c.number(size) if op == "test" else c.immediate(size)
        c.emit(f"{op}{WORD[size]} ${value}, {place}", undefines)
    elif kind == 1 or op == "test":
        register = c.register(size)
        place = c.place(size, op not in ("cmp", "test"))
        c.emit(f"{op}{WORD[size]} %{register}, {place}", undefines)
    else:
        place = c.place(size, False)
        c.emit(f"{op}{WORD[size]} {place}, %{c.register(size)}", undefines)


def locked(c):
    size = c.size()
    operand = c.memory(size)
    op = c.rng.choice(("add", "or", "and", "sub", "xor", "xadd", "cmpxchg"))
    c.emit(f"lock {op}{WORD[size]} %{c.register(size)}, {operand}", True)


def unary(c):
    size = c.size()
    op = c.rng.choice(("inc", "dec", "neg", "not"))
    c.emit(f"{op}{WORD[size]} {c.place(size)}")


def multiply(c):
    size = c.size()
    kind = c.rng.randrange(4)
    if kind == 0:
        c.emit(f"mul{WORD[size]} {c.place(size, False)}", True)
    elif kind == 1:
        c.emit(f"imul{WORD[size]} {c.place(size, False)}", True)
    else:
        size = c.wide()
        place, register = c.place(size, False), c.register(size)
        immediate = f"${c.immediate(size)}, " if kind == 2 else ""
        c.emit(f"imul{WORD[size]} {immediate}{place}, %{register}", True)


def divide(c):
    size = c.size()
    divisor = c.memory(size, False, avoid=("ax", "dx", "eax", "edx"))
    if c.rng.random() < 0.7:  # mostly without #DE
        c.emit("movw $0x55, %ax" if size == 8 else "movl $0x12345, %eax")
        c.emit("movl $0, %edx")
    c.define_flags()
    c.emit(f"{c.rng.choice(('div', 'idiv'))}{WORD[size]} {divisor}", True)


def shift(c):
    size = c.size()
    op = c.rng.choice(("rol", "ror", "rcl", "rcr", "shl", "shr", "sar"))
    place = c.place(size, avoid=("cx", "ecx"))
    c.define_flags()  # a count of 0 keeps them, RCL and RCR read CF
    kind = c.rng.randrange(3)
    if kind == 0:
        c.emit(f"{op}{WORD[size]} {place}", True)
    elif kind == 1:
        c.emit(f"{op}{WORD[size]} ${c.rng.randrange(256)}, {place}", True)
    else:
        c.emit(f"{op}{WORD[size]} %cl, {place}", True)


def double_shift(c):
    size = c.wide()
    place = c.place(size, avoid=("cx", "ecx"))
    register = c.register(size)
    count = c.rng.randrange(size)  # beyond the operand's size the result is undefined
    c.define_flags()
    if c.rng.random() < 0.5:
        c.emit(f"{c.rng.choice(('shld', 'shrd'))}{WORD[size]} ${count}, %{register}, {place}", True)
        return
    register = c.register(8)
    c.emit(f"movb ${count}, %cl")
    source = c.rng.choice([name for name in REGISTERS[size] if "cx" not in name])
    c.emit(f"{c.rng.choice(('shld', 'shrd'))}{WORD[size]} %cl, %{source}, {place}", True)


def bits(c):
    size = c.wide()
    op = c.rng.choice(("bt", "bts", "btr", "btc"))
    c.define_flags()
    if c.rng.random() < 0.6:
        c.emit(f"{op}{WORD[size]} ${c.rng.randrange(256)}, {c.place(size, op != 'bt')}", True)
        return
    register = "cx" if size == 16 else "ecx"
    operand = c.memory(size, op != "bt", c.rng.randrange(0x2000, 0x5000), avoid=("cx", "ecx"))
    c.emit(f"mov ${c.rng.randrange(-0x4000, 0x4000)}, %{register}")
    c.emit(f"{op}{WORD[size]} %{register}, {operand}", True)


def scan(c):
    size = c.wide()
    op = c.rng.choice(("bsf", "bsr", "lzcnt", "tzcnt", "popcnt"))
    source = c.register(size)
    if op in ("bsf", "bsr"):  # of 0 the result is undefined
        c.emit(f"or{WORD[size]} ${c.rng.choice((1, 0x40, 0x4000))}, %{source}", True)
    c.emit(f"{op}{WORD[size]} %{source}, %{c.register(size)}", True)


def decimal(c):
    op = c.rng.choice(("daa", "das", "aaa", "aas", "aam", "aad"))
    if op in ("aam", "aad"):
        value = c.rng.choice((10, 10, 16, c.rng.randrange(256)))
        c.define_flags()
        c.emit(f"{op} ${value}", True)
        return
    if op in ("daa", "das", "aaa", "aas"):
        c.define_flags()
    c.emit(op, True)


def crc(c):
    size = c.size()
    c.emit(f"crc32{WORD[size]} {c.place(size, False)}, %{c.register(32)}")


# ---- moves

def move(c):
    size = c.size()
    kind = c.rng.randrange(6)
    if kind == 0:
        c.emit(f"mov{WORD[size]} ${c.number(size)}, {c.place(size)}")
    elif kind == 1:
        register = c.register(size)
        c.emit(f"mov{WORD[size]} %{register}, {c.place(size)}")
    elif kind == 2:
        c.emit(f"mov{WORD[size]} {c.place(size, False)}, %{c.register(size)}")
    elif kind == 3:
        register = c.register(size)
        c.emit(f"xchg{WORD[size]} %{register}, {c.place(size)}")
    elif kind == 4:
        source, wide = c.rng.choice((("b", 16), ("b", 32), ("w", 32)))
        small = 8 if source == "b" else 16
        op = c.rng.choice(("movz", "movs"))
        c.emit(f"{op}{source}{WORD[wide]} {c.place(small, False)}, %{c.register(wide)}")
    else:
        wide = c.wide()
        operand = c.memory(wide, False).split(":")[-1]  # a segment means nothing here
        c.emit(f"lea{WORD[wide]} {operand}, %{c.register(wide)}")


def exchange(c):
    size = c.size()
    kind = c.rng.randrange(4)
    register = c.register(size)
    if kind == 0:
        c.emit(f"xadd{WORD[size]} %{register}, {c.place(size)}")
    elif kind == 1:
        c.emit(f"cmpxchg{WORD[size]} %{register}, {c.place(size)}")
    elif kind == 2:
        c.emit(f"cmpxchg8b {c.memory(64, avoid=('ax', 'eax', 'dx', 'edx'))}")
    else:
        c.emit(f"bswapl %{c.register(32)}")


def convert(c):
    kind = c.rng.randrange(4)
    if kind == 0:
        c.emit(c.rng.choice(("cbtw", "cwtl", "cwtd", "cltd")))
    elif kind == 1:
        size = c.wide()
        if c.rng.random() < 0.5:
            c.emit(f"movbe{WORD[size]} {c.memory(size, False)}, %{c.register(size)}")
        else:
            register = c.register(size)
            c.emit(f"movbe{WORD[size]} %{register}, {c.memory(size)}")
    elif kind == 2:
        c.define_flags()
        c.emit(f"set{c.rng.choice(CONDITIONS)} {c.place(8)}")
    else:
        c.define_flags()
        size = c.wide()
        place = c.place(size, False)
        c.emit(f"cmov{c.rng.choice(CONDITIONS)}{WORD[size]} {place}, %{c.register(size)}")


def translate(c):
    c.define_flags()
    c.emit(f"mov ${c.rng.randrange(0x100, 0x6000):#x}, %{'ebx' if c.mode.bits == 32 else 'bx'}")
    prefix = c.rng.choice(("", "%fs ", "%es ", "%ss ")).replace("%", "")
    c.emit(f"{prefix}xlatb")


# ---- strings

def string(c):
    c.define_flags()
    op = c.rng.choice(("movs", "stos", "lods", "scas", "cmps"))
    size = c.size()
    wide = c.rng.random() < (0.2 if c.mode.bits == 16 else 0.8)
    e = "e" if wide else ""
    down = c.rng.random() < 0.3
    c.emit("std" if down else "cld")
    for name in ("si", "di"):
        target = c.rng.randrange(0x200, 0x6000)
        if c.limits and c.rng.random() < 0.03:
            target = c.rng.choice((0x0003, 0xFFF8, 0xFFFF))
        c.emit(f"movl ${target:#x}, %e{name}" if wide else f"movw ${target:#x}, %{name}")
    prefix = c.rng.choice(("", "rep ", "rep ", "repne " if op in ("scas", "cmps") else ""))
    if prefix:
        count = c.rng.choice((0, 1, 2, 7, 17))
        c.emit(f"movl ${count}, %ecx" if wide else f"movw ${count}, %cx")
    segment = c.rng.choice(("", "", "fs ", "gs ", "es ")) if op in ("movs", "lods", "cmps") else ""
    address = ("addr32 " if wide else "") if c.mode.bits == 16 else ("" if wide else "addr16 ")
    c.emit(f"{prefix}{address}{segment}{op}{WORD[size]}")
    c.emit("cld")


# ---- the stack

def push_pop(c):
    c.define_flags()
    c.new_stack()
    size = c.wide()
    w = WORD[size]
    kind = c.rng.randrange(8)
    if kind in (4, 5) and not c.allows("pushl %es"):
        size, w = 16, "w"
    if kind == 0:
        c.emit(f"push{w} {c.place(size, False)}")
        c.emit(f"pop{w} {c.place(size)}")
    elif kind == 1:
        c.emit(f"push{w} ${c.immediate(size)}")
        c.emit(f"pop{w} %{c.register(size)}")
    elif kind == 2:
        c.emit(f"pusha{w}")
        c.emit(f"popa{w}")
    elif kind == 3:
        c.emit(f"push{w} %{'esp' if size == 32 else 'sp'}")
        c.emit(f"pop{w} %{c.register(size)}")
    elif kind == 4:
        c.emit(f"push{w} %{c.rng.choice(('cs', 'ds', 'es', 'ss', 'fs', 'gs'))}")
        c.emit(f"pop{w} %{c.register(size)}")
    elif kind == 5:
        segment = c.rng.choice(("ds", "es", "fs", "gs"))
        c.emit(f"push{w} %{segment}")
        c.emit(f"pop{w} %{segment}")
    elif kind == 6:
        c.emit(f"popa{w}")
        c.new_stack()
    else:
        levels = c.rng.choice((0, 0, 1, 2, 3))
        if not c.limits:  # copied frames may lie at the segment's end
            levels = 0
        if c.mode.bits == 32 and not c.limits:  # EBP lies where it will
            w = "l"
        if levels:  # no fault between its pushes: the manual leaves open what it has stored by then
            c.emit("movl $0x6000, %ebp")
        c.emit(f"enter{w} ${c.rng.randrange(0x40)}, ${levels}")
        c.emit(f"leave{w}")


def flags_on_stack(c):
    c.define_flags()
    c.new_stack()
    size = c.wide()
    w = WORD[size]
    # No TF, no IF; NT only where no IRET would take it for a task's return; RF is not loaded.
    value = c.rng.getrandbits(16) & 0x0CD5 | c.rng.choice((0, 0x3000)) | 2
    if size == 32:
        value |= c.rng.choice((0, 1 << 18, 1 << 21)) & ~(1 << 18 if not c.mode.privileged else 0)
    if c.rng.random() < 0.5:
        c.emit(f"push{w} ${value:#x}")
        c.emit(f"popf{w}")
    c.emit(f"pushf{w}")
    c.emit(f"pop{w} %{c.register(size)}")
    c.emit("cld")


def flag_operations(c):
    c.define_flags()
    kind = c.rng.randrange(4)
    if kind == 0:
        c.emit(c.rng.choice(("clc", "stc", "cmc", "cld", "lahf", "sahf")))
        c.emit("cld")
    elif kind == 1:
        c.emit("lahf")
        c.emit(f"movb ${c.number(8)}, %ah")
        c.emit("sahf")
    elif kind == 2:
        c.emit("sti")
        c.emit("cli")
    else:
        c.emit(".byte 0xD6" if c.rng.random() < 0.3 else "cmc")


# ---- control

def branch(c):
    label = c.new_label()
    kind = c.rng.randrange(3)
    c.define_flags()
    if kind == 0:
        c.emit(f"j{c.rng.choice(CONDITIONS)} {label}f")
    elif kind == 1:
        op = c.rng.choice(("jcxz", "jecxz", "loop", "loope", "loopne"))
        if c.mode.bits == 16 and op == "jecxz":
            op = "addr32 jcxz"
        c.emit(f"{op} {label}f")
    else:
        c.emit(f"jmp {label}f")
    for _ in range(c.rng.randrange(1, 3)):
        c.emit(f"movb ${c.number(8)}, %{c.register(8)}")
    c.lines.append(f"{label}:")


def loop(c):
    name = "ecx" if c.mode.bits == 32 else "cx"
    label = c.new_label()
    c.emit(f"mov ${c.rng.randrange(1, 5)}, %{name}")
    c.lines.append(f"{label}:")
    c.emit(f"add{c.rng.choice(('w', 'l'))} $3, %{c.rng.choice(('eax', 'edx')) }".replace(
        "addw $3, %e", "addw $3, %"))
    c.emit(f"loop {label}b")


def call_near(c):
    c.define_flags()
    c.new_stack()
    inside, after = c.new_label(), c.new_label()
    kind = c.rng.randrange(3)
    if kind == 0:
        c.emit(f"call {inside}f")
    else:
        name = c.register(c.mode.bits)
        c.emit(f"mov ${inside}f, %{name}")
        c.emit(f"call *%{name}")
    c.emit(f"jmp {after}f")
    c.lines.append(f"{inside}:")
    c.emit(f"movb ${c.number(8)}, %{c.register(8)}")
    c.emit("ret" if c.rng.random() < 0.5 else f"ret ${c.rng.randrange(0, 64, 2)}")
    c.lines.append(f"{after}:")


def code_selector(mode):
    if mode.v86 or not mode.protected:
        return "BASE >> 4"
    return f"S_CODE{mode.bits}" + ("" if mode.privileged else "_USER")


def far(c):
    c.define_flags()
    c.new_stack()
    inside, after = c.new_label(), c.new_label()
    selector = code_selector(c.mode)
    size = c.wide() if c.mode.bits == 16 else 32
    w = WORD[size]
    kind = c.rng.randrange(4)
    if kind == 0:
        c.emit(f"ljmp{w} ${selector}, ${after}f")
    elif kind == 1:
        c.emit(f"push{w} ${selector}")
        c.emit(f"push{w} ${after}f")
        c.emit(f"lret{w}")
    elif kind == 2:
        c.emit(f"lcall{w} ${selector}, ${inside}f")
        c.emit(f"jmp {after}f")
    else:
        operand = c.memory(48, True, c.rng.randrange(0x200, 0x6000), avoid=("ax", "eax", "sp"))
        first = operand.replace("(", "(", 1)
        c.emit(f"mov{w} ${after}f, {first}")
        c.emit("nop")
    c.lines.append(f"{inside}:")
    if kind == 2:
        c.emit(f"lret{w}" if c.rng.random() < 0.5 else f"lret{w} ${c.rng.randrange(0, 64, 2)}")
    c.lines.append(f"{after}:")


def interrupt(c):
    c.define_flags()
    c.new_stack()
    kind = c.rng.randrange(4)
    if kind == 0:
        c.emit(f"int ${c.rng.randrange(0x20, 0x100)}")
    elif kind == 1:  # the frame's 32-bit tables use INT3 for themselves
        c.emit("int3" if c.mode.name in ("real", "p16") else "into")
    elif kind == 2:
        c.emit("into")
    else:
        selector, after = code_selector(c.mode), c.new_label()
        size = c.wide() if c.mode.bits == 16 else 32
        w = WORD[size]
        c.emit(f"pushf{w}")
        c.emit(f"push{w} ${selector}")
        c.emit(f"push{w} ${after}f")
        c.emit(f"iret{w}")
        c.lines.append(f"{after}:")


# ---- faults

def faulting(c):
    c.define_flags()
    c.new_stack()
    kind = c.rng.randrange(7)
    if kind == 0:
        c.emit("ud2")
    elif kind == 1:
        c.emit(".byte 0xF0")  # LOCK of what has no memory destination
        c.emit(c.rng.choice(("nop", "movb $1, %al", "addb %al, %bl", "cmpb %al, 0x200")))
    elif kind == 2:
        size = c.wide()
        operand = c.memory(64, False, c.rng.randrange(0x200, 0x6000))
        c.emit(f"bound{WORD[size]} %{c.register(size)}, {operand}")
    elif kind == 3:
        c.emit(".byte 0x0F, 0xFF")
        c.emit(".byte 0xC0")
    elif kind == 4:
        c.emit(c.rng.choice(("sldt %ax", "str %ax", "verr %ax", "arpl %ax, %bx", "lar %ax, %bx",
                             "lsl %ax, %cx")))
    elif kind == 5:
        c.emit(c.rng.choice((".byte 0x8E, 0xC8", ".byte 0xC4, 0xC0", ".byte 0xFF, 0xF8",
                             ".byte 0xFE, 0xD0", ".byte 0x8D, 0xC0")))
    else:
        c.emit("clts" if not c.mode.privileged else "nop")


def system(c):
    c.define_flags()
    kind = c.rng.randrange(4)
    if kind == 0:
        c.emit(f"smsw %{c.register(c.wide())}")
    elif kind == 1:
        c.emit(f"{c.rng.choice(('sgdt', 'sidt'))} {c.memory(48, True, c.rng.randrange(0x200, 0x6000))}")
    elif kind == 2:
        c.emit(f"mov %{c.rng.choice(('cr0', 'cr4', 'cr2', 'cr3'))}, %{c.register(32)}")
    else:
        c.emit("movl $0x10, %eax" if not c.mode.protected else "movl $0x11, %eax")
        c.emit("movl %eax, %cr0" if not c.mode.v86 else "nop")


# ---- segments

REAL_PARAGRAPHS = (0x2000, 0x2345, 0x3001, 0x3FFF, 0x4800, 0x5555, 0x6000, 0x6FFE)


def load_segments(c):
    """In real and v86 mode."""
    c.define_flags()
    value = c.rng.choice(REAL_PARAGRAPHS)
    segment = c.rng.choice(("ds", "es", "fs", "gs"))
    if c.rng.random() < 0.6:
        c.emit(f"movw ${value:#x}, %ax")
        c.emit(f"movw %ax, %{segment}")
        return
    at = c.rng.randrange(0x200, 0x6000)
    size = c.wide()
    c.emit(f"mov{WORD[size]} ${c.number(size)}, %es:{at:#x}")
    c.emit(f"movw ${value:#x}, %es:{at + size // 8:#x}")
    c.emit(f"l{segment}{WORD[size]} %es:{at:#x}, %{c.register(size)}")


SELECTORS = ("S_DATA", "S_EXTRA", "S_F", "S_G", "S_READONLY", "S_ABSENT", "S_TSS", "S_CODE16",
             "S_CODE32", "0", "3", "S_DATA_USER", "S_EXTRA_USER", "S_EXPAND_DOWN", "S_CONFORMING",
             "0xFFF8", "0x0C", "S_DATA + 3", "S_DATA_USER & ~3", "S_FLAT", "S_STACK32",
             "S_CODE16_USER", "S_CODE32_USER")


def restore_selectors(c, segment):
    usual = {"ds": "S_DATA", "es": "S_EXTRA", "fs": "S_F", "gs": "S_G"}[segment]
    if not c.mode.privileged:
        usual = "S_DATA_USER" if segment in ("ds", "fs") else "S_EXTRA_USER"
    c.emit(f"movw ${usual}, %ax")
    c.emit(f"movw %ax, %{segment}")


def load_selectors(c):
    """In protected mode. A fault skips the restoring: the group begins with it."""
    c.define_flags()
    segment = c.rng.choice(("ds", "es", "fs", "gs"))
    restore_selectors(c, segment)
    c.emit(f"movw ${c.rng.choice(SELECTORS)}, %ax")
    c.emit(f"movw %ax, %{segment}")
    restore_selectors(c, segment)


def query_selectors(c):
    c.define_flags()
    c.emit(f"movw ${c.rng.choice(SELECTORS)}, %ax")
    op = c.rng.choice(("lar %ax, %cx", "lsl %ax, %dx", "lar %eax, %ecx", "lsl %eax, %edx",
                       "verr %ax", "verw %ax", "arpl %ax, %cx", "sldt %bx", "str %si"))
    c.emit(op)


def use_selector(c):
    """An access through a segment that may not allow it."""
    c.define_flags()
    c.emit(f"movw ${c.rng.choice(SELECTORS)}, %ax")
    c.emit("movw %ax, %gs")
    size = c.size()
    at = c.rng.choice((0x0FF0, 0x0FFF, 0x1000, 0x1FF0, 0xFFFF)) if c.limits else 0x1FF0
    if c.rng.random() < 0.5:
        c.emit(f"mov{WORD[size]} %gs:{at:#x}, %{c.register(size)}")
    else:
        c.emit(f"cmp{WORD[size]} ${c.number(8) & 0x7F}, %gs:{at:#x}")
    restore_selectors(c, "gs")


@dataclass(frozen=True)
class Row:
    make: Callable
    weight: int
    allowed: Callable = lambda mode: True
    needs: str = ""  # "limits": a party that checks segments at each access


GROUPS = (
    Row(alu, 20), Row(locked, 3), Row(unary, 6), Row(multiply, 5), Row(divide, 5), Row(shift, 10),
    Row(double_shift, 4), Row(bits, 5), Row(scan, 3), Row(decimal, 5), Row(crc, 1), Row(move, 14),
    Row(exchange, 4), Row(convert, 6), Row(translate, 2), Row(string, 10), Row(push_pop, 8),
    Row(flags_on_stack, 4), Row(flag_operations, 4), Row(branch, 5), Row(loop, 2), Row(call_near, 4),
    Row(far, 4), Row(interrupt, 4), Row(faulting, 3), Row(system, 3),
    Row(load_segments, 4, lambda mode: not mode.protected),
    Row(load_selectors, 4, lambda mode: mode.protected),
    Row(query_selectors, 3, lambda mode: mode.protected),
    Row(use_selector, 4, lambda mode: mode.protected, "limits"),
)
