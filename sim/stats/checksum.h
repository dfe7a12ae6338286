#pragma once
// SHA-256, by which results name the images that they were made with.

#include <span>
#include <string>

#include "model/base/types.h"

namespace vtsim::stats {

// 64 lower-case hexadecimal digits.
std::string sha256(std::span<const u8> bytes);

}  // namespace vtsim::stats
