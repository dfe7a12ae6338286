#pragma once
// Model-specific registers: one row a register or a range of registers, in exec/msr_*.cc. SDM 4
// "Model-Specific Registers (MSRs)". What a row does not cover is looked for among the preset's own
// registers (CpuModel::msrs); what is nowhere raises #GP, and is reported once by its name where the
// silicon has it (msr_unmodelled.cc).

#include <span>
#include <string_view>

#include "model/cpu/core.h"
#include "model/cpu/features.h"

namespace vtsim::cpu {

struct MsrRegisterRow;

// One access. Lists of MSRs (VMX) make them without an instruction.
struct MsrAccess {
  Core& core;
  u32 index = 0;   // of the register
  Ps now = 0;      // local time
  u64 tsc = 0;     // IA32_TIME_STAMP_COUNTER at that time, in root operation
  u64 cycles = 0;  // the core's cycle counter at that time
  const MsrRegisterRow* row = nullptr;

  u32 offset() const;  // within the row's range
};

MsrAccess msr_access(Core& core, const Op& op, u32 index);

// False: #GP.
using MsrRead = bool (*)(const MsrAccess& access, u64& value);
using MsrWrite = bool (*)(const MsrAccess& access, u64 value);

// Whether the processor has the register at all, beyond `feature`; null: yes.
using MsrPredicate = bool (*)(const Core& core, u32 offset);

struct MsrRegisterRow {
  u32 first;
  u32 last;
  std::string_view name;  // as SDM 4 prints it
  MsrRead read;           // null: write only
  MsrWrite write;         // null: read only
  std::optional<Feature> feature = {};
  MsrPredicate exists = nullptr;
  // Nothing that the run loop looks at depends on it: WRMSR goes on within its block.
  bool quiet = false;
};

inline u32 MsrAccess::offset() const { return index - row->first; }

// False: the access raises #GP(0); nothing has changed.
bool read_msr(MsrAccess access, u64& value);
bool write_msr(MsrAccess access, u64 value);
bool is_quiet_msr(u32 index);
// The row's name, for traces; empty for none.
std::string_view msr_name(u32 index);
std::span<const MsrRegisterRow> all_msr_rows();
// The name of a register that the preset's silicon has and that is not modelled; empty otherwise.
std::string_view unmodelled_msr(const Core& core, u32 index);

// The bits that IA32_EFER, IA32_DEBUGCTL and IA32_PERF_GLOBAL_CTRL have.
u64 supported_efer(const Core& core);
u64 supported_debugctl(const Core& core);
u64 supported_perf_global_ctrl(const Core& core);

// Values after power-on.
void reset_msrs(Core& core);

// CPUID raises #GP above CPL 0: MSR_MISC_FEATURES_ENABLES bit 0.
bool cpuid_faults(const Core& core);

// A value as the running software sees the time-stamp counter.
u64 viewed_tsc(const CoreState& state, u64 tsc);

// The preset's own value of a register, or `otherwise`.
u64 preset_msr(const Core& core, u32 index, u64 otherwise);

// The groups.
std::span<const MsrRegisterRow> msr_system_rows();        // time, APIC, system calls, EFER...
std::span<const MsrRegisterRow> msr_memory_type_rows();   // MTRRs, PAT
std::span<const MsrRegisterRow> msr_machine_check_rows();
std::span<const MsrRegisterRow> msr_performance_rows();   // counters, last branches, debug control
std::span<const MsrRegisterRow> msr_capability_rows();    // capabilities, mitigations, power

void reset_performance(Core& core);
// RDPMC. False: no such counter.
bool read_performance_counter(const MsrAccess& access, u32 selector, u64& value);

}  // namespace vtsim::cpu
