// Machine-check registers: banks that never report anything. SDM 3B "Machine-Check Architecture".

#include "model/cpu/exec/msr_fields.h"

namespace vtsim::cpu {

namespace {

// IA32_MCG_CAP
constexpr u32 kMcgCap = 0x179;
constexpr Field kBankCount{7, 0};
constexpr Flag kControlPresent{8}, kCmciPresent{10};

// Ten banks, unless the preset says otherwise; corrected-error interrupts where there is an LVT entry.
u64 mcg_cap(const Core& core) {
  constexpr u64 kBanks = 10;
  const u64 cmci = core.model().apic_max_lvt >= 6 ? kCmciPresent.mask() : 0;
  return preset_msr(core, kMcgCap, kBanks | cmci);
}

bool read_mcg_cap(const MsrAccess& access, u64& value) {
  value = mcg_cap(access.core);
  return true;
}

bool has_global_control(const Core& core, u32) {
  return (mcg_cap(core) & kControlPresent.mask()) != 0;
}

u64 bank_count(const Core& core) {
  const u64 count = kBankCount.get(mcg_cap(core));
  return count < MsrState::kMaxBanks ? count : MsrState::kMaxBanks;
}

bool bank_exists(const Core& core, u32 offset) { return offset / 4 < bank_count(core); }
bool bank_has_threshold(const Core& core, u32 offset) {
  return offset < bank_count(core) && (mcg_cap(core) & kCmciPresent.mask()) != 0;
}

enum BankRegister : u32 { kControl, kStatus, kAddress, kMiscellaneous };

bool read_bank(const MsrAccess& access, u64& value) {
  const MsrState& msr = access.core.msr;
  const u32 bank = access.offset() / 4;
  switch (access.offset() % 4) {
    case kControl: value = msr.mc_ctl[bank]; return true;
    case kAddress: value = msr.mc_addr[bank]; return true;
    case kMiscellaneous: value = msr.mc_misc[bank]; return true;
    default: value = 0; return true;  // no error is ever recorded
  }
}

// All sources on or off. SDM-NOTE: SDM 3B "IA32_MCi_CTL MSRs" allows the P6 family just that; systems
// that spare bit 0 or bit 10 run on all later parts.
bool is_bank_control(u64 value) {
  constexpr u64 kSpared = Flag{0}.mask() | Flag{10}.mask();
  return value == 0 || (value | kSpared) == ~u64{0};
}

bool write_bank(const MsrAccess& access, u64 value) {
  MsrState& msr = access.core.msr;
  const u32 bank = access.offset() / 4;
  switch (access.offset() % 4) {
    case kControl:
      if (!is_bank_control(value)) return false;
      msr.mc_ctl[bank] = value;
      return true;
    case kAddress: msr.mc_addr[bank] = value; return true;
    case kMiscellaneous: msr.mc_misc[bank] = value; return true;
    default: return value == 0;  // software may only clear a status
  }
}

constexpr u64 kCtl2Writable = Flag{30}.mask() | Field{14, 0}.mask();

constexpr MsrRegisterRow kRows[] = {
    {0x0, 0x1, "IA32_P5_MC_ADDR", read_constant<0>, ignore_write, Feature::kMce},
    {0x179, 0x179, "IA32_MCG_CAP", read_mcg_cap, nullptr, Feature::kMca},
    {0x17A, 0x17A, "IA32_MCG_STATUS", read_register<&MsrState::mcg_status>,
     write_register<&MsrState::mcg_status, Field{2, 0}.mask()>, Feature::kMca},
    {0x17B, 0x17B, "IA32_MCG_CTL", read_constant<~u64{0}>, ignore_write, Feature::kMca,
     has_global_control},
    {0x280, 0x29F, "IA32_MC0_CTL2", read_element<&MsrState::mc_ctl2>,
     write_element<&MsrState::mc_ctl2, kCtl2Writable>, Feature::kMca, bank_has_threshold},
    {0x400, 0x47F, "IA32_MC0_CTL", read_bank, write_bank, Feature::kMca, bank_exists},
};

}  // namespace

std::span<const MsrRegisterRow> msr_machine_check_rows() { return kRows; }

}  // namespace vtsim::cpu
