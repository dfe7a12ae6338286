#pragma once
// Exceptions and interrupts as records. SDM 3A "Interrupt and Exception Handling".

#include "model/base/types.h"

namespace vtsim::cpu {

enum Vector : u8 {
  kDe = 0,
  kDb = 1,
  kNmi = 2,
  kBp = 3,
  kOf = 4,
  kBr = 5,
  kUd = 6,
  kNm = 7,
  kDf = 8,
  kTs = 10,
  kNp = 11,
  kSs_ = 12,
  kGp = 13,
  kPf = 14,
  kMf = 16,
  kAc = 17,
  kMc = 18,
  kXm = 19,
  kVe = 20,
};

// The encoding of the VM-entry interruption-information field's type.
enum class EventType : u8 {
  kExternalInterrupt = 0,
  kNonMaskableInterrupt = 2,
  kHardwareException = 3,
  kSoftwareInterrupt = 4,            // INT n
  kPrivilegedSoftwareException = 5,  // INT1
  kSoftwareException = 6,            // INT3, INTO
};

struct Event {
  u8 vector = 0;
  EventType type = EventType::kHardwareException;
  bool has_error_code = false;
  u32 error_code = 0;
  u64 cr2 = 0;         // page faults: the linear address
  u64 dr6_bits = 0;    // debug exceptions: what to OR into DR6
  u8 length = 0;       // software events: length of the instruction
  bool injected = false;  // by a VM entry: it changes no CR2 or DR6 and does not exit itself
};

}  // namespace vtsim::cpu
