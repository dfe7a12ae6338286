#include "model/cpu/exec/x87.h"

#include "model/cpu/environment.h"

namespace vtsim::cpu {

void update_summary(X87State& x87) {
  Reg<X87Status> status(x87.status);
  const bool pending =
      (X87Status::EXCEPTIONS.get(x87.status) & ~X87Control::MASKS.get(x87.control)) != 0;
  status.set(X87Status::ES, pending);
  status.set(X87Status::B, pending);
  x87.status = static_cast<u16>(status.value);
}

void initialize(X87State& x87) {
  x87.control = 0x037F;
  x87.status = 0;
  x87.empty = 0xFF;
  x87.ip = x87.dp = 0;
  x87.cs = x87.ds = x87.opcode = 0;
}

void set_control(X87State& x87, u64 control) {
  x87.control = static_cast<u16>((control & X87Control::kDefined) | X87Control::kFixedOne);
  update_summary(x87);
}

void X87::copy_comparison(u16 status) {
  constexpr u64 kMask = X87Status::C0.mask() | X87Status::C2.mask() | X87Status::C3.mask();
  s_.status = static_cast<u16>((s_.status & ~kMask) | (status & kMask));
}

bool X87::accept(u16 status, u16 forbidding) {
  set_condition(X87Status::C1, bit(status, X87Status::C1.position));
  const u16 raised = static_cast<u16>(X87Status::EXCEPTIONS.get(status));
  if (raised == 0) return true;
  s_.status = static_cast<u16>(s_.status | raised);
  update_summary(s_);
  return masked(raised & forbidding);
}

bool X87::stack_fault(bool overflow) {
  s_.status = static_cast<u16>(s_.status | X87Status::IE.mask() | X87Status::SF.mask());
  set_condition(X87Status::C1, overflow);
  update_summary(s_);
  return masked(X87Status::kInvalid);
}

void X87::push_checked(const Float80& value) {
  if (empty(7)) {
    clear_c1();
    push(value);
  } else if (overflow()) {
    push(kIndefinite80);
  }
}

// SDM 1 "x87 FPU Instruction and Data (Operand) Pointers", "Last Instruction Opcode": on processors
// with FDP_EXCPTN_ONLY the data pointer, and without IA32_MISC_ENABLE's compatibility mode the
// opcode, are kept for unmasked exceptions only.
void X87::note_pointers(const Op& op) {
  constexpr Flag kFopcodeCompatibility{2};
  const bool unmasked = bit(s_.status, X87Status::ES.position);
  s_.ip = core.rip_of(op);
  s_.cs = core.state.seg[kCs].selector;
  if (unmasked || bit(core.msr.misc_enable, kFopcodeCompatibility.position))
    s_.opcode = static_cast<u16>(op.imm);
  if (!op.mem.present()) return;
  if (!unmasked && core.environment().shared.offered[Feature::kFdpExcptnOnly]) return;
  s_.dp = effective_offset(core, op);
  s_.ds = core.state.seg[op.mem.segment()].selector;
}

unsigned bind_x87_operands(const Binding& binding, Op& op) {
  const auto& in = binding.in;
  const auto& modrm = in.ins.raw.modrm;
  op.dst = modrm.rm;
  op.imm =
      (in.ins.opcode & 7ull) << 8 | static_cast<u64>(modrm.mod << 6 | modrm.reg << 3 | modrm.rm);
  if (!has_memory(binding)) return 0;
  for (unsigned n = 0; n < in.ins.operand_count; ++n) {
    if (!in.is_memory(n)) continue;
    bind_memory(binding, n, op);
    return in.operand[n].size;
  }
  return 0;
}

}  // namespace vtsim::cpu
