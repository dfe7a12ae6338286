#pragma once
// What the fused handlers share: operand forms as types, and the way on. Fused code is 64-bit code.

#include "model/cpu/exec/conditions.h"
#include "model/cpu/exec/two_operand.h"

namespace vtsim::cpu {

// `fetch` reads both operands; false: raised.
struct RegReg {
  template <class T>
  static bool fetch(Core& core, const Op& op, T& a, T& b) {
    a = get_gpr<T>(core, op.dst);
    b = get_gpr<T>(core, op.src);
    return true;
  }
};
struct RegImm {
  template <class T>
  static bool fetch(Core& core, const Op& op, T& a, T& b) {
    a = get_gpr<T>(core, op.dst);
    b = static_cast<T>(op.imm);
    return true;
  }
};
template <Form form>
struct RegMem {
  template <class T>
  static bool fetch(Core& core, const Op& op, T& a, T& b) {
    a = get_gpr<T>(core, op.dst);
    return load_operand<T, form>(core, op, b);
  }
};
template <Form form>
struct MemReg {
  template <class T>
  static bool fetch(Core& core, const Op& op, T& a, T& b) {
    b = get_gpr<T>(core, op.src);
    return load_operand<T, form>(core, op, a);
  }
};
template <Form form>
struct MemImm {
  template <class T>
  static bool fetch(Core& core, const Op& op, T& a, T& b) {
    b = static_cast<T>(op.imm);
    return load_operand<T, form>(core, op, a);
  }
};

// Address forms of hot 64-bit code; nullptr for the others.
template <class T, class Choose>
Handler by_fused_form(const Op& op, Choose choose) {
  if constexpr (sizeof(T) == 2) {
    return choose(Constant<Form::kGeneral>{});
  } else {
    switch (form_of(op)) {
      case Form::kBase: return choose(Constant<Form::kBase>{});
      case Form::kBaseIndex: return choose(Constant<Form::kBaseIndex>{});
      case Form::kSegment: return choose(Constant<Form::kSegment>{});
      default: return nullptr;
    }
  }
}

// nullptr where `cc` is none of those that are wanted.
template <Condition... wanted, class Choose>
Handler by_condition_among(Condition cc, Choose choose) {
  Handler handler = nullptr;
  ((handler = cc == wanted ? choose(Constant<wanted>{}) : handler), ...);
  return handler;
}

// Binders of the three kinds; `op` is already bound.
Handler fuse_cmp(const Binding& compare, Condition cc, const Op& op);
Handler fuse_test(const Binding& compare, Condition cc, const Op& op);
Handler fuse_arithmetic(const Binding& compare, Condition cc, const Op& op);

}  // namespace vtsim::cpu
