"""What the peers do otherwise than the manual says: the only place that knows of it. Each row is one
reason; a row without which nothing parts should go."""

import re
from dataclasses import dataclass

# QEMU's TCG checks no limits of data segments and no 64-KByte wrap of accesses in real mode. SDM 3A
# "Limit Checking": "The processor checks segment limits".
NO_LIMITS = ("qemu",)


@dataclass(frozen=True)
class PeerError:
    peer: str
    pattern: str  # a regular expression that matches the beginning of the generator's line
    bits: tuple  # of the code
    reason: str

    def matches(self, text, mode):
        """An assembly line of the generator, in a section of that mode."""
        return mode.bits in self.bits and re.match(self.pattern, text) is not None


ROWS = (
    PeerError("qemu", r"pushl %[cdesfg]s", (16, 32),
              "pushes 32 bits of a selector. SDM 2 \"PUSH\" allows both; all recent Intel processors "
              "write 16 bits only"),
    PeerError("qemu", r"\.byte 0xF0", (16, 32),
              "executes some instructions that LOCK is not allowed with. SDM 2 \"LOCK\": #UD"),
    PeerError("qemu", "lar %eax", (16, 32),
              "clears bits 19:16 of the result. SDM 2 \"LAR\": 00FxFF00H, x is undefined"),
    PeerError("qemu", "movbe|crc32", (16,),
              "takes a 66H prefix for 16-bit operands in 16-bit code too. SDM 2 \"MOVBE\", \"CRC32\", SDM 1 "
              "\"Operand-Size and Address-Size Attributes\""),
)


def avoided(peer):
    return tuple(row for row in ROWS if row.peer == peer)
