#pragma once
// How binders choose among the instances of a handler template: each function turns a run-time
// property of the operands into a type or constant and calls `choose` with it.
//
//   by_width(size_log2, [&](auto t) { using T = decltype(t); return &run<mov_reg_reg<T>>; });

#include <type_traits>

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

template <auto value>
using Constant = std::integral_constant<decltype(value), value>;

template <class Choose>
Handler by_width(unsigned size_log2, Choose choose) {
  switch (size_log2) {
    case 0: return choose(u8{});
    case 1: return choose(u16{});
    case 2: return choose(u32{});
    default: return choose(u64{});
  }
}

// Instructions without a byte form.
template <class Choose>
Handler by_wide_width(unsigned size_log2, Choose choose) {
  switch (size_log2) {
    case 1: return choose(u16{});
    case 2: return choose(u32{});
    default: return choose(u64{});
  }
}

// How the bound memory operand's address may be formed.
inline Form form_of(const Op& op) {
  if (!op.mem.general())
    return op.index == gpr_offset(kZeroRegister) ? Form::kBase : Form::kBaseIndex;
  // Only 64-bit code has 64-bit addresses, and there only FS and GS need anything.
  return op.mem.address_size_log2() == 3 ? Form::kSegment : Form::kGeneral;
}

// 16-bit operands are rare in hot code: they get the general form only.
template <class T, class Choose>
Handler by_form(const Op& op, Choose choose) {
  if constexpr (sizeof(T) == 2) {
    return choose(Constant<Form::kGeneral>{});
  } else {
    switch (form_of(op)) {
      case Form::kBase: return choose(Constant<Form::kBase>{});
      case Form::kBaseIndex: return choose(Constant<Form::kBaseIndex>{});
      case Form::kSegment: return choose(Constant<Form::kSegment>{});
      default: return choose(Constant<Form::kGeneral>{});
    }
  }
}

template <class Choose>
Handler by_bool(bool value, Choose choose) {
  return value ? choose(std::true_type{}) : choose(std::false_type{});
}

// ---- rows

constexpr InstructionRow row(Mnemonic mnemonic, Binder bind, FlagUse flags = FlagUse::kNone,
                             Timing timing = Timing::kSimple) {
  return {.mnemonic = mnemonic, .bind = bind, .timing = timing, .flags = flags};
}
constexpr InstructionRow branch_row(Mnemonic mnemonic, Binder bind,
                                    FlagUse flags = FlagUse::kNone) {
  return {.mnemonic = mnemonic,
          .bind = bind,
          .timing = Timing::kBranch,
          .flow = Flow::kBranch,
          .flags = flags};
}

}  // namespace vtsim::cpu
