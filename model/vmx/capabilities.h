#pragma once
// What a processor's VMX can do: the capability MSRs 480H to 491H as data, and questions about them.
// SDM 3D "VMX Capability Reporting Facility". What is offered is what the silicon has AND what is
// implemented here.

#include <array>
#include <span>

#include "model/vmx/vmcs.h"

namespace vtsim::vmx {

enum class CapabilityMsr : u32 {
  kBasic = 0x480, kPinBased, kPrimary, kExit, kEntry, kMisc, kCr0Fixed0, kCr0Fixed1, kCr4Fixed0,
  kCr4Fixed1, kVmcsEnum, kSecondary, kEptVpid, kTruePinBased, kTruePrimary, kTrueExit, kTrueEntry,
  kVmFunc,
};
inline constexpr u32 kFirstCapabilityMsr = 0x480, kLastCapabilityMsr = 0x491;

// SDM 3D "Basic VMX Information"
struct BasicInformation {
  static constexpr Field REVISION{30, 0}, REGION_BYTES{44, 32};
  static constexpr Flag ADDRESSES_32_BITS{48}, DUAL_MONITOR{49};
  static constexpr Field MEMORY_TYPE{53, 50};
  static constexpr Flag INS_OUTS_INFORMATION{54}, TRUE_CONTROLS{55}, ANY_ERROR_CODE{56};
};

// SDM 3D "Miscellaneous Data"
struct MiscData {
  static constexpr Field TIMER_RATE{4, 0};
  static constexpr Flag STORES_LMA{5}, HLT{6}, SHUTDOWN{7}, WAIT_FOR_SIPI{8}, PT_IN_VMX{14},
      SMBASE_READABLE{15};
  static constexpr Field CR3_TARGETS{24, 16}, MSR_LIST_UNITS{27, 25};
  static constexpr Flag SMM_MONITOR_CTL{28}, VMWRITE_ANY{29}, ZERO_LENGTH_INJECTION{30};
};

// SDM 3D "VPID and EPT Capabilities"
struct EptVpidCapability {
  static constexpr Flag EXECUTE_ONLY{0}, WALK_4{6}, WALK_5{7}, UC{8}, WB{14}, PAGES_2M{16},
      PAGES_1G{17}, INVEPT{20}, ACCESSED_DIRTY{21}, ADVANCED_INFORMATION{22}, INVEPT_SINGLE{25},
      INVEPT_ALL{26}, INVVPID{32}, INVVPID_ADDRESS{40}, INVVPID_SINGLE{41}, INVVPID_ALL{42},
      INVVPID_SINGLE_BUT_GLOBAL{43};
};

// SDM 3D "Allowed 0-settings" and "allowed 1-settings" of 32 control bits.
struct AllowedSettings {
  u32 must_be_1 = 0;
  u32 may_be_1 = 0;

  constexpr u32 violations(u64 controls) const {
    const u32 value = static_cast<u32>(controls);
    return (must_be_1 & ~value) | (value & ~may_be_1);
  }
  constexpr bool may(Flag flag) const { return (may_be_1 & flag.mask()) != 0; }
};

// Of a processor without VMX: all zero.
class Capabilities {
 public:
  struct Value {
    CapabilityMsr msr;
    u64 value;
  };
  // `supported_cr4`: the bits of CR4 that the processor has.
  Capabilities() = default;
  Capabilities(std::span<const Value> values, u64 supported_cr4);

  // What RDMSR gives; false: #GP.
  bool read(u32 msr, u64& value) const;
  u64 operator[](CapabilityMsr msr) const { return value_[index(msr)]; }

  bool present() const { return has_[0]; }
  // The bits of `silicon` that are implemented.
  static u64 implemented(CapabilityMsr msr, u64 silicon);

  // Of the TRUE registers where there are some.
  AllowedSettings pin() const { return allowed(CapabilityMsr::kTruePinBased, CapabilityMsr::kPinBased); }
  AllowedSettings primary() const { return allowed(CapabilityMsr::kTruePrimary, CapabilityMsr::kPrimary); }
  AllowedSettings exit() const { return allowed(CapabilityMsr::kTrueExit, CapabilityMsr::kExit); }
  AllowedSettings entry() const { return allowed(CapabilityMsr::kTrueEntry, CapabilityMsr::kEntry); }
  AllowedSettings secondary() const;  // all clear without secondary controls

  Reg<BasicInformation> basic() const { return Reg<BasicInformation>((*this)[CapabilityMsr::kBasic]); }
  Reg<MiscData> misc() const { return Reg<MiscData>((*this)[CapabilityMsr::kMisc]); }
  Reg<EptVpidCapability> ept_vpid() const {
    return Reg<EptVpidCapability>((*this)[CapabilityMsr::kEptVpid]);
  }
  u32 revision() const { return static_cast<u32>(basic()[BasicInformation::REVISION]); }

  // Bits of CR0 or CR4 that VMX operation does not allow as they are in `value`.
  u64 cr0_violations(u64 value) const {
    return violations(value, CapabilityMsr::kCr0Fixed0, CapabilityMsr::kCr0Fixed1);
  }
  u64 cr4_violations(u64 value) const {
    return violations(value, CapabilityMsr::kCr4Fixed0, CapabilityMsr::kCr4Fixed1);
  }

  bool has_field(const VmcsFieldRow& row) const;

  // SDM 3C "VM-Execution Control Fields" on EPTP, which VM entry, VMFUNC and INVEPT check: the bits
  // at fault.
  u64 eptp_faults(u64 eptp, unsigned physical_width) const;
  bool is_valid_eptp(u64 eptp, unsigned physical_width) const {
    return eptp_faults(eptp, physical_width) == 0;
  }

 private:
  static constexpr unsigned index(CapabilityMsr msr) {
    return static_cast<u32>(msr) - kFirstCapabilityMsr;
  }
  AllowedSettings allowed(CapabilityMsr true_register, CapabilityMsr plain) const;
  u64 violations(u64 value, CapabilityMsr fixed0, CapabilityMsr fixed1) const {
    return ((*this)[fixed0] & ~value) | (value & ~(*this)[fixed1]);
  }

  static constexpr unsigned kCount = kLastCapabilityMsr - kFirstCapabilityMsr + 1;
  std::array<u64, kCount> value_{};
  std::array<bool, kCount> has_{};
};

}  // namespace vtsim::vmx
