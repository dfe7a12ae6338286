// IN, OUT, INS, OUTS. SDM 2A "IN", "INS", 2B "OUT", "OUTS"; SDM 1 "Input/Output > I/O Permission Bit Map".
// Devices may raise interrupts and move deadlines: every instruction is followed by a look at events,
// every iteration of a repeated one too.

#include "model/cpu/environment.h"
#include "model/cpu/exec/far_transfer.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

namespace {

// The bits of all `size` ports must be 0; the bitmap is read as two bytes.
bool bitmap_allows(Core& core, u16 port, unsigned size) {
  constexpr unsigned kIoMapBaseOffset = 102;
  const SegmentRegister& tr = core.state.seg[kTr];
  u16 base = 0, map = 0;
  if (!tr.usable() || !tss_is_32bit(tr) || kIoMapBaseOffset + 1 > tr.limit)
    return fail(core, kGp, 0);
  if (!read_tss(core, kIoMapBaseOffset, base)) return false;
  const unsigned at = base + port / 8u;
  if (at + 1 > tr.limit) return fail(core, kGp, 0);
  if (!read_tss(core, at, map)) return false;
  const unsigned first = port % 8u;
  return bits(map, first + size - 1, first) == 0 || fail(core, kGp, 0);
}

bool may_access_port(Core& core, u16 port, unsigned size) {
  const CoreState& state = core.state;
  if (state.real_mode()) return true;
  if (!state.v8086_mode() && state.cpl <= Rflags::IOPL.get(state.rflags_other)) return true;
  return bitmap_allows(core, port, size);
}

void announce(Core& core, const Op& op, bool is_write, u16 port, unsigned size, u64 value) {
  const Probe<BusAccessEvent>& probe = core.environment().shared.probes.bus_access;
  if (probe)
    probe.emit({.stamp = core.stamp(), .space = "port", .is_write = is_write, .address = port,
                .size = size, .value = value, .rip = core.rip_of(op)});
}

template <class T>
T read_port(Core& core, const Op& op, u16 port) {
  note_io_breakpoint(core, port, sizeof(T));
  const u64 value = core.environment().bus.port_in(port, sizeof(T), core.time_at(op));
  announce(core, op, false, port, sizeof(T), value);
  return static_cast<T>(value);
}
template <class T>
void write_port(Core& core, const Op& op, u16 port, T value) {
  note_io_breakpoint(core, port, sizeof(T));
  core.environment().bus.port_out(port, sizeof(T), value, core.time_at(op));
  announce(core, op, true, port, sizeof(T), value);
}

// Behind the checks of privilege, before anything else.
bool port_access_exits(Core& core, const Op& op, const vmx::IoAccess& access) {
  if (!core.state.view.non_root) return false;
  CoreMemory memory(core);
  const std::optional<u64> qualification = vmx::io_exit(core.vmx.vmcs, access, memory);
  if (!qualification) return false;
  exit_by_instruction(core, op, vmx::ExitReason::kIoInstruction, *qualification);
  return true;
}

// ---- IN, OUT: the port is DX or an immediate

u16 port_in_dx(const Core& core, const Op&) { return static_cast<u16>(core.state.gpr[kRdx]); }
u16 immediate_port(const Core&, const Op& op) { return static_cast<u8>(op.imm); }

template <class T, u16 (*port_of)(const Core&, const Op&)>
Outcome in(Core& core, const Op& op) {
  const u16 port = port_of(core, op);
  if (!may_access_port(core, port, sizeof(T)) ||
      port_access_exits(core, op, {.port = port, .size = sizeof(T), .in = true,
                                   .immediate = port_of == immediate_port}))
    return Outcome::kFault;
  set_gpr<T>(core, gpr_offset(kRax), read_port<T>(core, op, port));
  return Outcome::kNext;
}

template <class T, u16 (*port_of)(const Core&, const Op&)>
Outcome out(Core& core, const Op& op) {
  const u16 port = port_of(core, op);
  if (!may_access_port(core, port, sizeof(T)) ||
      port_access_exits(core, op, {.port = port, .size = sizeof(T),
                                   .immediate = port_of == immediate_port}))
    return Outcome::kFault;
  write_port<T>(core, op, port, get_gpr<T>(core, gpr_offset(kRax)));
  return Outcome::kNext;
}

template <u16 (*port_of)(const Core&, const Op&)>
Handler choose_in(unsigned bits) {
  switch (bits) {
    case 8: return &run_and_synchronize<in<u8, port_of>>;
    case 16: return &run_and_synchronize<in<u16, port_of>>;
    default: return &run_and_synchronize<in<u32, port_of>>;
  }
}
template <u16 (*port_of)(const Core&, const Op&)>
Handler choose_out(unsigned bits) {
  switch (bits) {
    case 8: return &run_and_synchronize<out<u8, port_of>>;
    case 16: return &run_and_synchronize<out<u16, port_of>>;
    default: return &run_and_synchronize<out<u32, port_of>>;
  }
}

Handler bind_in(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const unsigned bits = binding.in.operand[0].size;
  return binding.in.is_immediate(1) ? choose_in<immediate_port>(bits) : choose_in<port_in_dx>(bits);
}
Handler bind_out(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  const unsigned bits = binding.in.operand[1].size;
  return binding.in.is_immediate(0) ? choose_out<immediate_port>(bits)
                                    : choose_out<port_in_dx>(bits);
}

// ---- INS, OUTS. op.imm: 1 with a REP prefix; op.mem: segment and address size.

// RDI, RSI, RCX by address size.
u64 counted(const Core& core, const Op& op, GprName name) {
  return truncate(core.state.gpr[name], op.mem.address_size_log2());
}
void step(Core& core, const Op& op, GprName name, u64 by) {
  u64& reg = core.state.gpr[name];
  switch (op.mem.address_size_log2()) {
    case 1: reg = Field{15, 0}.put(reg, reg + by); break;
    case 2: reg = (reg + by) & low_mask(32); break;
    default: reg += by; break;
  }
}

template <class T>
u64 stride(const Core& core) {
  const bool down = Reg<Rflags>(core.state.rflags_other)[Rflags::DF];
  return down ? u64{0} - sizeof(T) : u64{sizeof(T)};
}

// The destination is checked before the port is read: the value would be lost.
template <class T>
bool input_once(Core& core, const Op& op, u16 port) {
  u64 lin;
  if (!segment_to_linear(core, kEs, counted(core, op, kRdi), sizeof(T), Intent::kWrite, lin) ||
      !core.probe_write(op, lin, sizeof(T)))
    return false;
  if (!store_linear(core, op, lin, read_port<T>(core, op, port))) return false;
  step(core, op, kRdi, stride<T>(core));
  return true;
}

template <class T>
bool output_once(Core& core, const Op& op, u16 port) {
  T value;
  if (!load_at(core, op, op.mem.segment(), counted(core, op, kRsi), value)) return false;
  write_port<T>(core, op, port, value);
  step(core, op, kRsi, stride<T>(core));
  return true;
}

// The exit tells the linear address of the memory operand too.
bool string_access_exits(Core& core, const Op& op, u16 port, unsigned size, bool in) {
  const vmx::IoAccess access{.port = port, .size = size, .in = in, .string = true,
                             .rep = op.imm != 0};
  if (!port_access_exits(core, op, access)) return false;
  const u8 segment = in ? u8{kEs} : op.mem.segment();
  const bool flat = core.state.mode64() && segment != kFs && segment != kGs;
  const u64 base = flat ? 0 : core.state.seg[segment].base;
  core.exit.guest_linear = base + counted(core, op, in ? kRdi : kRsi);
  core.exit.writes_linear = true;
  core.exit.instruction_information = instruction_information(op, Intercept::kStringIo, 0);
  return true;
}

template <class T, bool (*once)(Core&, const Op&, u16)>
Outcome string_io(Core& core, const Op& op) {
  CoreState& state = core.state;
  const bool repeats = op.imm != 0;
  const u16 port = static_cast<u16>(state.gpr[kRdx]);
  if (repeats && counted(core, op, kRcx) == 0) return Outcome::kNext;
  if (!may_access_port(core, port, sizeof(T)) ||
      string_access_exits(core, op, port, sizeof(T), once == input_once<T>) ||
      !once(core, op, port))
    return Outcome::kFault;
  if (!repeats) return Outcome::kNext;
  step(core, op, kRcx, ~u64{0});
  if (counted(core, op, kRcx) == 0) {
    state.rflags_other &= ~Rflags::RF.mask();
    return Outcome::kNext;
  }
  // An interrupt between two iterations saves RF set.
  state.rflags_other |= Rflags::RF.mask();
  state.rip = core.rip_of(op);
  return Outcome::kJump;
}

template <class T, bool (*once)(Core&, const Op&, u16), unsigned memory_operand>
Handler bind_string_io(const Binding& binding, Op& op) {
  bind_memory(binding, memory_operand, op);
  op.imm = binding.in.rep() || binding.in.repne();
  return &run_and_synchronize<string_io<T, once>>;
}

template <class T>
constexpr Binder kInput = bind_string_io<T, input_once<T>, 0>;
template <class T>
constexpr Binder kOutput = bind_string_io<T, output_once<T>, 1>;

constexpr InstructionRow port_row(Mnemonic mnemonic, Binder bind, Intercept intercept) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kInHandler,
          .intercept = intercept, .when = When::kInHandler,
          .timing = Timing::kSystem, .flow = Flow::kSynchronize};
}

constexpr InstructionRow kRows[] = {
    port_row(ZYDIS_MNEMONIC_IN, bind_in, Intercept::kIo),
    port_row(ZYDIS_MNEMONIC_OUT, bind_out, Intercept::kIo),
    port_row(ZYDIS_MNEMONIC_INSB, kInput<u8>, Intercept::kStringIo),
    port_row(ZYDIS_MNEMONIC_INSW, kInput<u16>, Intercept::kStringIo),
    port_row(ZYDIS_MNEMONIC_INSD, kInput<u32>, Intercept::kStringIo),
    port_row(ZYDIS_MNEMONIC_OUTSB, kOutput<u8>, Intercept::kStringIo),
    port_row(ZYDIS_MNEMONIC_OUTSW, kOutput<u16>, Intercept::kStringIo),
    port_row(ZYDIS_MNEMONIC_OUTSD, kOutput<u32>, Intercept::kStringIo),
};

}  // namespace

Rows io_rows() { return kRows; }

}  // namespace vtsim::cpu
