#pragma once
// What is left in low memory of a PC's BIOS for real-mode code that runs after it: the interrupt
// vectors, the data area at 0040:0000, and handlers of the hardware's interrupts. There are no
// services behind the other vectors: they lead to an IRET.

#include "sim/firmware_tables/guest_memory.h"
#include "sim/firmware_tables/memory_layout.h"

namespace vtsim::firmware_tables {

// Where IBM's BIOS has them, and what software has relied on since: offsets in segment F000.
inline constexpr u16 kBiosSegment = 0xf000;
inline constexpr u16 kBiosTimerHandler = 0xfea5;  // INT 08h: counts ticks at 0040:006C, calls INT 1Ch
inline constexpr u16 kBiosIret = 0xff53;

// 8259 inputs 0-7 and 8-15 as a BIOS sets them: see machine_setup.h.
inline constexpr u8 kBiosIrq0Vector = 0x08;
inline constexpr u8 kBiosIrq8Vector = 0x70;

void place_bios_area(GuestMemory& memory);

}  // namespace vtsim::firmware_tables
