#pragma once

#include <charconv>
#include <string>

#include "model/base/types.h"

namespace vtsim::loader {

// "0x1f00": how messages print addresses and sizes.
inline std::string hex(u64 value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return "0x" + std::string(digits, end);
}

}  // namespace vtsim::loader
