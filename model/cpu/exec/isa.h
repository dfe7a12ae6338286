#pragma once
// Which CPUID feature an instruction needs.

#include <optional>

#include "model/cpu/decode.h"
#include "model/cpu/features.h"

namespace vtsim::cpu {

// The feature that offers the instruction; nothing for what every x86-64 processor has. Extensions
// that vtsim knows no feature for are never offered: `kUnknownExtension`.
struct IsaRequirement {
  bool unknown_extension = false;
  std::optional<Feature> feature;
};
IsaRequirement required_feature(const Decoded& decoded);

}  // namespace vtsim::cpu
