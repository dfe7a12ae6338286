#pragma once
// A valid VMCS to spoil: for a host in IA-32e mode or outside it, and a guest in each mode.

#include <cstring>

#include "model/cpu/state/event.h"
#include "model/vmx/entry_checks.h"
#include "tests/vmx/presets.h"

namespace vtsim::vmx::test {

// 64 KiB; all ones beyond.
class Ram : public HostMemory {
 public:
  void read(Hpa address, void* out, unsigned size, RefKind) override {
    std::memset(out, 0xFF, size);
    if (fits(address, size)) std::memcpy(out, &bytes_[address.value], size);
  }
  void write(Hpa address, const void* data, unsigned size, RefKind) override {
    if (fits(address, size)) std::memcpy(&bytes_[address.value], data, size);
  }
  void put32(u64 address, u32 value) { store(Hpa(address), value, RefKind::kData); }
  void put64(u64 address, u64 value) { store(Hpa(address), value, RefKind::kData); }

 private:
  bool fits(Hpa address, unsigned size) const {
    return address.value < bytes_.size() && size <= bytes_.size() - address.value;
  }
  std::vector<u8> bytes_ = std::vector<u8>(1 << 16);
};

enum class Guest {
  k64,
  k32,   // without PAE
  kPae,  // 32-bit code, PDPTEs in memory
  kV86,
  kReal,        // with unrestricted guest and EPT
  kLegacyHost,  // 32-bit guest of a host outside IA-32e mode
};
inline constexpr std::array kGuests = {Guest::k64,  Guest::k32,   Guest::kPae,
                                       Guest::kV86, Guest::kReal, Guest::kLegacyHost};

struct Bench {
  // Physical addresses.
  static constexpr u64 kCurrent = 0x1000, kShadow = 0x2000, kOrdinary = 0x3000,
                       kVirtualApic = 0x4000, kHostCr3 = 0x5000, kGuestCr3 = 0x6000;

  Preset processor = preset("icelake-sp");
  Ram ram;
  Vmcs vmcs;
  bool ia32e_host = true, in_smm = false, rtm = false, sgx = false;

  u64 operator[](VmcsField f) const { return vmcs[f]; }
  void set(VmcsField f, u64 value) { vmcs.set(f, value); }
  void or_in(VmcsField f, u64 value) { vmcs.set(f, vmcs[f] | value); }
  void clear(VmcsField f, u64 value) { vmcs.set(f, vmcs[f] & ~value); }

  template <class... Flags>
  void pin(Flags... flags) {
    or_in(VmcsField::PIN_BASED_CONTROLS, (flags.mask() | ...));
  }
  template <class... Flags>
  void primary(Flags... flags) {
    or_in(VmcsField::PRIMARY_CONTROLS, (flags.mask() | ...));
  }
  template <class... Flags>
  void secondary(Flags... flags) {
    primary(Primary::SECONDARY_CONTROLS);
    or_in(VmcsField::SECONDARY_CONTROLS, (flags.mask() | ...));
  }
  template <class... Flags>
  void exit(Flags... flags) {
    or_in(VmcsField::EXIT_CONTROLS, (flags.mask() | ...));
  }
  template <class... Flags>
  void entry(Flags... flags) {
    or_in(VmcsField::ENTRY_CONTROLS, (flags.mask() | ...));
  }
  void inject(unsigned type, unsigned vector) {
    set(VmcsField::ENTRY_INTERRUPTION_INFO, 0x8000'0000u | type << 8 | vector);
  }

  // Changes what the silicon says.
  void take(CapabilityMsr msr, u64 bits_to_clear) { *processor.find(msr) &= ~bits_to_clear; }
  void give(CapabilityMsr msr, u64 bits_to_set) { *processor.find(msr) |= bits_to_set; }

  EntryContext context(const Capabilities& capabilities) {
    return {.vmcs = vmcs,
            .capabilities = capabilities,
            .memory = ram,
            .current_vmcs = kCurrent,
            .physical_width = processor.physical_width,
            .linear_width = processor.linear_width,
            .ia32e_host = ia32e_host,
            .in_smm = in_smm,
            .efer_bits = 0xD01,
            .debugctl_bits = 0x3,
            .perf_global_bits = 0x7'0000'000F,
            .rtm = rtm,
            .sgx = sgx};
  }
};

// What VM entry finds, all three phases one after the other.
inline std::optional<EntryReport> first_failure(Bench& bench) {
  const Capabilities capabilities = bench.processor.capabilities();
  const EntryContext context = bench.context(capabilities);
  for (const EntryPhase phase :
       {EntryPhase::kControls, EntryPhase::kHostState, EntryPhase::kGuestState}) {
    if (std::optional<EntryReport> report = check_entry(context, phase)) return report;
  }
  return std::nullopt;
}

namespace detail {

using F = VmcsField;

struct Value {
  VmcsField field;
  u64 value;
};
template <std::size_t kCount>
void fill(Bench& b, const Value (&values)[kCount]) {
  for (const auto& [field, value] : values) b.set(field, value);
}

inline void fill_memory(Bench& b) {
  const u32 revision = b.processor.capabilities().revision();
  b.ram.put32(Bench::kCurrent, revision);
  b.ram.put32(Bench::kShadow, revision | 0x8000'0000);
  b.ram.put32(Bench::kOrdinary, revision);
  b.ram.put32(Bench::kVirtualApic + 0x80, 0x50);
  for (unsigned n = 0; n < 4; ++n) b.ram.put64(Bench::kGuestCr3 + 8 * n, 0xE001 + 0x1000 * n);
}

// Controls at their least; all that they could refer to is there already.
inline void fill_controls(Bench& b) {
  const Capabilities c = b.processor.capabilities();
  const Value values[] = {
      {F::PIN_BASED_CONTROLS, c.pin().must_be_1},
      {F::PRIMARY_CONTROLS, c.primary().must_be_1},
      {F::SECONDARY_CONTROLS, 0},
      {F::EXIT_CONTROLS, c.exit().must_be_1},
      {F::ENTRY_CONTROLS, c.entry().must_be_1},
      {F::VPID, 1},
      {F::POSTED_INTERRUPT_VECTOR, 0xF2},
      {F::IO_BITMAP_A, 0x7000},
      {F::IO_BITMAP_B, 0x8000},
      {F::MSR_BITMAP, 0x9000},
      {F::EXIT_MSR_STORE_ADDRESS, 0xB000},
      {F::EXIT_MSR_LOAD_ADDRESS, 0xB100},
      {F::ENTRY_MSR_LOAD_ADDRESS, 0xB200},
      {F::EXECUTIVE_VMCS_POINTER, Bench::kShadow},
      {F::PML_ADDRESS, 0xC000},
      {F::VIRTUAL_APIC_ADDRESS, Bench::kVirtualApic},
      {F::APIC_ACCESS_ADDRESS, 0xFEE0'0000},
      {F::POSTED_INTERRUPT_DESCRIPTOR, 0xD040},
      {F::EPT_POINTER, 0xA01E | (c.ept_vpid()[EptVpidCapability::ACCESSED_DIRTY] ? 0x40u : 0)},
      {F::EPTP_LIST_ADDRESS, 0xD000},
      {F::VMREAD_BITMAP, 0xD000},
      {F::VMWRITE_BITMAP, 0xE000},
      {F::VE_INFORMATION_ADDRESS, 0xF000},
      {F::TSC_MULTIPLIER, u64{1} << 48},
      {F::CR3_TARGET_COUNT, 4},
      {F::TPR_THRESHOLD, 5},
  };
  fill(b, values);
}

inline void fill_host(Bench& b) {
  static constexpr Value kValues[] = {
      {F::HOST_CS_SELECTOR, 0x10},
      {F::HOST_SS_SELECTOR, 0x18},
      {F::HOST_TR_SELECTOR, 0x40},
      {F::HOST_PAT, 0x0007'0406'0007'0406},
      {F::HOST_EFER, 0xD01},
      {F::HOST_CR0, 0x8005'0033},
      {F::HOST_CR3, Bench::kHostCr3},
      {F::HOST_CR4, 0x26A0},  // PAE, PGE, VMXE, OSFXSR, OSXMMEXCPT
      {F::HOST_FS_BASE, 0x7FFF'F7D8'0740},
      {F::HOST_GS_BASE, 0xFFFF'8880'7DC0'0000},
      {F::HOST_TR_BASE, 0xFFFF'FE00'0000'3000},
      {F::HOST_GDTR_BASE, 0xFFFF'FE00'0000'1000},
      {F::HOST_IDTR_BASE, 0xFFFF'FE00'0000'0000},
      {F::HOST_SYSENTER_ESP, 0xFFFF'FE00'0000'3200},
      {F::HOST_SYSENTER_EIP, 0xFFFF'FFFF'81A0'0000},
      {F::HOST_RIP, 0xFFFF'FFFF'8107'0000},
  };
  fill(b, kValues);
  if (b.ia32e_host) {
    b.exit(ExitControls::HOST_ADDRESS_SPACE_SIZE);
  } else {
    b.set(F::HOST_RIP, 0xC107'0000);
    b.set(F::HOST_EFER, 0);
  }
}

// A segment for each of ES, CS, SS, DS, FS, GS, LDTR, TR.
inline void fill_segments(Bench& b, u64 code_rights) {
  for (unsigned n = 0; n < 6; ++n) {
    b.set(F::GUEST_ES_SELECTOR + n, 0x18);
    b.set(F::GUEST_ES_LIMIT + n, 0xFFFF'FFFF);
    b.set(F::GUEST_ES_RIGHTS + n, 0xC093);
  }
  static constexpr Value kValues[] = {
      {F::GUEST_CS_SELECTOR, 0x10},  {F::GUEST_LDTR_SELECTOR, 0x30}, {F::GUEST_TR_SELECTOR, 0x40},
      {F::GUEST_LDTR_LIMIT, 0xFFFF}, {F::GUEST_TR_LIMIT, 0x67},      {F::GUEST_GDTR_LIMIT, 0x7F},
      {F::GUEST_IDTR_LIMIT, 0xFFF},  {F::GUEST_LDTR_RIGHTS, 0x82},   {F::GUEST_TR_RIGHTS, 0x8B},
  };
  fill(b, kValues);
  b.set(F::GUEST_CS_RIGHTS, code_rights);
}

inline void fill_guest(Bench& b) {
  static constexpr Value kValues[] = {
      {F::VMCS_LINK_POINTER, ~u64{0}},
      {F::GUEST_DEBUGCTL, 1},
      {F::GUEST_PAT, 0x0007'0406'0007'0406},
      {F::GUEST_PDPTE0, 0xE001},
      {F::GUEST_PDPTE1, 0},
      {F::GUEST_PDPTE2, ~u64{1}},  // not present: the rest is ignored
      {F::GUEST_CR0, 0x8005'0033},
      {F::GUEST_CR3, Bench::kGuestCr3},
      {F::GUEST_CR4, 0x2690},  // PSE, PGE, VMXE, OSFXSR, OSXMMEXCPT
      {F::GUEST_DR7, 0x400},
      {F::GUEST_RFLAGS, 0x202},
      {F::GUEST_RIP, 0xC010'0000},
      {F::GUEST_SYSENTER_ESP, 0xC200'0000},
      {F::GUEST_SYSENTER_EIP, 0xC010'1000},
  };
  fill(b, kValues);
}

inline void make_64(Bench& b) {
  fill_segments(b, 0xA09B);
  b.entry(EntryControls::IA32E_MODE_GUEST);
  b.or_in(F::GUEST_CR4, 0x20);
  b.set(F::GUEST_EFER, 0xD01);
  b.set(F::GUEST_RIP, 0xFFFF'FFFF'8100'0000);
  b.set(F::GUEST_GS_BASE, 0xFFFF'8880'7DC0'0000);
  b.set(F::GUEST_TR_BASE, 0xFFFF'FE00'0000'3000);
  b.set(F::GUEST_GDTR_BASE, 0xFFFF'FE00'0000'1000);
  b.set(F::GUEST_IDTR_BASE, 0xFFFF'FE00'0000'0000);
}

inline void make_v86(Bench& b) {
  b.set(F::GUEST_RFLAGS, 0x2'3202);
  for (unsigned n = 0; n < 6; ++n) {
    b.set(F::GUEST_ES_SELECTOR + n, 0x1237 + n);
    b.set(F::GUEST_ES_BASE + n, (0x1237 + n) << 4);
    b.set(F::GUEST_ES_LIMIT + n, 0xFFFF);
    b.set(F::GUEST_ES_RIGHTS + n, 0xF3);
  }
}

inline void make_real(Bench& b) {
  b.secondary(Secondary::EPT, Secondary::UNRESTRICTED_GUEST);
  b.set(F::GUEST_CR0, 0x30);
  for (unsigned n = 0; n < 6; ++n) {
    b.set(F::GUEST_ES_SELECTOR + n, 0x1237 + n);
    b.set(F::GUEST_ES_BASE + n, (0x1237 + n) << 4);
    b.set(F::GUEST_ES_LIMIT + n, 0xFFFF);
    b.set(F::GUEST_ES_RIGHTS + n, 0x93);
  }
  b.set(F::GUEST_CS_RIGHTS, 0x9B);
  b.set(F::GUEST_LDTR_RIGHTS, 0x1'0000);
  b.set(F::GUEST_RIP, 0x7C00);
}

}  // namespace detail

inline Bench make_bench(Guest guest, const Preset& processor = preset("icelake-sp")) {
  Bench b;
  b.processor = processor;
  b.ia32e_host = guest != Guest::kLegacyHost;
  detail::fill_memory(b);
  detail::fill_controls(b);
  detail::fill_host(b);
  detail::fill_guest(b);
  detail::fill_segments(b, 0xC09B);
  switch (guest) {
    case Guest::k64:
      detail::make_64(b);
      break;
    case Guest::kPae:
      b.or_in(VmcsField::GUEST_CR4, 0x20);
      break;
    case Guest::kV86:
      detail::make_v86(b);
      break;
    case Guest::kReal:
      detail::make_real(b);
      break;
    case Guest::k32:
    case Guest::kLegacyHost:
      break;
  }
  return b;
}

}  // namespace vtsim::vmx::test
