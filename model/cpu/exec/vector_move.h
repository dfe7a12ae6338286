#pragma once
// Loads and stores of whole vectors and of single elements; hot, so specialized on the address
// form.

#include "model/cpu/exec/vector.h"

namespace vtsim::cpu {

enum class Alignment : u8 { kAny, kNatural };

// dst = memory. T: the vector, or an element that goes to the lowest lane, the rest of the XMM
// register being cleared.
template <class T, Encoding encoding, Form form, Alignment alignment>
Outcome load_into_vector(Core& core, const Op& op) {
  T value;
  if constexpr (alignment == Alignment::kNatural) {
    if (!load_aligned<T, form>(core, op, value)) return Outcome::kFault;
  } else {
    if (!load_operand<T, form>(core, op, value)) return Outcome::kFault;
  }
  u8* reg = core.state.vector.reg[op.dst];
  std::memcpy(reg, &value, sizeof value);
  constexpr unsigned kEnd = encoding == Encoding::kLegacy ? 16 : 32;
  if constexpr (sizeof(T) < kEnd) std::memset(reg + sizeof(T), 0, kEnd - sizeof(T));
  return Outcome::kNext;
}

// memory = low bytes of the register `src`.
template <class T, Form form, Alignment alignment>
Outcome store_from_vector(Core& core, const Op& op) {
  T value;
  std::memcpy(&value, core.state.vector.reg[op.src], sizeof value);
  if constexpr (alignment == Alignment::kNatural) {
    if (!store_aligned<T, form>(core, op, value)) return Outcome::kFault;
  } else {
    if (!store_operand<T, form>(core, op, value)) return Outcome::kFault;
  }
  return Outcome::kNext;
}

template <Encoding encoding>
Outcome copy_vector(Core& core, const Op& op) {
  write_vector<encoding>(core, op.dst, read_vector<kVectorBytes<encoding>>(core, op.src));
  return Outcome::kNext;
}

template <class T, Encoding encoding, Alignment alignment = Alignment::kAny>
Handler choose_load(const Op& op) {
  return by_form<u64>(op, [](auto form) -> Handler {
    return &run<load_into_vector<T, encoding, form(), alignment>>;
  });
}
template <class T, Alignment alignment = Alignment::kAny>
Handler choose_store(const Op& op) {
  return by_form<u64>(
      op, [](auto form) -> Handler { return &run<store_from_vector<T, form(), alignment>>; });
}

// MOVAPS, MOVUPS and their like.
template <Alignment alignment>
Handler bind_whole_move(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return by_encoding(encoding_of(binding), [&](auto e) -> Handler {
    using T = VectorOf<e()>;
    if (binding.in.is_memory(0)) return choose_store<T, alignment>(op);
    if (binding.in.is_memory(1)) return choose_load<T, e(), alignment>(op);
    return &run<copy_vector<e()>>;
  });
}

}  // namespace vtsim::cpu
