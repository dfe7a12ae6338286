"""Which flags instructions leave undefined, and which they define.

From SDM 1, appendix A "EFLAGS Cross-Reference", and the "Flags Affected" paragraphs of SDM 2. A flag
that is undefined stays out of the comparison until an instruction defines it again.
"""

CF, PF, AF, ZF, SF, OF = 1 << 0, 1 << 2, 1 << 4, 1 << 6, 1 << 7, 1 << 11
ARITHMETIC = CF | PF | AF | ZF | SF | OF

# mnemonics: (defined, undefined, the manual's words)
ROWS = {
    "add adc sub sbb cmp neg cmps cmpxchg xadd scas popcnt": (ARITHMETIC, 0, "all by the result"),
    "inc dec": (ARITHMETIC & ~CF, 0, "CF is not affected"),
    "and or xor test": (ARITHMETIC & ~AF, AF, "AF is undefined"),
    "mul imul": (CF | OF, SF | ZF | AF | PF, "SF, ZF, AF and PF are undefined"),
    "div idiv": (0, ARITHMETIC, "CF, OF, SF, ZF, AF and PF are undefined"),
    "shl sal shr sar shld shrd": (CF | SF | ZF | PF, AF | OF,
                                  "AF is undefined for counts from 1, OF for counts other than 1, "
                                  "CF for SHL and SHR by the operand's size or more"),
    "rol ror rcl rcr": (CF, OF, "OF is undefined for counts other than 1"),
    "bsf bsr": (ZF, CF | OF | SF | AF | PF, "CF, OF, SF, AF and PF are undefined"),
    "lzcnt tzcnt": (CF | ZF, OF | SF | PF | AF, "OF, SF, PF and AF are undefined"),
    "bt bts btr btc": (CF, OF | SF | AF | PF, "OF, SF, AF and PF are undefined, ZF is unaffected"),
    "aaa aas": (AF | CF, OF | SF | ZF | PF, "OF, SF, ZF and PF are undefined"),
    "aad aam": (SF | ZF | PF, OF | AF | CF, "OF, AF and CF are undefined"),
    "daa das": (ARITHMETIC & ~OF, OF, "OF is undefined"),
    "popf popfd popfw popfq iret iretd iretq": (ARITHMETIC, 0, "all come from the stack"),
    "sahf": (ARITHMETIC & ~OF, 0, "from AH"),
    "andn bextr": (SF | ZF | CF | OF, AF | PF, "AF and PF are undefined (BEXTR: SF too)"),
    "clc stc cmc": (CF, 0, "CF only"),
    "comiss comisd ucomiss ucomisd ptest": (ARITHMETIC, 0, "all written"),
}

BY_MNEMONIC = {name: row for names, row in ROWS.items() for name in names.split()}
PREFIXES = {"rep", "repe", "repne", "repz", "repnz", "lock", "xacquire", "xrelease", "notrack"}


def mnemonic(text):
    for word in text.split():
        if word not in PREFIXES:
            # Strings: capstone's movsb, scasw... stand for one row, MOVSD of SSE has none.
            if word[:4] in ("cmps", "scas") and len(word) == 5:
                return word[:4]
            return word
    return ""


SHIFTS = {"shl", "sal", "shr", "sar", "shld", "shrd"}
ROTATES = {"rol", "ror", "rcl", "rcr"}


def count_of(entry):
    """The masked count of a shift or rotate, as capstone prints it: CL, a number, or left out (1)."""
    last = entry.text.rsplit(",", 1)[-1].strip()
    if last == "cl":
        count = entry.state["rcx"]
    else:
        try:
            count = int(last, 0)
        except ValueError:
            return 1
    return count & (0x3F if operand_bits(entry) == 64 else 0x1F)


def operand_bits(entry):
    first = entry.text.split(",")[0]
    for word, bits in (("byte", 8), ("dword", 32), ("qword", 64), ("word", 16)):
        if f"{word} ptr" in first:
            return bits
    register = first.split()[-1]
    if register.startswith("e") or register.endswith("d"):
        return 32
    if register.startswith("r"):
        return {"b": 8, "w": 16}.get(register[-1], 64) if register[1].isdigit() else 64
    return 8 if register[-1] in "lh" else 16


def after_shift(entry, name, row, undefined):
    count = count_of(entry)
    if count == 0:
        return undefined
    defined, unknown, _ = row
    if count == 1:
        defined, unknown = defined | OF, unknown & ~OF
    if name in SHIFTS and name != "sar" and count >= operand_bits(entry):
        defined, unknown = defined & ~CF, unknown | CF
    return (undefined & ~defined) | unknown


def after(entry, undefined):
    """The undefined flags behind an instruction, given those before it."""
    name = mnemonic(entry.text)
    row = BY_MNEMONIC.get(name)
    if row is None:
        return undefined
    if name in SHIFTS or name in ROTATES:
        return after_shift(entry, name, row, undefined)
    if name in ("cmps", "scas") and entry.text.startswith("rep") and entry.state["rcx"] == 0:
        return undefined
    return (undefined & ~row[0]) | row[1]
