#pragma once
// Guest images out of a tape.

#include "tests/fuzz/harness/tape.h"

namespace vtsim::fuzz {

inline constexpr u64 kLoadAddress = 0x200000;

// A flat 32-bit binary for kLoadAddress: its own GDT and IDT, then pieces of random code and of
// accesses to the chipset. An exception or an interrupt goes on with the next piece.
Bytes flat_image(Tape& tape);

// An image of one of the loader's kinds whose code is random, and which may be spoiled.
Bytes container_image(Tape& tape);

}  // namespace vtsim::fuzz
