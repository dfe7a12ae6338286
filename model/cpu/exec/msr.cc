#include "model/cpu/exec/msr.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/cpuid.h"
#include "model/cpu/exec/groups.h"
#include "model/cpu/exec/msr_fields.h"
#include "model/cpu/exec/vmx.h"

namespace vtsim::cpu {

namespace {

struct MsrTable {
  std::vector<MsrRegisterRow> rows;

  MsrTable() {
    for (const auto group : {msr_system_rows(), msr_memory_type_rows(), msr_machine_check_rows(),
                             msr_performance_rows(), msr_capability_rows()})
      rows.insert(rows.end(), group.begin(), group.end());
    std::ranges::sort(rows, {}, &MsrRegisterRow::first);
  }

  const MsrRegisterRow* find(u32 index) const {
    auto after = std::ranges::upper_bound(rows, index, {}, &MsrRegisterRow::first);
    if (after == rows.begin()) return nullptr;
    const MsrRegisterRow& row = *--after;
    return index <= row.last ? &row : nullptr;
  }
};

const MsrTable& table() {
  static const MsrTable built;
  return built;
}

const MsrRegisterRow* existing_row(const Core& core, u32 index) {
  const MsrRegisterRow* row = table().find(index);
  if (row == nullptr) return nullptr;
  if (row->feature && !offers(core, *row->feature)) return nullptr;
  return row->exists == nullptr || row->exists(core, index - row->first) ? row : nullptr;
}

// ---- the preset's own registers

std::optional<std::size_t> preset_position(const Core& core, u32 index) {
  const std::vector<MsrRow>& rows = core.model().msrs;
  for (std::size_t n = 0; n < rows.size(); ++n)
    if (rows[n].index == index) return n;
  return std::nullopt;
}

bool read_preset(const Core& core, u32 index, u64& value) {
  if (const auto position = preset_position(core, index)) {
    value = core.msr.preset[*position];
    return true;
  }
  return core.environment().shared.vmx_capabilities.read(index, value);
}

bool write_preset(Core& core, u32 index, u64 value) {
  const auto position = preset_position(core, index);
  if (!position) return false;
  u64& held = core.msr.preset[*position];
  if (((held ^ value) & ~core.model().msrs[*position].writable) != 0) return false;
  held = value;
  return true;
}

void report_unknown(Core& core, u32 index) {
  const std::string_view name = unmodelled_msr(core, index);
  if (name.empty()) return;
  core.environment().observer.on_unmodelled(core, fmt::format("MSR {:#x}, {}", index, name));
}

}  // namespace

u64 preset_msr(const Core& core, u32 index, u64 otherwise) {
  const auto position = preset_position(core, index);
  return position ? core.msr.preset[*position] : otherwise;
}

MsrAccess msr_access(Core& core, const Op& op, u32 index) {
  return {.core = core,
          .index = index,
          .now = core.time_at(op),
          .tsc = core.tsc_at(op),
          .cycles = core.cycles_at(op)};
}

bool read_msr(MsrAccess access, u64& value) {
  access.row = existing_row(access.core, access.index);
  if (access.row != nullptr) {
    if (access.row->read != nullptr) return access.row->read(access, value);
    return false;
  }
  if (read_preset(access.core, access.index, value)) return true;
  report_unknown(access.core, access.index);
  return false;
}

bool write_msr(MsrAccess access, u64 value) {
  access.row = existing_row(access.core, access.index);
  if (access.row != nullptr) {
    if (access.row->write != nullptr) return access.row->write(access, value);
    return false;
  }
  if (write_preset(access.core, access.index, value)) return true;
  report_unknown(access.core, access.index);
  return false;
}

bool is_quiet_msr(u32 index) {
  const MsrRegisterRow* row = table().find(index);
  return row != nullptr && row->quiet;
}

std::string_view msr_name(u32 index) {
  const MsrRegisterRow* row = table().find(index);
  return row == nullptr ? std::string_view() : row->name;
}

std::span<const MsrRegisterRow> all_msr_rows() { return table().rows; }

void reset_msrs(Core& core) {
  core.msr = MsrState{};
  for (const MsrRow& row : core.model().msrs) core.msr.preset.push_back(row.reset);
  constexpr u64 kMiscEnableDefault = MiscEnable::FastStrings.mask() | MiscEnable::Monitor.mask();
  core.msr.misc_enable = preset_msr(core, MiscEnable::kMsr, kMiscEnableDefault);
  reset_performance(core);
}

bool cpuid_faults(const Core& core) {
  constexpr Flag kCpuidFaulting{0};
  return (core.msr.misc_features_enables & kCpuidFaulting.mask()) != 0 && core.state.cpl > 0 &&
         !core.state.in_smm;
}

// SDM 3C "Time-Stamp Counter Offsetting", "TSC scaling": neutral in root operation.
u64 viewed_tsc(const CoreState& state, u64 tsc) {
  constexpr unsigned kFractionBits = 48;
  const u128 scaled = static_cast<u128>(tsc) * state.view.tsc_multiplier;
  return static_cast<u64>(scaled >> kFractionBits) + state.view.tsc_offset;
}

// ---- instructions. SDM 2B "RDMSR", "RDPID", "RDPMC", "RDTSC", "RDTSCP", 2D "WRMSR".

namespace {

void set_edx_eax(CoreState& state, u64 value) {
  state.gpr[kRax] = bits(value, 31, 0);
  state.gpr[kRdx] = bits(value, 63, 32);
}

void announce(Core& core, const Op& op, bool is_write, bool ok, u64 value) {
  const Probe<MsrAccessEvent>& probe = core.environment().shared.probes.msr_access;
  if (probe)
    probe.emit({.stamp = core.stamp(), .is_write = is_write, .faulted = !ok,
                .index = static_cast<u32>(core.state.gpr[kRcx]), .value = value,
                .rip = core.rip_of(op)});
}

Outcome rdmsr(Core& core, const Op& op) {
  u64 value = 0;
  const bool ok = read_msr(msr_access(core, op, static_cast<u32>(core.state.gpr[kRcx])), value);
  announce(core, op, false, ok, value);
  if (!ok) return core.raise(kGp, 0);
  set_edx_eax(core.state, value);
  return Outcome::kNext;
}

Outcome write_by_instruction(Core& core, const Op& op) {
  const CoreState& state = core.state;
  const u64 value = state.gpr[kRdx] << 32 | bits(state.gpr[kRax], 31, 0);
  const bool ok = write_msr(msr_access(core, op, static_cast<u32>(state.gpr[kRcx])), value);
  announce(core, op, true, ok, value);
  return ok ? Outcome::kNext : core.raise(kGp, 0);
}

Next wrmsr(Core* core, const Op* op) {
  const bool quiet = is_quiet_msr(static_cast<u32>(core->state.gpr[kRcx]));
  if (write_by_instruction(*core, *op) == Outcome::kFault) return leave_on_fault(core, op);
  if (!quiet) return leave_synchronized(core, op);
  VTSIM_DISPATCH(core, op + 1);
}

Handler bind_wrmsr(const Binding&, Op&) { return &wrmsr; }

bool time_stamp_is_disabled(const CoreState& state) {
  return state.cr4[Cr4::TSD] && state.cpl > 0;
}

// The counters of all cores are one clock: what a core reads is never less than what another has read
// before. SDM 3B "Invariant TSC".
Outcome rdtsc(Core& core, const Op& op) {
  if (time_stamp_is_disabled(core.state)) return core.raise(kGp, 0);
  if (intercepted(core, op, Intercept::kRdtsc)) return Outcome::kFault;
  if (core.must_take_turns(op)) return core.request_turn();
  set_edx_eax(core.state, viewed_tsc(core.state, core.tsc_at(op)));
  return Outcome::kNext;
}

Outcome rdtscp(Core& core, const Op& op) {
  if (undefined_in_non_root(core, Intercept::kRdtscp)) return core.raise(kUd);
  if (time_stamp_is_disabled(core.state)) return core.raise(kGp, 0);
  if (intercepted(core, op, Intercept::kRdtscp)) return Outcome::kFault;
  if (core.must_take_turns(op)) return core.request_turn();
  set_edx_eax(core.state, viewed_tsc(core.state, core.tsc_at(op)));
  core.state.gpr[kRcx] = bits(core.state.tsc_aux, 31, 0);
  return Outcome::kNext;
}

template <class T>
Outcome rdpid(Core& core, const Op& op) {
  // SDM 3C: enabled by the same control as RDTSCP.
  if (undefined_in_non_root(core, Intercept::kRdtscp)) return core.raise(kUd);
  set_gpr<T>(core, op.dst, static_cast<T>(core.state.tsc_aux));
  return Outcome::kNext;
}

Handler bind_rdpid(const Binding& binding, Op& op) {
  bind_operands(binding, op);
  return binding.code_size == CodeSize::k64 ? &run<rdpid<u64>> : &run<rdpid<u32>>;
}

Outcome rdpmc(Core& core, const Op& op) {
  CoreState& state = core.state;
  if (!state.cr4[Cr4::PCE] && state.cpl > 0) return core.raise(kGp, 0);
  if (intercepted(core, op, Intercept::kRdpmc)) return Outcome::kFault;
  const u32 selector = static_cast<u32>(state.gpr[kRcx]);
  u64 value;
  if (!read_performance_counter(msr_access(core, op, selector), selector, value))
    return core.raise(kGp, 0);
  set_edx_eax(state, value);
  return Outcome::kNext;
}

constexpr InstructionRow counter_row(Mnemonic mnemonic, Binder bind, Intercept intercept) {
  return {.mnemonic = mnemonic, .bind = bind, .privilege = Privilege::kInHandler,
          .intercept = intercept, .when = When::kInHandler, .timing = Timing::kSystem};
}

constexpr InstructionRow kRows[] = {
    {.mnemonic = ZYDIS_MNEMONIC_RDMSR, .bind = plain<rdmsr>, .privilege = Privilege::kCpl0,
     .intercept = Intercept::kRdmsr, .when = When::kAfterPrivilege, .timing = Timing::kSystem},
    {.mnemonic = ZYDIS_MNEMONIC_WRMSR, .bind = bind_wrmsr, .privilege = Privilege::kCpl0,
     .intercept = Intercept::kWrmsr, .when = When::kAfterPrivilege,
     .timing = Timing::kSerializing},
    counter_row(ZYDIS_MNEMONIC_RDTSC, plain<rdtsc>, Intercept::kRdtsc),
    counter_row(ZYDIS_MNEMONIC_RDTSCP, plain<rdtscp>, Intercept::kRdtscp),
    counter_row(ZYDIS_MNEMONIC_RDPMC, plain<rdpmc>, Intercept::kRdpmc),
    {.mnemonic = ZYDIS_MNEMONIC_RDPID, .bind = bind_rdpid, .timing = Timing::kSystem},
};

}  // namespace

Rows msr_rows() { return kRows; }

}  // namespace vtsim::cpu
