#pragma once
// What VM entry checks before it loads anything: one rule a row, in the manual's order. SDM 3C "VM
// Entries": "Checks on VMX Controls and Host-State Area", "Checking ... the Guest-State Area". The
// first rule that fails decides; which one it was, with the field and the bits at fault, is what a
// hypervisor's author wants to know where silicon says "7".

#include <optional>
#include <span>
#include <string_view>

#include "model/vmx/capabilities.h"
#include "model/vmx/host_memory.h"

namespace vtsim::vmx {

// What a failing rule leads to.
enum class EntryPhase : u8 {
  kControls,    // VMfailValid(7)
  kHostState,   // VMfailValid(8)
  kGuestState,  // VM exit InvalidGuestState with the rule's qualification
};

// All that the rules look at.
struct EntryContext {
  const Vmcs& vmcs;
  const Capabilities& capabilities;
  HostMemory& memory;            // the region of the VMCS link pointer, PDPTEs
  u64 current_vmcs = 0;          // the current-VMCS pointer
  unsigned physical_width = 46;  // MAXPHYADDR
  unsigned linear_width = 48;    // of the processor: 57 with 5-level paging
  bool ia32e_host = true;        // IA32_EFER.LMA at the entry
  bool in_smm = false;
  u64 efer_bits = 0;             // bits that IA32_EFER has
  u64 debugctl_bits = 0;         // bits that IA32_DEBUGCTL has
  u64 perf_global_bits = 0;      // bits that IA32_PERF_GLOBAL_CTRL has
  bool rtm = false;              // CPUID.07H:EBX.RTM
  bool sgx = false;              // CPUID.07H:EBX.SGX
};

struct Violation {
  VmcsField field;
  u64 value = 0;  // of the field
  u64 bits = 0;   // those at fault; all of them where the value as a whole is wrong
};

struct EntryRule {
  EntryPhase phase;
  std::string_view section;  // title of the manual's section
  std::string_view text;     // the rule in a sentence: what must hold
  std::optional<Violation> (*check)(const EntryContext&);
  u64 qualification = 0;     // kGuestState: 0, 2 (PDPTEs), 3 (NMI), 4 (link pointer)
};

// All rules, controls first. A rule may rely on those before it.
std::span<const EntryRule> entry_rules();

struct EntryReport {
  const EntryRule* rule;
  Violation violation;
};

// The first rule of a phase that fails.
std::optional<EntryReport> check_entry(const EntryContext& context, EntryPhase phase);

}  // namespace vtsim::vmx
