#pragma once
// From a form to cases: other registers, addressing forms, displacements and immediates; registers,
// flags, segments and memory with values at the edges; memory operands in the middle of the data,
// at its ends, across them, in read-only memory or anywhere.

#include <random>

#include "tests/cpu/differential/user_forms.h"
#include "tests/cpu/differential/user_segments.h"

namespace vtsim::cpu::test {

class CaseGenerator {
 public:
  CaseGenerator(u64 seed, bool has_ldt) : random_(seed), has_ldt_(has_ldt) {}

  // Nothing when the dice gave another instruction than the form's.
  std::optional<UserCase> next(const UserForm& form);

 private:
  u64 number() { return random_(); }
  u64 below(u64 n) { return random_() % n; }
  bool one_in(u64 n) { return below(n) == 0; }
  template <class T, std::size_t n>
  const T& pick(const T (&from)[n]) {
    return from[below(n)];
  }
  u64 value();         // edges and random ones
  u64 data_address();  // where memory operands lie
  u64 stack_address();
  u16 selector();                        // that instructions may load or ask about
  u16 code_selector(const UserCase& c);  // that far transfers may go to
  u64 code_target(u16 cs);

  void encode(const UserForm& form, UserCase& c);
  void choose_segments(UserCase& c);
  void choose_registers(UserCase& c);
  void choose_place(unsigned length, UserCase& c);
  void steer(const ZydisDecodedOperand& operand, const Decoded& in, UserCase& c);

  // What single instructions need to get past their first check (case_adjustments.cc).
  void adjust(const Decoded& in, UserCase& c);
  void adjust_relative(const Decoded& in, UserCase& c);
  void adjust_near_target(const Decoded& in, UserCase& c);
  void adjust_far_target(const Decoded& in, UserCase& c);
  void adjust_return(const Decoded& in, UserCase& c);
  void adjust_selector(const Decoded& in, UserCase& c);
  void adjust_popped_selector(const Decoded& in, UserCase& c);
  void adjust_count(const Decoded& in, UserCase& c);
  void adjust_divide(const Decoded& in, UserCase& c);
  void adjust_exchange(const Decoded& in, UserCase& c);
  void adjust_bit_offset(const Decoded& in, UserCase& c);
  void adjust_frame(const Decoded& in, UserCase& c);
  struct Adjustment;
  static const Adjustment kAdjustments[];
  static std::span<const Adjustment> adjustments();

  std::mt19937_64 random_;
  bool has_ldt_;
  Decoder decoder_{DecoderOptions{}};
};

// ---- what decoded operands mean for a case's state

// The number of a general register, whatever part of it is named; nothing for other registers.
std::optional<unsigned> general_register(ZydisRegister reg);
// The linear address of a memory operand.
u64 linear_address(const ZydisDecodedOperand& operand, const Decoded& in, const UserCase& c);
// The linear address that (E)SP or RSP points to.
u64 stack_top(const UserCase& c);
bool has_small_stack(const UserCase& c);  // SS.B = 0: SP

}  // namespace vtsim::cpu::test
