#pragma once
// Code as text for people.

#include <span>
#include <string>

#include "model/base/types.h"

namespace vtsim::fuzz {

// A line an instruction; what is none is shown as bytes. `bits`: 16, 32 or 64.
std::string listing(std::span<const u8> code, u64 address, unsigned bits);

}  // namespace vtsim::fuzz
