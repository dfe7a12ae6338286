#pragma once
// Memory operands of which a mask selects elements: what is not selected is neither accessed nor
// checked (MASKMOVQ, MASKMOVDQU, VMASKMOV, VPMASKMOV).

#include "model/cpu/exec/displaced.h"
#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

template <class T>
inline bool selected(T mask) {
  return (mask & kSignBit<T>) != 0;
}

template <class T, unsigned size>
bool load_selected(Core& core, const Op& op, const Lanes<size>& mask, Lanes<size>& out) {
  out = {};
  for (unsigned n = 0; n < size / sizeof(T); ++n) {
    if (!selected(mask.template get<T>(n))) continue;
    u64 lin;
    T value;
    if (!displaced_linear(core, op, n * sizeof(T), sizeof(T), Intent::kRead, lin) ||
        !load_linear(core, op, lin, value))
      return false;
    out.template set<T>(n, value);
  }
  return true;
}

// All selected elements are checked before the first is written.
template <class T, unsigned size>
bool store_selected(Core& core, const Op& op, const Lanes<size>& mask, const Lanes<size>& data) {
  u64 lin[size / sizeof(T)];
  for (unsigned n = 0; n < size / sizeof(T); ++n) {
    if (!selected(mask.template get<T>(n))) continue;
    if (!displaced_linear(core, op, n * sizeof(T), sizeof(T), Intent::kWrite, lin[n])) return false;
    if (write_pointer(core, lin[n], sizeof(T)) == nullptr &&
        !core.probe_write(op, lin[n], sizeof(T)))
      return false;
  }
  for (unsigned n = 0; n < size / sizeof(T); ++n) {
    if (selected(mask.template get<T>(n)) &&
        !store_linear(core, op, lin[n], data.template get<T>(n)))
      return false;
  }
  return true;
}

// MASKMOVQ and MASKMOVDQU write to DS:rDI, which is no ModRM operand.
inline void bind_implicit_memory(const Binding& binding, Op& op) {
  for (unsigned n = 0; n < binding.in.ins.operand_count; ++n)
    if (binding.in.is_memory(n)) bind_memory(binding, n, op);
}

}  // namespace vtsim::cpu
