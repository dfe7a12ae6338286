#pragma once
// Code out of a tape: wild bytes, random encodings with prefixes and operands, and instructions that
// are valid and reach far (system registers, tables, descriptors, code itself).

#include "tests/fuzz/harness/tape.h"

namespace vtsim::fuzz {

// `bits`: 16, 32 or 64, the code size that the templates are written for.
Bytes write_code(Tape& tape, unsigned bits, std::size_t most_bytes);

}  // namespace vtsim::fuzz
