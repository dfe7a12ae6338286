#pragma once
// How a vtsim process ends. Odd numbers belong to the guest, even ones to the simulator; scripts
// rely on them.

#include "model/base/types.h"

namespace vtsim::cli {

enum class ExitStatus : int {
  kOk = 0,       // the guest shut down (ACPI S5), --expect matched, or the user ended it
  kUsage = 2,    // bad usage, configuration or image
  kLimit = 4,    // --max-instructions, --max-cycles, --max-time or --timeout was reached
  kDead = 6,     // triple fault, VMX abort, or all cores halted with nothing that could wake them
  kFailed = 8,   // --fail-on matched, or the guest ended without --expect matching
  kDefect = 10,  // a defect of vtsim
  kInterrupted = 12,  // Ctrl-C or SIGTERM
};

constexpr int exit_code(ExitStatus status) { return static_cast<int>(status); }

// What a guest's write of `value` to the debug-exit port 0xf4 ends the process with.
constexpr int guest_exit_code(u32 value) { return static_cast<int>(((value << 1) | 1) & 0xff); }

}  // namespace vtsim::cli
