#pragma once
// The fields of a VMCS: one row each, in the order of the manual's tables. SDM 3D "Field Encoding in
// VMCS". Width, class and index follow from the encoding; `gate` names the control that must be
// allowed for the field to exist: VMREAD and VMWRITE of others fail with error 12.
//
//   encoding  bit 0 access (1: upper half of a 64-bit field) | 9:1 index | 11:10 class | 12 zero |
//             14:13 width | 31:15 zero

#include <array>
#include <string_view>

#include "model/base/bits.h"

namespace vtsim::vmx {

enum class FieldWidth : u8 { k16, k64, k32, kNatural };
enum class FieldClass : u8 { kControl, kReadOnly, kGuest, kHost };

// What makes a field exist, apart from VMX itself.
enum class FieldGate : u8 {
  kAlways, kVpid, kPostedInterrupts, kEptViolationVe, kVirtualInterruptDelivery, kPml, kIoBitmaps,
  kMsrBitmaps, kTprShadow, kApicAccesses, kVmFunctions, kEpt, kEptpSwitching, kVmcsShadowing,
  kXsaves, kTscScaling, kPat, kEfer, kPerfGlobalCtrl, kSecondaryControls, kPauseLoop,
  kPreemptionTimer,
};

// clang-format off
#define VTSIM_VMCS_FIELDS(ROW) \
  ROW(VPID,                       0x0000, kVpid) \
  ROW(POSTED_INTERRUPT_VECTOR,    0x0002, kPostedInterrupts) \
  ROW(EPTP_INDEX,                 0x0004, kEptViolationVe) \
  ROW(GUEST_ES_SELECTOR,          0x0800, kAlways) \
  ROW(GUEST_CS_SELECTOR,          0x0802, kAlways) \
  ROW(GUEST_SS_SELECTOR,          0x0804, kAlways) \
  ROW(GUEST_DS_SELECTOR,          0x0806, kAlways) \
  ROW(GUEST_FS_SELECTOR,          0x0808, kAlways) \
  ROW(GUEST_GS_SELECTOR,          0x080A, kAlways) \
  ROW(GUEST_LDTR_SELECTOR,        0x080C, kAlways) \
  ROW(GUEST_TR_SELECTOR,          0x080E, kAlways) \
  ROW(GUEST_INTERRUPT_STATUS,     0x0810, kVirtualInterruptDelivery) \
  ROW(PML_INDEX,                  0x0812, kPml) \
  ROW(HOST_ES_SELECTOR,           0x0C00, kAlways) \
  ROW(HOST_CS_SELECTOR,           0x0C02, kAlways) \
  ROW(HOST_SS_SELECTOR,           0x0C04, kAlways) \
  ROW(HOST_DS_SELECTOR,           0x0C06, kAlways) \
  ROW(HOST_FS_SELECTOR,           0x0C08, kAlways) \
  ROW(HOST_GS_SELECTOR,           0x0C0A, kAlways) \
  ROW(HOST_TR_SELECTOR,           0x0C0C, kAlways) \
  ROW(IO_BITMAP_A,                0x2000, kIoBitmaps) \
  ROW(IO_BITMAP_B,                0x2002, kIoBitmaps) \
  ROW(MSR_BITMAP,                 0x2004, kMsrBitmaps) \
  ROW(EXIT_MSR_STORE_ADDRESS,     0x2006, kAlways) \
  ROW(EXIT_MSR_LOAD_ADDRESS,      0x2008, kAlways) \
  ROW(ENTRY_MSR_LOAD_ADDRESS,     0x200A, kAlways) \
  ROW(EXECUTIVE_VMCS_POINTER,     0x200C, kAlways) \
  ROW(PML_ADDRESS,                0x200E, kPml) \
  ROW(TSC_OFFSET,                 0x2010, kAlways) \
  ROW(VIRTUAL_APIC_ADDRESS,       0x2012, kTprShadow) \
  ROW(APIC_ACCESS_ADDRESS,        0x2014, kApicAccesses) \
  ROW(POSTED_INTERRUPT_DESCRIPTOR, 0x2016, kPostedInterrupts) \
  ROW(VM_FUNCTION_CONTROLS,       0x2018, kVmFunctions) \
  ROW(EPT_POINTER,                0x201A, kEpt) \
  ROW(EOI_EXIT_BITMAP_0,          0x201C, kVirtualInterruptDelivery) \
  ROW(EOI_EXIT_BITMAP_1,          0x201E, kVirtualInterruptDelivery) \
  ROW(EOI_EXIT_BITMAP_2,          0x2020, kVirtualInterruptDelivery) \
  ROW(EOI_EXIT_BITMAP_3,          0x2022, kVirtualInterruptDelivery) \
  ROW(EPTP_LIST_ADDRESS,          0x2024, kEptpSwitching) \
  ROW(VMREAD_BITMAP,              0x2026, kVmcsShadowing) \
  ROW(VMWRITE_BITMAP,             0x2028, kVmcsShadowing) \
  ROW(VE_INFORMATION_ADDRESS,     0x202A, kEptViolationVe) \
  ROW(XSS_EXITING_BITMAP,         0x202C, kXsaves) \
  ROW(TSC_MULTIPLIER,             0x2032, kTscScaling) \
  ROW(GUEST_PHYSICAL_ADDRESS,     0x2400, kEpt) \
  ROW(VMCS_LINK_POINTER,          0x2800, kAlways) \
  ROW(GUEST_DEBUGCTL,             0x2802, kAlways) \
  ROW(GUEST_PAT,                  0x2804, kPat) \
  ROW(GUEST_EFER,                 0x2806, kEfer) \
  ROW(GUEST_PERF_GLOBAL_CTRL,     0x2808, kPerfGlobalCtrl) \
  ROW(GUEST_PDPTE0,               0x280A, kEpt) \
  ROW(GUEST_PDPTE1,               0x280C, kEpt) \
  ROW(GUEST_PDPTE2,               0x280E, kEpt) \
  ROW(GUEST_PDPTE3,               0x2810, kEpt) \
  ROW(HOST_PAT,                   0x2C00, kPat) \
  ROW(HOST_EFER,                  0x2C02, kEfer) \
  ROW(HOST_PERF_GLOBAL_CTRL,      0x2C04, kPerfGlobalCtrl) \
  ROW(PIN_BASED_CONTROLS,         0x4000, kAlways) \
  ROW(PRIMARY_CONTROLS,           0x4002, kAlways) \
  ROW(EXCEPTION_BITMAP,           0x4004, kAlways) \
  ROW(PAGE_FAULT_MASK,            0x4006, kAlways) \
  ROW(PAGE_FAULT_MATCH,           0x4008, kAlways) \
  ROW(CR3_TARGET_COUNT,           0x400A, kAlways) \
  ROW(EXIT_CONTROLS,              0x400C, kAlways) \
  ROW(EXIT_MSR_STORE_COUNT,       0x400E, kAlways) \
  ROW(EXIT_MSR_LOAD_COUNT,        0x4010, kAlways) \
  ROW(ENTRY_CONTROLS,             0x4012, kAlways) \
  ROW(ENTRY_MSR_LOAD_COUNT,       0x4014, kAlways) \
  ROW(ENTRY_INTERRUPTION_INFO,    0x4016, kAlways) \
  ROW(ENTRY_ERROR_CODE,           0x4018, kAlways) \
  ROW(ENTRY_INSTRUCTION_LENGTH,   0x401A, kAlways) \
  ROW(TPR_THRESHOLD,              0x401C, kTprShadow) \
  ROW(SECONDARY_CONTROLS,         0x401E, kSecondaryControls) \
  ROW(PLE_GAP,                    0x4020, kPauseLoop) \
  ROW(PLE_WINDOW,                 0x4022, kPauseLoop) \
  ROW(INSTRUCTION_ERROR,          0x4400, kAlways) \
  ROW(EXIT_REASON,                0x4402, kAlways) \
  ROW(EXIT_INTERRUPTION_INFO,     0x4404, kAlways) \
  ROW(EXIT_INTERRUPTION_ERROR,    0x4406, kAlways) \
  ROW(IDT_VECTORING_INFO,         0x4408, kAlways) \
  ROW(IDT_VECTORING_ERROR,        0x440A, kAlways) \
  ROW(EXIT_INSTRUCTION_LENGTH,    0x440C, kAlways) \
  ROW(EXIT_INSTRUCTION_INFO,      0x440E, kAlways) \
  ROW(GUEST_ES_LIMIT,             0x4800, kAlways) \
  ROW(GUEST_CS_LIMIT,             0x4802, kAlways) \
  ROW(GUEST_SS_LIMIT,             0x4804, kAlways) \
  ROW(GUEST_DS_LIMIT,             0x4806, kAlways) \
  ROW(GUEST_FS_LIMIT,             0x4808, kAlways) \
  ROW(GUEST_GS_LIMIT,             0x480A, kAlways) \
  ROW(GUEST_LDTR_LIMIT,           0x480C, kAlways) \
  ROW(GUEST_TR_LIMIT,             0x480E, kAlways) \
  ROW(GUEST_GDTR_LIMIT,           0x4810, kAlways) \
  ROW(GUEST_IDTR_LIMIT,           0x4812, kAlways) \
  ROW(GUEST_ES_RIGHTS,            0x4814, kAlways) \
  ROW(GUEST_CS_RIGHTS,            0x4816, kAlways) \
  ROW(GUEST_SS_RIGHTS,            0x4818, kAlways) \
  ROW(GUEST_DS_RIGHTS,            0x481A, kAlways) \
  ROW(GUEST_FS_RIGHTS,            0x481C, kAlways) \
  ROW(GUEST_GS_RIGHTS,            0x481E, kAlways) \
  ROW(GUEST_LDTR_RIGHTS,          0x4820, kAlways) \
  ROW(GUEST_TR_RIGHTS,            0x4822, kAlways) \
  ROW(GUEST_INTERRUPTIBILITY,     0x4824, kAlways) \
  ROW(GUEST_ACTIVITY_STATE,       0x4826, kAlways) \
  ROW(GUEST_SMBASE,               0x4828, kAlways) \
  ROW(GUEST_SYSENTER_CS,          0x482A, kAlways) \
  ROW(PREEMPTION_TIMER_VALUE,     0x482E, kPreemptionTimer) \
  ROW(HOST_SYSENTER_CS,           0x4C00, kAlways) \
  ROW(CR0_MASK,                   0x6000, kAlways) \
  ROW(CR4_MASK,                   0x6002, kAlways) \
  ROW(CR0_SHADOW,                 0x6004, kAlways) \
  ROW(CR4_SHADOW,                 0x6006, kAlways) \
  ROW(CR3_TARGET_0,               0x6008, kAlways) \
  ROW(CR3_TARGET_1,               0x600A, kAlways) \
  ROW(CR3_TARGET_2,               0x600C, kAlways) \
  ROW(CR3_TARGET_3,               0x600E, kAlways) \
  ROW(EXIT_QUALIFICATION,         0x6400, kAlways) \
  ROW(IO_RCX,                     0x6402, kAlways) \
  ROW(IO_RSI,                     0x6404, kAlways) \
  ROW(IO_RDI,                     0x6406, kAlways) \
  ROW(IO_RIP,                     0x6408, kAlways) \
  ROW(GUEST_LINEAR_ADDRESS,       0x640A, kAlways) \
  ROW(GUEST_CR0,                  0x6800, kAlways) \
  ROW(GUEST_CR3,                  0x6802, kAlways) \
  ROW(GUEST_CR4,                  0x6804, kAlways) \
  ROW(GUEST_ES_BASE,              0x6806, kAlways) \
  ROW(GUEST_CS_BASE,              0x6808, kAlways) \
  ROW(GUEST_SS_BASE,              0x680A, kAlways) \
  ROW(GUEST_DS_BASE,              0x680C, kAlways) \
  ROW(GUEST_FS_BASE,              0x680E, kAlways) \
  ROW(GUEST_GS_BASE,              0x6810, kAlways) \
  ROW(GUEST_LDTR_BASE,            0x6812, kAlways) \
  ROW(GUEST_TR_BASE,              0x6814, kAlways) \
  ROW(GUEST_GDTR_BASE,            0x6816, kAlways) \
  ROW(GUEST_IDTR_BASE,            0x6818, kAlways) \
  ROW(GUEST_DR7,                  0x681A, kAlways) \
  ROW(GUEST_RSP,                  0x681C, kAlways) \
  ROW(GUEST_RIP,                  0x681E, kAlways) \
  ROW(GUEST_RFLAGS,               0x6820, kAlways) \
  ROW(GUEST_PENDING_DEBUG,        0x6822, kAlways) \
  ROW(GUEST_SYSENTER_ESP,         0x6824, kAlways) \
  ROW(GUEST_SYSENTER_EIP,         0x6826, kAlways) \
  ROW(HOST_CR0,                   0x6C00, kAlways) \
  ROW(HOST_CR3,                   0x6C02, kAlways) \
  ROW(HOST_CR4,                   0x6C04, kAlways) \
  ROW(HOST_FS_BASE,               0x6C06, kAlways) \
  ROW(HOST_GS_BASE,               0x6C08, kAlways) \
  ROW(HOST_TR_BASE,               0x6C0A, kAlways) \
  ROW(HOST_GDTR_BASE,             0x6C0C, kAlways) \
  ROW(HOST_IDTR_BASE,             0x6C0E, kAlways) \
  ROW(HOST_SYSENTER_ESP,          0x6C10, kAlways) \
  ROW(HOST_SYSENTER_EIP,          0x6C12, kAlways) \
  ROW(HOST_RSP,                   0x6C14, kAlways) \
  ROW(HOST_RIP,                   0x6C16, kAlways)
// clang-format on

// A field's position in the table; its values are kept in that order.
enum class VmcsField : u8 {
#define VTSIM_ROW(name, encoding, gate) name,
  VTSIM_VMCS_FIELDS(VTSIM_ROW)
#undef VTSIM_ROW
};

struct VmcsFieldRow {
  std::string_view name;
  u32 encoding;
  FieldGate gate;

  constexpr FieldWidth width() const { return static_cast<FieldWidth>(bits(encoding, 14, 13)); }
  constexpr FieldClass type() const { return static_cast<FieldClass>(bits(encoding, 11, 10)); }
  constexpr unsigned index() const { return static_cast<unsigned>(bits(encoding, 9, 1)); }
  constexpr unsigned bytes() const {
    switch (width()) {
      case FieldWidth::k16: return 2;
      case FieldWidth::k32: return 4;
      default: return 8;
    }
  }
  constexpr u64 mask() const { return low_mask(8 * bytes()); }
};

inline constexpr std::array kVmcsFields{
#define VTSIM_ROW(name, encoding, gate) VmcsFieldRow{#name, encoding, FieldGate::gate},
    VTSIM_VMCS_FIELDS(VTSIM_ROW)
#undef VTSIM_ROW
};
inline constexpr unsigned kVmcsFieldCount = kVmcsFields.size();

constexpr const VmcsFieldRow& row_of(VmcsField field) {
  return kVmcsFields[static_cast<unsigned>(field)];
}

namespace detail {
constexpr bool encodings_are_sound() {
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) {
    if (n > 0 && kVmcsFields[n].encoding <= kVmcsFields[n - 1].encoding) return false;
    constexpr u32 kZero = 1u << 12 | 1u;  // and everything above bit 14
    if (kVmcsFields[n].encoding & kZero || bits(kVmcsFields[n].encoding, 31, 15) != 0) return false;
  }
  return true;
}
}  // namespace detail
static_assert(detail::encodings_are_sound());

// The field `step` rows further: segment registers and lists lie one behind the other.
constexpr VmcsField operator+(VmcsField field, unsigned step) {
  return static_cast<VmcsField>(static_cast<unsigned>(field) + step);
}

}  // namespace vtsim::vmx
