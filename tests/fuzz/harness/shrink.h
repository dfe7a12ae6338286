#pragma once
// Makes a failing tape small.

#include <functional>

#include "tests/fuzz/harness/tape.h"

namespace vtsim::fuzz {

// Deletes spans, clears bytes and lowers them as long as `still_fails`, which is asked `budget` times
// at most.
Bytes shrink(Bytes tape, unsigned budget, const std::function<bool(const Bytes&)>& still_fails);

}  // namespace vtsim::fuzz
