#pragma once
// Numbers with units, as people write them: 2G, 10s, 2.6GHz, 0x40. Exact: a value that is not a
// whole number of its base unit, or does not fit 64 bits, is refused.

#include <optional>
#include <string>
#include <string_view>

#include "model/base/types.h"

namespace vtsim::config {

enum class Quantity {
  kCount,      // plain integer, decimal or 0x hexadecimal
  kSize,       // bytes; suffixes K, M, G, T (also KiB, KB ...): powers of 1024
  kTime,       // picoseconds; a suffix is needed: ps ns us ms s min
  kFrequency,  // hertz; suffixes Hz kHz MHz GHz: powers of 1000
};

// std::nullopt: not of this form. '_' may separate digits.
std::optional<u64> parse_quantity(std::string_view text, Quantity quantity);

// The shortest text that parse_quantity reads back as the same value.
std::string format_quantity(u64 value, Quantity quantity);

// "a size such as 2G or 512M", for messages.
std::string_view example_of(Quantity quantity);

}  // namespace vtsim::config
