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
  const u32 bank = access.offset() / 4;
  value = access.offset() % 4 == kControl ? access.core.msr.mc_ctl[bank] : 0;
  return true;
}

// Software may only clear the three others.
bool write_bank(const MsrAccess& access, u64 value) {
  if (access.offset() % 4 != kControl) return value == 0;
  access.core.msr.mc_ctl[access.offset() / 4] = value;
  return true;
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
