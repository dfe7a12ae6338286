#include "sim/machine/boot_state.h"

#include "model/base/check.h"
#include "model/cpu/apic/local_apic.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/msr.h"

namespace vtsim::machine {

namespace {

cpu::SegmentRegister segment(const loader::SegmentValue& value) {
  return {.selector = value.selector,
          .rights = Reg<cpu::SegmentRights>(value.access.value),
          .limit = value.limit,
          .base = value.base};
}

}  // namespace

void apply_entry_state(cpu::Core& core, const loader::EntryState& entry) {
  cpu::CoreState& state = core.state;
  for (unsigned n = 0; n < entry.gpr.size(); ++n) state.gpr[n] = entry.gpr[n];
  state.rip = entry.rip;
  cpu::write_rflags(state, entry.rflags);
  state.seg[cpu::kCs] = segment(entry.cs);
  state.seg[cpu::kSs] = segment(entry.ss);
  state.seg[cpu::kDs] = segment(entry.ds);
  state.seg[cpu::kEs] = segment(entry.es);
  state.seg[cpu::kFs] = segment(entry.fs);
  state.seg[cpu::kGs] = segment(entry.gs);
  state.seg[cpu::kLdtr] = segment(entry.ldtr);
  state.seg[cpu::kTr] = segment(entry.tr);
  state.gdtr = {.base = entry.gdtr.base, .limit = entry.gdtr.limit};
  state.idtr = {.base = entry.idtr.base, .limit = entry.idtr.limit};
  state.cr0 = Reg<cpu::Cr0>(entry.cr0);
  state.cr3 = entry.cr3;
  state.cr4 = Reg<cpu::Cr4>(entry.cr4);
  state.efer = Reg<cpu::Efer>(entry.efer);
  core.invalidate_all();
  core.mode_changed();
}

void apply_core_setup(cpu::Core& core, std::span<const firmware_tables::MsrValue> values) {
  for (const firmware_tables::MsrValue& value : values)
    SIM_CHECK(cpu::write_msr({.core = core, .index = value.index}, value.value),
              std::to_string(value.index));
}

namespace {

// PCI configuration mechanism #1, since these accesses are what opens the ECAM. `address` is an ECAM
// offset within a function's first 256 bytes.
void write_config(CpuBus& bus, u64 address, unsigned size, u64 value, Ps now) {
  constexpr u16 kConfigAddress = 0xCF8, kConfigData = 0xCFC;
  constexpr u64 kEnable = u64{1} << 31;
  const u64 function = bits(address, 27, 12), offset = bits(address, 11, 0);
  bus.port_out(kConfigAddress, 4, kEnable | function << 8 | align_down(offset, 4), now);
  bus.port_out(static_cast<u16>(kConfigData + offset % 4), size, value, now);
}

}  // namespace

void apply_setup_accesses(cpu::Core& core,
                          std::span<const firmware_tables::SetupAccess> accesses, Ps now) {
  using Space = firmware_tables::SetupAccess::Space;
  CpuBus& bus = core.environment().bus;
  cpu::LocalApic& apic = core.apic();
  for (const auto& access : accesses) {
    const Hpa address(access.address);
    switch (access.space) {
      case Space::kPort:
        bus.port_out(static_cast<u16>(access.address), access.size, access.value, now);
        break;
      case Space::kPciConfig:
        write_config(bus, access.address, access.size, access.value, now);
        break;
      case Space::kMemory:
        if (apic.claims(address.page())) {
          apic.write(address.page_offset(), access.size, access.value, now);
        } else {
          bus.write(address, access.size, access.value, {}, now);
        }
        break;
    }
  }
}

}  // namespace vtsim::machine
