#pragma once
// Layouts of the local APIC's registers. SDM 3A "Advanced Programmable Interrupt Controller
// (APIC)".

#include "model/base/bits.h"

namespace vtsim::cpu {

// SDM 3A "Local APIC Status and Location", "Extended XAPIC (x2APIC)".
struct ApicBase {
  static constexpr u32 kMsr = 0x1b;
  static constexpr u64 kResetAddress = 0xfee0'0000;
  static constexpr Flag Enable{11};
  static constexpr Flag X2apic{10};
  static constexpr Flag Bsp{8};
  // The address ends at MAXPHYADDR - 1.
  static constexpr unsigned kAddressLowBit = 12;
};

struct ApicVersion {
  static constexpr Flag EoiBroadcastSuppression{24};
  static constexpr Field MaxLvt{23, 16};
  static constexpr Field Version{7, 0};
};

struct SpuriousVector {
  static constexpr Flag EoiBroadcastSuppression{12};
  static constexpr Flag SoftwareEnable{8};
  static constexpr Field Vector{7, 0};
  static constexpr u32 kReset = 0xff;
};

// Local vector table entries; not every entry has every field.
struct Lvt {
  static constexpr Field TimerMode{18, 17};
  static constexpr Flag Mask{16};
  static constexpr Flag LevelTriggered{15};
  static constexpr Flag RemoteIrr{14};
  static constexpr Flag ActiveLow{13};
  static constexpr Flag DeliveryStatus{12};
  static constexpr Field Delivery{10, 8};
  static constexpr Field Vector{7, 0};
  static constexpr u32 kReset = 0x0001'0000;
};

enum class TimerMode : u8 { kOneShot = 0, kPeriodic = 1, kTscDeadline = 2, kReserved = 3 };

// The destination is ICR[63:56] in xAPIC mode and ICR[63:32] in x2APIC mode.
struct Icr {
  static constexpr Field X2apicDestination{63, 32};
  static constexpr Field XapicDestination{63, 56};
  static constexpr Field Shorthand{19, 18};
  static constexpr Flag LevelTriggered{15};
  static constexpr Flag Assert{14};
  static constexpr Flag DeliveryStatus{12};
  static constexpr Flag Logical{11};
  static constexpr Field Delivery{10, 8};
  static constexpr Field Vector{7, 0};
};

enum class Shorthand : u8 { kNone = 0, kSelf = 1, kAllIncludingSelf = 2, kAllExcludingSelf = 3 };

// Bits 0 to 3 are checksum and accept errors of the P6 family's APIC bus; bit 4 is for parts that
// cannot send lowest-priority IPIs. Neither can happen here.
struct ErrorStatus {
  static constexpr Flag IllegalRegisterAddress{7};
  static constexpr Flag ReceiveIllegalVector{6};
  static constexpr Flag SendIllegalVector{5};
};

struct LogicalDestination {
  static constexpr Field XapicId{31, 24};
  static constexpr Field X2apicCluster{31, 16};
  static constexpr Field X2apicMember{15, 0};
};

struct DestinationFormat {
  static constexpr Field Model{31, 28};
  static constexpr u64 kFlat = 0xf;
  static constexpr u64 kCluster = 0;
  static constexpr u32 kReset = 0xffff'ffff;
};

// SDM 3A "Error Handling": vectors 0 to 15 are illegal for maskable interrupts.
inline constexpr u8 kFirstLegalVector = 16;

// Both TPR and PPR.
struct Priority {
  static constexpr Field Class{7, 4};
  static constexpr Field SubClass{3, 0};
};

}  // namespace vtsim::cpu
