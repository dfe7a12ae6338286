"""Operands: registers, numbers and memory, with the instructions that set their addresses up."""

WORD = {8: "b", 16: "w", 32: "l"}
REGISTERS = {
    8: ("al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"),
    16: ("ax", "cx", "dx", "bx", "bp", "si", "di"),
    32: ("eax", "ecx", "edx", "ebx", "ebp", "esi", "edi"),
}
CONDITIONS = ("o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g")
FORMS_16 = (("bx", "si"), ("bx", "di"), ("bp", "si"), ("bp", "di"), ("si",), ("di",), ("bp",), ("bx",),
            ())
INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Context:
    """Collects the lines of a group and knows whether flags may be undefined."""

    def __init__(self, rng, mode, limits, avoided=()):
        self.rng = rng
        self.mode = mode
        self.limits = limits
        self.avoided = avoided  # instructions that are left out
        self.lines = []
        self.label = 0
        self.undefined = True  # what the group before left

    def allows(self, text):
        return not any(row.matches(text, self.mode) for row in self.avoided)

    def emit(self, text, undefines=False):
        if not self.allows(text):
            text = "nop"
        self.lines.append("        " + text)
        self.undefined = self.undefined or undefines

    def define_flags(self):
        """Before whatever reads or stores flags."""
        if self.undefined:
            self.emit(f"cmpb ${self.rng.randrange(-128, 128)}, %{self.register(8)}")
            self.undefined = False

    def size(self):
        return self.rng.choice((8, 16, 16, 32, 32))

    def wide(self):
        return self.rng.choice((16, 32))

    def register(self, size):
        return self.rng.choice(REGISTERS[size])

    def number(self, size):
        value = self.rng.choice(INTERESTING) if self.rng.random() < 0.4 else self.rng.getrandbits(32)
        return value & ((1 << size) - 1)

    def immediate(self, size):
        """Sign-extended bytes as often as whole immediates."""
        if self.rng.random() < 0.4:
            return self.rng.randrange(-128, 128)
        return self.number(size)

    def new_label(self):
        self.label += 1
        return str(self.label)

    def target(self, size):
        """An offset for an access of `size` bits: now and then at a segment's end."""
        if self.limits and self.rng.random() < 0.02:
            return self.rng.choice((0xFFF0, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF))
        return self.rng.randrange(0x0100, 0x7000)

    def segment(self, write):
        choices = ["", "", "", "%ds:", "%es:", "%fs:", "%gs:", "%ss:"]
        if not write:
            choices.append("%cs:")
        return self.rng.choice(choices)

    def memory(self, size, write=True, target=None, avoid=()):
        """A memory operand whose registers are set up here; `avoid`: registers to keep."""
        target = self.target(size) if target is None else target
        self.define_flags()  # it may fault
        if self.rng.random() < (0.75 if self.mode.bits == 16 else 0.3):
            operand = self.memory_16(target, avoid)
        else:
            operand = self.memory_32(target, avoid)
        return self.segment(write) + operand

    def memory_16(self, target, avoid):
        forms = [form for form in FORMS_16 if not set(form) & set(avoid)]
        form = self.rng.choice(forms)
        total = 0
        for name in form:
            value = self.number(16)
            total += value
            self.emit(f"movw ${value:#x}, %{name}")
        if not form:
            return f"{target:#x}"
        displacement = (target - total) & 0xFFFF
        inner = ",".join("%" + name for name in form)
        return f"{displacement:#x}({inner})"

    def memory_32(self, target, avoid):
        names = [name for name in REGISTERS[32] if name not in avoid and name[1:] not in avoid]
        base, index = self.rng.choice(names), self.rng.choice(names + [None, None])
        if index == base:
            index = None
        scale = self.rng.choice((1, 2, 4, 8))
        value = self.number(32)
        self.emit(f"movl ${value:#x}, %{base}")
        total = value
        if index:
            value = self.number(32)
            self.emit(f"movl ${value:#x}, %{index}")
            total += value * scale
        displacement = (target - total) & 0xFFFFFFFF
        if displacement >= 1 << 31:
            displacement -= 1 << 32
        inner = f"%{base}" + (f",%{index},{scale}" if index else "")
        return f"{displacement:#x}({inner})"

    def place(self, size, write=True, avoid=()):
        """A register or memory operand."""
        if self.rng.random() < 0.5:
            return "%" + self.register(size)
        return self.memory(size, write, avoid=avoid)

    def new_stack(self):
        name = "esp" if self.mode.bits == 32 else "sp"
        self.emit(f"mov ${self.rng.randrange(0x7800, 0xE000):#x}, %{name}")
