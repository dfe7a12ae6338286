#pragma once
// Readers and writers that many rows of the MSR table share.

#include "model/cpu/environment.h"
#include "model/cpu/exec/msr.h"
#include "model/cpu/exec/segmentation.h"

namespace vtsim::cpu {

inline bool offers(const Core& core, Feature feature) {
  return core.environment().shared.offered[feature];
}

template <u64 constant>
bool read_constant(const MsrAccess&, u64& value) {
  value = constant;
  return true;
}

inline bool ignore_write(const MsrAccess&, u64) { return true; }

// ---- a field of CoreState

template <u64 CoreState::*field>
bool read_state(const MsrAccess& access, u64& value) {
  value = access.core.state.*field;
  return true;
}
template <u64 CoreState::*field>
bool write_canonical(const MsrAccess& access, u64 value) {
  if (!is_canonical_anywhere(access.core, value)) return false;
  access.core.state.*field = value;
  return true;
}
// Bits outside `writable` must be 0.
template <u64 CoreState::*field, u64 writable>
bool write_state(const MsrAccess& access, u64 value) {
  if ((value & ~writable) != 0) return false;
  access.core.state.*field = value;
  return true;
}

// ---- a field of MsrState

template <u64 MsrState::*field>
bool read_register(const MsrAccess& access, u64& value) {
  value = access.core.msr.*field;
  return true;
}
template <u64 MsrState::*field, u64 writable>
bool write_register(const MsrAccess& access, u64 value) {
  if ((value & ~writable) != 0) return false;
  access.core.msr.*field = value;
  return true;
}

// ---- an element of an array of MsrState, by the offset in the row's range

template <auto MsrState::*array>
bool read_element(const MsrAccess& access, u64& value) {
  value = (access.core.msr.*array)[access.offset()];
  return true;
}
template <auto MsrState::*array, u64 writable>
bool write_element(const MsrAccess& access, u64 value) {
  if ((value & ~writable) != 0) return false;
  (access.core.msr.*array)[access.offset()] = value;
  return true;
}

}  // namespace vtsim::cpu
