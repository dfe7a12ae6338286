#pragma once
// The records that probes emit. Each declares itself once: its name and category (as --trace takes
// them), and its fields in the order of output; the trace writers and `vtsim list events` read only
// these declarations. To add an event: a record here, a member of Probes, an entry in
// for_each_probe, and a site that emits it.

#include <string_view>

#include "model/base/clock.h"
#include "model/base/probe.h"
#include "model/base/types.h"

namespace vtsim {

// Where in the run something happened. `instruction` counts those that this core has retired.
struct Stamp {
  u32 core = 0;
  Ps time = 0;
  u64 instruction = 0;
};

enum class FieldFormat { kDecimal, kHex, kFlag, kText };

// fields(visit) calls visit(name, value, format, help) for each field.
struct EventInfo {
  std::string_view name;
  std::string_view category;
  std::string_view help;
};

struct ExceptionEvent {
  static constexpr EventInfo kInfo{"exception", "exception", "an exception is delivered"};
  Stamp stamp{};
  u8 vector = 0;
  bool has_error_code = false;
  u32 error_code = 0;
  u64 cs = 0;
  u64 rip = 0;
  u64 cr2 = 0;  // after a page fault

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("vector", u64{vector}, FieldFormat::kDecimal, "exception vector");
    visit("has_error_code", u64{has_error_code}, FieldFormat::kFlag, "it pushes an error code");
    visit("error_code", u64{error_code}, FieldFormat::kHex, "the error code");
    visit("cs", cs, FieldFormat::kHex, "code segment of the faulting instruction");
    visit("rip", rip, FieldFormat::kHex, "the faulting instruction");
    visit("cr2", cr2, FieldFormat::kHex, "CR2");
  }
};

struct InterruptEvent {
  static constexpr EventInfo kInfo{"interrupt", "interrupt",
                                   "an external interrupt, NMI or software interrupt is delivered"};
  Stamp stamp{};
  u8 vector = 0;
  std::string_view source{};  // external, nmi, software
  u64 rip = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("vector", u64{vector}, FieldFormat::kDecimal, "interrupt vector");
    visit("source", source, FieldFormat::kText, "external, nmi or software");
    visit("rip", rip, FieldFormat::kHex, "the interrupted instruction");
  }
};

// An access of a core that leaves it and is not to memory.
struct BusAccessEvent {
  static constexpr EventInfo kInfo{"bus_access", "io",
                                   "a port or memory-mapped register is accessed"};
  Stamp stamp{};
  std::string_view space{};  // port, mmio
  bool is_write = false;
  u64 address = 0;
  u32 size = 0;
  u64 value = 0;
  u64 rip = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("space", space, FieldFormat::kText, "port or mmio");
    visit("write", u64{is_write}, FieldFormat::kFlag, "a write");
    visit("address", address, FieldFormat::kHex, "port number or host-physical address");
    visit("size", u64{size}, FieldFormat::kDecimal, "bytes");
    visit("value", value, FieldFormat::kHex, "what was read or written");
    visit("rip", rip, FieldFormat::kHex, "the instruction");
  }
};

struct MsrAccessEvent {
  static constexpr EventInfo kInfo{"msr_access", "msr", "RDMSR or WRMSR"};
  Stamp stamp{};
  bool is_write = false;
  bool faulted = false;
  u32 index = 0;
  u64 value = 0;
  u64 rip = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("write", u64{is_write}, FieldFormat::kFlag, "a write");
    visit("faulted", u64{faulted}, FieldFormat::kFlag, "it raised #GP");
    visit("index", u64{index}, FieldFormat::kHex, "the register's number");
    visit("value", value, FieldFormat::kHex, "what was read or written");
    visit("rip", rip, FieldFormat::kHex, "the instruction");
  }
};

struct CpuidEvent {
  static constexpr EventInfo kInfo{"cpuid", "cpuid", "CPUID"};
  Stamp stamp{};
  u32 leaf = 0;
  u32 subleaf = 0;
  u32 eax = 0;
  u32 ebx = 0;
  u32 ecx = 0;
  u32 edx = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("leaf", u64{leaf}, FieldFormat::kHex, "EAX on entry");
    visit("subleaf", u64{subleaf}, FieldFormat::kHex, "ECX on entry");
    visit("eax", u64{eax}, FieldFormat::kHex, "result");
    visit("ebx", u64{ebx}, FieldFormat::kHex, "result");
    visit("ecx", u64{ecx}, FieldFormat::kHex, "result");
    visit("edx", u64{edx}, FieldFormat::kHex, "result");
  }
};

struct WalkEvent {
  static constexpr EventInfo kInfo{"walk", "walk", "a page walk ends"};
  Stamp stamp{};
  u64 linear = 0;
  std::string_view access{};  // read, write, fetch
  bool is_user = false;
  bool faulted = false;
  u64 physical = 0;
  u32 page_shift = 0;
  u32 references = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("linear", linear, FieldFormat::kHex, "the linear address");
    visit("access", access, FieldFormat::kText, "read, write or fetch");
    visit("user", u64{is_user}, FieldFormat::kFlag, "a user-mode access");
    visit("faulted", u64{faulted}, FieldFormat::kFlag, "it ended in a fault");
    visit("physical", physical, FieldFormat::kHex, "the page's physical address");
    visit("page_shift", u64{page_shift}, FieldFormat::kDecimal, "12, 21, 22 or 30");
    visit("references", u64{references}, FieldFormat::kDecimal, "entries read");
  }
};

struct TlbFlushEvent {
  static constexpr EventInfo kInfo{"tlb_flush", "tlb", "translations are invalidated"};
  Stamp stamp{};
  std::string_view cause{};  // invlpg, invpcid, mov_cr3, mov_cr0, mov_cr4, ...
  u64 operand = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("cause", cause, FieldFormat::kText, "what invalidated them");
    visit("operand", operand, FieldFormat::kHex, "linear address or new register value");
  }
};

// A core is reset, started, halted, woken or shut down.
struct CoreStateEvent {
  static constexpr EventInfo kInfo{"core_state", "power", "a core changes its activity"};
  Stamp stamp{};
  std::string_view state{};  // reset, init, sipi, halt, wake, shutdown
  u64 detail = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("state", state, FieldFormat::kText, "reset, init, sipi, halt, wake or shutdown");
    visit("detail", detail, FieldFormat::kHex, "SIPI vector");
  }
};

// The long NOP by which a guest talks to the simulator.
struct MarkerEvent {
  static constexpr EventInfo kInfo{"marker", "marker", "the guest executes a marker"};
  Stamp stamp{};
  u32 code = 0;
  u64 rax = 0;
  u64 rdx = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("code", u64{code}, FieldFormat::kDecimal, "the marker's code");
    visit("rax", rax, FieldFormat::kHex, "first argument");
    visit("rdx", rdx, FieldFormat::kHex, "second argument");
  }
};

// VMX non-root operation begins.
struct VmEntryEvent {
  static constexpr EventInfo kInfo{"vm_entry", "vmx", "a VM entry"};
  Stamp stamp{};
  bool is_launch = false;
  u64 vmcs = 0;
  u64 injected = 0;
  u64 rip = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("launch", is_launch, FieldFormat::kDecimal, "1 VMLAUNCH, 0 VMRESUME");
    visit("vmcs", vmcs, FieldFormat::kHex, "the current-VMCS pointer");
    visit("injected", injected, FieldFormat::kHex, "VM-entry interruption information");
    visit("rip", rip, FieldFormat::kHex, "the guest's first instruction");
  }
};

// A VM entry that fails, and which rule it broke.
struct VmEntryFailureEvent {
  static constexpr EventInfo kInfo{"vm_entry_failure", "vmx", "a VM entry fails a check"};
  Stamp stamp{};
  std::string_view section{};
  std::string_view rule{};
  std::string_view field{};
  u64 value = 0;
  u64 bits = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("section", section, FieldFormat::kText, "the manual's section");
    visit("rule", rule, FieldFormat::kText, "what must hold");
    visit("field", field, FieldFormat::kText, "the VMCS field at fault");
    visit("value", value, FieldFormat::kHex, "its value");
    visit("bits", bits, FieldFormat::kHex, "the bits at fault");
  }
};

// VMX non-root operation ends.
struct VmExitEvent {
  static constexpr EventInfo kInfo{"vm_exit", "vmx", "a VM exit"};
  Stamp stamp{};
  u32 number = 0;
  std::string_view reason{};
  u64 qualification = 0;
  u64 interruption_info = 0;
  u64 vectoring_info = 0;
  u64 guest_physical = 0;
  bool entry_failed = false;
  u64 rip = 0;

  template <class Visit>
  void fields(Visit&& visit) const {
    visit("number", u64{number}, FieldFormat::kDecimal, "the basic exit reason");
    visit("reason", reason, FieldFormat::kText, "its name");
    visit("qualification", qualification, FieldFormat::kHex, "the exit qualification");
    visit("interruption", interruption_info, FieldFormat::kHex, "VM-exit interruption information");
    visit("vectoring", vectoring_info, FieldFormat::kHex, "IDT-vectoring information");
    visit("guest_physical", guest_physical, FieldFormat::kHex, "the guest-physical address");
    visit("entry_failed", entry_failed, FieldFormat::kDecimal, "1: a VM entry that failed late");
    visit("rip", rip, FieldFormat::kHex, "the guest's instruction");
  }
};

// All probes of a machine; whoever emits or subscribes is handed a reference.
struct Probes {
  Probe<ExceptionEvent> exception;
  Probe<InterruptEvent> interrupt;
  Probe<BusAccessEvent> bus_access;
  Probe<MsrAccessEvent> msr_access;
  Probe<CpuidEvent> cpuid;
  Probe<WalkEvent> walk;
  Probe<TlbFlushEvent> tlb_flush;
  Probe<CoreStateEvent> core_state;
  Probe<MarkerEvent> marker;
  Probe<VmEntryEvent> vm_entry;
  Probe<VmEntryFailureEvent> vm_entry_failure;
  Probe<VmExitEvent> vm_exit;
};

template <class Visit>
void for_each_probe(Probes& probes, Visit&& visit) {
  visit(probes.exception);
  visit(probes.interrupt);
  visit(probes.bus_access);
  visit(probes.msr_access);
  visit(probes.cpuid);
  visit(probes.walk);
  visit(probes.tlb_flush);
  visit(probes.core_state);
  visit(probes.marker);
  visit(probes.vm_entry);
  visit(probes.vm_entry_failure);
  visit(probes.vm_exit);
}

}  // namespace vtsim
