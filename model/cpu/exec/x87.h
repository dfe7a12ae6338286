#pragma once
// The x87 FPU as its instructions see it: the register stack, the status word, exceptions, and the
// frame of every non-control instruction. SDM 1 "Programming with the x87 FPU".
//
// An instruction is a function bool(X87&, const Op&): false when a memory access raised an
// exception (nothing has changed then). The row binds it with bind_x87<function>, which leaves in
// the op
//   dst   i of ST(i) (register forms)      mem   the memory operand, if there is one
//   imm   the opcode as FOP keeps it: low 3 bits of the first byte, ModRM

#include "model/cpu/exec/choose.h"
#include "model/cpu/exec/x87_value.h"

namespace vtsim::cpu {

struct X87Status {
  static constexpr Flag IE{0}, DE{1}, ZE{2}, OE{3}, UE{4}, PE{5}, SF{6}, ES{7}, C0{8}, C1{9},
      C2{10};
  static constexpr Field TOP{13, 11};
  static constexpr Flag C3{14}, B{15};
  static constexpr Field EXCEPTIONS{5, 0};

  static constexpr u16 kInvalid = 1 << 0, kDenormal = 1 << 1, kZeroDivide = 1 << 2,
                       kOverflow = 1 << 3, kUnderflow = 1 << 4, kPrecision = 1 << 5;
  // Found before an instruction computes: unmasked, they keep the operands as they are.
  static constexpr u16 kBefore = kInvalid | kDenormal | kZeroDivide;
  // What also keeps a result from being stored to memory.
  static constexpr u16 kBeforeStore = kBefore | kOverflow | kUnderflow;
  static constexpr u64 kConditions = C0.mask() | C1.mask() | C2.mask() | C3.mask();
};

struct X87Control {
  static constexpr Field MASKS{5, 0}, PC{9, 8}, RC{11, 10};
  static constexpr u64 kDefined = 0x1F3F;
  static constexpr u64 kFixedOne = 0x40;
};

enum class Rounding : u8 { kNearest, kDown, kUp, kZero };

enum class Pop : u8 { kNo, kYes };

// What an operation gave: a result and the status word's exceptions and condition codes.
template <class T>
struct X87Result {
  T value{};
  u16 status = 0;
};

// ES and B follow the unmasked exceptions.
void update_summary(X87State& x87);
void initialize(X87State& x87);  // FNINIT
void set_control(X87State& x87, u64 control);

// A pending unmasked exception is reported by the next waiting instruction. True: #MF recorded.
// (With CR0.NE clear, processors report it by FERR# and an interrupt of the chipset: #MF here too.)
inline bool x87_exception_pending(Core& core) {
  if (!bit(core.state.x87.status, X87Status::ES.position)) [[likely]]
    return false;
  core.raise(kMf);
  return true;
}

class X87 {
 public:
  explicit X87(Core& owner) : core(owner), s_(owner.state.x87) {}

  Core& core;

  u16 control() const { return s_.control; }
  Rounding rounding() const { return static_cast<Rounding>(X87Control::RC.get(s_.control)); }
  bool masked(u16 exceptions) const { return (exceptions & ~s_.control) == 0; }

  bool empty(unsigned i) const { return bit(s_.empty, physical(i)); }
  Float80 st(unsigned i) const { return Float80::from(s_.reg[physical(i)]); }
  void set_st(unsigned i, const Float80& value) {
    value.to(s_.reg[physical(i)]);
    s_.empty = static_cast<u8>(s_.empty & ~(1u << physical(i)));
  }
  void free_st(unsigned i) { s_.empty = static_cast<u8>(s_.empty | 1u << physical(i)); }
  void rotate(unsigned by) { set_status(X87Status::TOP, physical(by)); }
  void pop() {
    free_st(0);
    rotate(1);
  }
  void push(const Float80& value) {
    rotate(7);
    set_st(0, value);
  }

  bool condition(Flag c) const { return bit(s_.status, c.position); }
  void set_condition(Flag c, bool on) {
    s_.status = static_cast<u16>(on ? s_.status | c.mask() : s_.status & ~c.mask());
  }
  void clear_c1() { set_condition(X87Status::C1, false); }
  // C3, C2 and C0, as `status` has them.
  void copy_comparison(u16 status);

  // Takes over the exceptions and C1 of an operation. False: one of `forbidding` among them is
  // unmasked, so that the result must not be delivered.
  bool accept(u16 status, u16 forbidding = X87Status::kBefore);

  // The stack faults; true: masked, the caller delivers the indefinite value.
  bool underflow() { return stack_fault(false); }
  bool overflow() { return stack_fault(true); }
  // A value onto the stack, or the stack overflow fault.
  void push_checked(const Float80& value);

  // FIP, FCS, FDP, FDS and FOP of a non-control instruction that has been done.
  void note_pointers(const Op& op);

 private:
  unsigned physical(unsigned i) const {
    return static_cast<unsigned>(X87Status::TOP.get(s_.status) + i) & 7;
  }
  void set_status(Field field, u64 value) {
    s_.status = static_cast<u16>(field.put(s_.status, value));
  }
  bool stack_fault(bool overflow);

  X87State& s_;
};

// ---- the frame of waiting, non-control instructions

using X87Function = bool (*)(X87&, const Op&);

template <X87Function function>
Outcome x87_instruction(Core& core, const Op& op) {
  if (x87_exception_pending(core)) return Outcome::kFault;
  X87 x87(core);
  if (!function(x87, op)) return Outcome::kFault;
  x87.note_pointers(op);
  return Outcome::kNext;
}

inline bool has_memory(const Binding& binding) { return binding.in.ins.raw.modrm.mod != 3; }

// Bits of the memory operand; bind_memory for it and the fields named above.
unsigned bind_x87_operands(const Binding& binding, Op& op);

template <X87Function function>
Handler bind_x87(const Binding& binding, Op& op) {
  bind_x87_operands(binding, op);
  return &run<x87_instruction<function>>;
}

// Memory forms by the size of the operand.
template <X87Function m16, X87Function m32, X87Function m64 = m32>
Handler bind_x87_integer(const Binding& binding, Op& op) {
  switch (bind_x87_operands(binding, op)) {
    case 16:
      return &run<x87_instruction<m16>>;
    case 32:
      return &run<x87_instruction<m32>>;
    default:
      return &run<x87_instruction<m64>>;
  }
}

constexpr InstructionRow x87_row(Mnemonic mnemonic, Binder bind, FlagUse flags = FlagUse::kNone) {
  return {.mnemonic = mnemonic,
          .bind = bind,
          .gate = Gate::kX87,
          .timing = Timing::kX87,
          .flags = flags};
}

}  // namespace vtsim::cpu
