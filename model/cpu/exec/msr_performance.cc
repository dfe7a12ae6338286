// Performance counters, last-branch records, debug control. SDM 3B "Performance Monitoring",
// "Last Branch, Interrupt, and Exception Recording".
//
// What counts: instructions, cycles and reference cycles, at all privilege levels that the control
// enables together (a counter for user mode only counts supervisor mode too); other events stay 0.
// Overflows are seen in the status register, they send no interrupt. Branches are not recorded.

#include "model/cpu/exec/msr_fields.h"

namespace vtsim::cpu {

namespace {

// ---- CPUID leaf 0AH, as the preset gives it

struct Shape {
  unsigned version = 0;
  unsigned general = 0, general_width = 0;
  unsigned fixed = 0, fixed_width = 0;
};

Shape shape_of(const Core& core) {
  constexpr u32 kLeaf = 0xA;
  Shape shape;
  for (const CpuidRow& row : core.model().raw_leaves) {
    if (row.leaf != kLeaf) continue;
    shape.version = static_cast<unsigned>(bits(row.eax, 7, 0));
    shape.general = static_cast<unsigned>(bits(row.eax, 15, 8));
    shape.general_width = static_cast<unsigned>(bits(row.eax, 23, 16));
    if (shape.version >= 2) {
      shape.fixed = static_cast<unsigned>(bits(row.edx, 4, 0));
      shape.fixed_width = static_cast<unsigned>(bits(row.edx, 12, 5));
    }
  }
  if (shape.general > PerformanceState::kMaxGeneral) shape.general = PerformanceState::kMaxGeneral;
  if (shape.fixed > PerformanceState::kMaxFixed) shape.fixed = PerformanceState::kMaxFixed;
  return shape;
}

bool general_exists(const Core& core, u32 n) { return n < shape_of(core).general; }
bool fixed_exists(const Core& core, u32 n) { return n < shape_of(core).fixed; }
bool has_global_control(const Core& core, u32) { return shape_of(core).version >= 2; }
bool has_version_4(const Core& core, u32) { return shape_of(core).version >= 4; }

// ---- counting

struct Sources {
  u64 instructions, cycles, reference;
};

constexpr Field kEvent{7, 0}, kUnitMask{15, 8};
constexpr Flag kUser{16}, kSystem{17}, kEnable{22};
constexpr u64 kEventSelectWritable = Field{22, 0}.mask() & ~Flag{21}.mask();
constexpr u64 kThreadAndMask = Flag{21}.mask() | Field{31, 23}.mask();

enum ArchitecturalEvent : u64 { kUnhaltedCycles = 0x3C, kInstructionsRetired = 0xC0 };

u64 counted_by_event(u64 select, const Sources& since) {
  const bool enabled = (select & kEnable.mask()) != 0 &&
                       (select & (kUser.mask() | kSystem.mask())) != 0;
  if (!enabled) return 0;
  const u64 unit = kUnitMask.get(select);
  if (kEvent.get(select) == kInstructionsRetired && unit == 0) return since.instructions;
  if (kEvent.get(select) == kUnhaltedCycles && unit == 0) return since.cycles;
  if (kEvent.get(select) == kUnhaltedCycles && unit == 1) return since.reference;
  return 0;
}

u64 counted_by_fixed(u64 control, unsigned n, const Sources& since) {
  const u64 rings = bits(control, 4 * n + 1, 4 * n);
  if (rings == 0) return 0;
  return n == 0 ? since.instructions : n == 1 ? since.cycles : n == 2 ? since.reference : 0;
}

// Counts on; a carry out of the counter sets its bit in the status.
void advance(PerformanceState& state, u64& counter, u64 by, unsigned width, unsigned status_bit) {
  const u64 sum = counter + by;
  if ((sum & ~low_mask(width)) != 0) state.global_status |= Flag{status_bit}.mask();
  counter = sum & low_mask(width);
}

// Brings all counters up to the access's time.
PerformanceState& counters_now(const MsrAccess& access) {
  PerformanceState& state = access.core.msr.performance;
  const Shape shape = shape_of(access.core);
  const u64 instructions =
      access.core.instructions() + (access.cycles - access.core.cycle());
  const Sources since{instructions - state.instructions_then, access.cycles - state.cycles_then,
                      access.tsc - state.reference_then};
  state.instructions_then = instructions;
  state.cycles_then = access.cycles;
  state.reference_then = access.tsc;
  const u64 enabled = shape.version >= 2 ? state.global_control : ~u64{0};
  for (unsigned n = 0; n < shape.general; ++n)
    if (bit(enabled, n))
      advance(state, state.general[n], counted_by_event(state.event_select[n], since),
              shape.general_width, n);
  for (unsigned n = 0; n < shape.fixed; ++n)
    if (bit(enabled, 32 + n))
      advance(state, state.fixed[n], counted_by_fixed(state.fixed_control, n, since),
              shape.fixed_width, 32 + n);
  return state;
}

bool read_general(const MsrAccess& access, u64& value) {
  value = counters_now(access).general[access.offset()];
  return true;
}
// Writes give the low 32 bits and their sign. SDM 3B "Full-Width Writes to Performance Counter
// Registers" has the alternative, which is not offered.
bool write_general(const MsrAccess& access, u64 value) {
  const u64 extended = static_cast<u64>(sign_extend(value, 32));
  counters_now(access).general[access.offset()] =
      extended & low_mask(shape_of(access.core).general_width);
  return true;
}
bool read_fixed(const MsrAccess& access, u64& value) {
  value = counters_now(access).fixed[access.offset()];
  return true;
}
bool write_fixed(const MsrAccess& access, u64 value) {
  const u64 mask = low_mask(shape_of(access.core).fixed_width);
  if ((value & ~mask) != 0) return false;
  counters_now(access).fixed[access.offset()] = value;
  return true;
}

bool read_event_select(const MsrAccess& access, u64& value) {
  value = access.core.msr.performance.event_select[access.offset()];
  return true;
}
bool write_event_select(const MsrAccess& access, u64 value) {
  if ((value & ~(kEventSelectWritable | kThreadAndMask)) != 0) return false;
  counters_now(access).event_select[access.offset()] = value;
  return true;
}

u64 global_mask(const Core& core) {
  const Shape shape = shape_of(core);
  return low_mask(shape.general) | low_mask(shape.fixed) << 32;
}

template <u64 PerformanceState::*field>
bool read_performance(const MsrAccess& access, u64& value) {
  value = counters_now(access).*field;
  return true;
}
bool write_fixed_control(const MsrAccess& access, u64 value) {
  if ((value & ~low_mask(4 * shape_of(access.core).fixed)) != 0) return false;
  counters_now(access).fixed_control = value;
  return true;
}
bool write_global_control(const MsrAccess& access, u64 value) {
  if ((value & ~global_mask(access.core)) != 0) return false;
  counters_now(access).global_control = value;
  return true;
}
// Overflow bits of the buffers and of freezing have nothing behind them, but may be cleared.
constexpr u64 kOtherStatus = Field{63, 61}.mask() | Field{59, 58}.mask() | Flag{55}.mask();
bool clear_global_status(const MsrAccess& access, u64 value) {
  if ((value & ~(global_mask(access.core) | kOtherStatus)) != 0) return false;
  counters_now(access).global_status &= ~value;
  return true;
}
bool set_global_status(const MsrAccess& access, u64 value) {
  if ((value & ~(global_mask(access.core) | kOtherStatus)) != 0) return false;
  counters_now(access).global_status |= value;
  return true;
}
bool read_in_use(const MsrAccess& access, u64& value) {
  const PerformanceState& state = access.core.msr.performance;
  value = 0;
  for (unsigned n = 0; n < PerformanceState::kMaxGeneral; ++n)
    if (kEvent.get(state.event_select[n]) != 0) value |= Flag{n}.mask();
  for (unsigned n = 0; n < PerformanceState::kMaxFixed; ++n)
    if (bits(state.fixed_control, 4 * n + 1, 4 * n) != 0) value |= Flag{32 + n}.mask();
  return true;
}

// Cycles in which the core was not held up: every one in which it executed an instruction.
bool has_productive_count(const Core& core, u32) {
  constexpr u32 kSkylakeModel = 0x4E;
  return core.model().model >= kSkylakeModel;
}
bool read_productive_count(const MsrAccess& access, u64& value) {
  value = access.core.instructions() + (access.cycles - access.core.cycle());
  return true;
}

// ---- last branches, debug control

constexpr u32 kPenrynModel = 0x17;
bool is_core2(const Core& core) { return core.model().model <= kPenrynModel; }
unsigned branch_records(const Core& core) {
  constexpr u32 kFirstWith32 = 0x4E;  // Skylake
  return core.model().model >= kFirstWith32 ? 32 : 16;
}
bool has_branch(const Core& core, u32 n) { return !is_core2(core) && n < branch_records(core); }
bool has_branch_info(const Core& core, u32 n) { return n < branch_records(core) && branch_records(core) == 32; }
bool has_core2_branch(const Core& core, u32) { return is_core2(core); }
bool after_core2(const Core& core, u32) { return !is_core2(core); }

bool write_tos(const MsrAccess&, u64) { return false; }

}  // namespace

u64 supported_debugctl(const Core& core) {
  constexpr Flag kFreezeLbrs{11}, kFreezePerfmon{12}, kFreezeInSmm{14};
  u64 supported = DebugCtl::LBR.mask() | DebugCtl::BTF.mask();
  if (shape_of(core).version >= 2)
    supported |= kFreezeLbrs.mask() | kFreezePerfmon.mask() | kFreezeInSmm.mask();
  return supported;
}

u64 supported_perf_global_ctrl(const Core& core) {
  return has_global_control(core, 0) ? global_mask(core) : 0;
}

namespace {

bool write_debugctl(const MsrAccess& access, u64 value) {
  if ((value & ~supported_debugctl(access.core)) != 0) return false;
  access.core.state.debugctl = value;
  return true;
}

template <auto MsrState::*array>
constexpr MsrWrite kWriteAny = write_element<array, ~u64{0}>;

constexpr MsrRegisterRow kRows[] = {
    {0x40, 0x43, "MSR_LASTBRANCH_0_FROM_IP", read_element<&MsrState::lbr_from>,
     kWriteAny<&MsrState::lbr_from>, {}, has_core2_branch},
    {0x60, 0x63, "MSR_LASTBRANCH_0_TO_IP", read_element<&MsrState::lbr_to>,
     kWriteAny<&MsrState::lbr_to>, {}, has_core2_branch},
    {0xC1, 0xC8, "IA32_PMC0", read_general, write_general, {}, general_exists},
    {0x186, 0x18D, "IA32_PERFEVTSEL0", read_event_select, write_event_select, {}, general_exists},
    {0x1A6, 0x1A7, "MSR_OFFCORE_RSP_0", read_element<&MsrState::offcore_response>,
     kWriteAny<&MsrState::offcore_response>, {}, after_core2},
    {0x1C8, 0x1C8, "MSR_LBR_SELECT", read_register<&MsrState::lbr_select>,
     write_register<&MsrState::lbr_select, Field{9, 0}.mask()>, {}, after_core2},
    {0x1C9, 0x1C9, "MSR_LASTBRANCH_TOS", read_register<&MsrState::lbr_tos>, write_tos, {}, nullptr},
    {0x1D9, 0x1D9, "IA32_DEBUGCTL", read_state<&CoreState::debugctl>, write_debugctl, {}, nullptr},
    {0x1DD, 0x1DE, "MSR_LER_FROM_LIP", read_constant<0>, nullptr, {}, nullptr},
    {0x309, 0x30C, "IA32_FIXED_CTR0", read_fixed, write_fixed, {}, fixed_exists},
    {0x38D, 0x38D, "IA32_FIXED_CTR_CTRL", read_performance<&PerformanceState::fixed_control>,
     write_fixed_control, {}, has_global_control},
    {0x38E, 0x38E, "IA32_PERF_GLOBAL_STATUS", read_performance<&PerformanceState::global_status>,
     nullptr, {}, has_global_control},
    {0x38F, 0x38F, "IA32_PERF_GLOBAL_CTRL", read_performance<&PerformanceState::global_control>,
     write_global_control, {}, has_global_control},
    {0x390, 0x390, "IA32_PERF_GLOBAL_STATUS_RESET", read_constant<0>, clear_global_status, {},
     has_global_control},
    {0x391, 0x391, "IA32_PERF_GLOBAL_STATUS_SET", read_constant<0>, set_global_status, {},
     has_version_4},
    {0x392, 0x392, "IA32_PERF_GLOBAL_INUSE", read_in_use, nullptr, {}, has_version_4},
    {0x64E, 0x64E, "MSR_PPERF", read_productive_count, nullptr, {}, has_productive_count},
    {0x680, 0x69F, "MSR_LASTBRANCH_0_FROM_IP", read_element<&MsrState::lbr_from>,
     kWriteAny<&MsrState::lbr_from>, {}, has_branch},
    {0x6C0, 0x6DF, "MSR_LASTBRANCH_0_TO_IP", read_element<&MsrState::lbr_to>,
     kWriteAny<&MsrState::lbr_to>, {}, has_branch},
    {0xDC0, 0xDDF, "MSR_LBR_INFO_0", read_element<&MsrState::lbr_info>,
     kWriteAny<&MsrState::lbr_info>, {}, has_branch_info},
};

}  // namespace

std::span<const MsrRegisterRow> msr_performance_rows() { return kRows; }

void reset_performance(Core& core) {
  const Shape shape = shape_of(core);
  core.msr.performance = {};
  if (shape.version >= 2) core.msr.performance.global_control = low_mask(shape.general);
}

bool read_performance_counter(const MsrAccess& access, u32 selector, u64& value) {
  constexpr Flag kFixed{30};
  constexpr Field kIndex{29, 0};
  const Shape shape = shape_of(access.core);
  const u64 index = kIndex.get(selector);
  const bool fixed = bit(selector, kFixed.position);
  if (bit(selector, 31) || index >= (fixed ? shape.fixed : shape.general)) return false;
  const PerformanceState& state = counters_now(access);
  value = fixed ? state.fixed[index] : state.general[index];
  return true;
}

}  // namespace vtsim::cpu
