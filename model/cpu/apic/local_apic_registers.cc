// The local APIC's registers: one table for the xAPIC page and the x2APIC MSRs.
// SDM 3A "Local APIC Register Address Map", "x2APIC Register Address Space".

#include "model/cpu/apic/interrupt_fabric.h"
#include "model/cpu/apic/local_apic.h"

namespace vtsim::cpu {
namespace {

constexpr u32 kFirstMsr = 0x800;
constexpr u32 kLastMsr = 0x8ff;
constexpr u64 kRegisterSpacing = 16;  // bytes, on the xAPIC page

// Register numbers: offset on the xAPIC page / 16, MSR - 0x800.
constexpr u64 kIsr = 0x10;
constexpr u64 kTmr = 0x18;
constexpr u64 kIrr = 0x20;
constexpr u64 kLvtCmci = 0x2f;
constexpr u64 kIcr = 0x30;
constexpr u64 kLvtTimer = 0x32;

enum class Access : u8 { kNone, kRead, kWrite, kBoth };
constexpr bool can_read(Access a) { return a == Access::kRead || a == Access::kBoth; }
constexpr bool can_write(Access a) { return a == Access::kWrite || a == Access::kBoth; }
constexpr Access kNo = Access::kNone;
constexpr Access kRo = Access::kRead;
constexpr Access kWo = Access::kWrite;
constexpr Access kRw = Access::kBoth;

template <class... Parts>
constexpr u32 fields(Parts... parts) {
  return static_cast<u32>((u64{0} | ... | parts.mask()));
}

// Bits that exist, read-only ones included; the others are reserved.
constexpr u32 kPriorityBits = fields(Priority::Class, Priority::SubClass);
constexpr u32 kSvrBits = fields(SpuriousVector::Vector, SpuriousVector::SoftwareEnable,
                                SpuriousVector::EoiBroadcastSuppression);
constexpr u32 kLvtErrorBits = fields(Lvt::Vector, Lvt::DeliveryStatus, Lvt::Mask);
constexpr u32 kLvtTimerBits = kLvtErrorBits | fields(Lvt::TimerMode);
constexpr u32 kLvtEventBits = kLvtErrorBits | fields(Lvt::Delivery);
constexpr u32 kLvtLintBits =
    kLvtEventBits | fields(Lvt::ActiveLow, Lvt::RemoteIrr, Lvt::LevelTriggered);
constexpr u32 kLvtReadOnlyBits = fields(Lvt::DeliveryStatus, Lvt::RemoteIrr);
constexpr u32 kIcrLowBits = fields(Icr::Vector, Icr::Delivery, Icr::Logical, Icr::Assert,
                                   Icr::LevelTriggered, Icr::Shorthand);
constexpr u32 kIcrHighBits = fields(LogicalDestination::XapicId);
constexpr u32 kDivideBits = fields(Flag{3}, Field{1, 0});
constexpr u32 kVectorBits = fields(Icr::Vector);
constexpr u32 kAllBits = ~u32{0};

// The LVT registers stand in the order of LvtEntry, LVT CMCI apart.
constexpr LvtEntry lvt_entry(u64 index) {
  return index == kLvtCmci ? LvtEntry::kCmci : static_cast<LvtEntry>(index - kLvtTimer + 1);
}

}  // namespace

struct LocalApic::RegisterRow {
  u64 first;
  u64 last;
  const char* name;
  Access xapic;
  Access x2apic;
  u32 defined;
  u32 (LocalApic::*read)(u64 index, Ps now);
  void (LocalApic::*write)(u64 index, u32 value, Ps now);
};

// clang-format off
// The arbitration priority and remote read registers are "not supported" on processors without an
// APIC bus, yet an access to them is no error.
constexpr LocalApic::RegisterRow LocalApic::kRegisters[] = {
  // number      name              xAPIC x2APIC  defined        read                            write
  {0x02, 0x02, "ID",               kRw,  kRo,    kIcrHighBits,  &LocalApic::read_id,            &LocalApic::write_id},
  {0x03, 0x03, "Version",          kRo,  kRo,    0,             &LocalApic::read_version,       nullptr},
  {0x08, 0x08, "TPR",              kRw,  kRw,    kPriorityBits, &LocalApic::read_tpr,           &LocalApic::write_tpr},
  {0x09, 0x09, "APR",              kRo,  kNo,    0,             &LocalApic::read_zero,          nullptr},
  {0x0a, 0x0a, "PPR",              kRo,  kRo,    0,             &LocalApic::read_ppr,           nullptr},
  {0x0b, 0x0b, "EOI",              kWo,  kWo,    0,             nullptr,                        &LocalApic::write_eoi},
  {0x0c, 0x0c, "RRD",              kRo,  kNo,    0,             &LocalApic::read_zero,          nullptr},
  {0x0d, 0x0d, "LDR",              kRw,  kRo,    kIcrHighBits,  &LocalApic::read_ldr,           &LocalApic::write_ldr},
  {0x0e, 0x0e, "DFR",              kRw,  kNo,    kAllBits,      &LocalApic::read_dfr,           &LocalApic::write_dfr},
  {0x0f, 0x0f, "SVR",              kRw,  kRw,    kSvrBits,      &LocalApic::read_svr,           &LocalApic::write_svr},
  {0x10, 0x17, "ISR",              kRo,  kRo,    0,             &LocalApic::read_isr,           nullptr},
  {0x18, 0x1f, "TMR",              kRo,  kRo,    0,             &LocalApic::read_tmr,           nullptr},
  {0x20, 0x27, "IRR",              kRo,  kRo,    0,             &LocalApic::read_irr,           nullptr},
  {0x28, 0x28, "ESR",              kRw,  kRw,    0,             &LocalApic::read_esr,           &LocalApic::write_esr},
  {0x2f, 0x2f, "LVT CMCI",         kRw,  kRw,    kLvtEventBits, &LocalApic::read_lvt,           &LocalApic::write_lvt},
  {0x30, 0x30, "ICR",              kRw,  kRw,    kIcrLowBits,   &LocalApic::read_icr_low,       &LocalApic::write_icr_low},
  {0x31, 0x31, "ICR high",         kRw,  kNo,    kIcrHighBits,  &LocalApic::read_icr_high,      &LocalApic::write_icr_high},
  {0x32, 0x32, "LVT Timer",        kRw,  kRw,    kLvtTimerBits, &LocalApic::read_lvt,           &LocalApic::write_timer_lvt},
  {0x33, 0x33, "LVT Thermal",      kRw,  kRw,    kLvtEventBits, &LocalApic::read_lvt,           &LocalApic::write_lvt},
  {0x34, 0x34, "LVT Performance",  kRw,  kRw,    kLvtEventBits, &LocalApic::read_lvt,           &LocalApic::write_lvt},
  {0x35, 0x36, "LVT LINT",         kRw,  kRw,    kLvtLintBits,  &LocalApic::read_lvt,           &LocalApic::write_lvt},
  {0x37, 0x37, "LVT Error",        kRw,  kRw,    kLvtErrorBits, &LocalApic::read_lvt,           &LocalApic::write_lvt},
  {0x38, 0x38, "Initial Count",    kRw,  kRw,    kAllBits,      &LocalApic::read_initial_count, &LocalApic::write_initial_count},
  {0x39, 0x39, "Current Count",    kRo,  kRo,    0,             &LocalApic::read_current_count, nullptr},
  {0x3e, 0x3e, "Divide",           kRw,  kRw,    kDivideBits,   &LocalApic::read_divide,        &LocalApic::write_divide},
  {0x3f, 0x3f, "Self IPI",         kNo,  kWo,    kVectorBits,   nullptr,                        &LocalApic::write_self_ipi},
};
// clang-format on

const LocalApic::RegisterRow* LocalApic::find_register(u64 index) {
  for (const RegisterRow& row : kRegisters) {
    if (index >= row.first && index <= row.last) return &row;
  }
  return nullptr;
}

const LocalApic::RegisterRow* LocalApic::present_register(u64 index) const {
  constexpr u8 kMaxLvtWithCmci = 6;
  if (index == kLvtCmci && config_.max_lvt < kMaxLvtWithCmci) return nullptr;
  const RegisterRow* row = find_register(index);
  if (row == nullptr) return nullptr;
  return (x2apic_mode() ? row->x2apic : row->xapic) == Access::kNone ? nullptr : row;
}

u64 LocalApic::reserved_bits(const RegisterRow& row) const {
  u64 defined = row.defined;
  if (row.first == kLvtTimer && !config_.tsc_deadline) defined &= ~Flag{Lvt::TimerMode.hi}.mask();
  if (row.write == &LocalApic::write_svr && !config_.eoi_broadcast_suppression) {
    defined &= ~SpuriousVector::EoiBroadcastSuppression.mask();
  }
  // In x2APIC mode the whole ICR is one register.
  if (row.first == kIcr && x2apic_mode()) defined |= Icr::X2apicDestination.mask();
  return ~defined;
}

// ---- x2APIC MSRs

std::optional<u64> LocalApic::read_msr(u32 msr, Ps now) {
  if (!x2apic_mode() || msr < kFirstMsr || msr > kLastMsr) return std::nullopt;
  const u64 index = msr - kFirstMsr;
  const RegisterRow* row = present_register(index);
  if (row == nullptr || !can_read(row->x2apic)) return std::nullopt;
  if (index == kIcr) return state_.icr;
  return (this->*row->read)(index, now);
}

MsrStatus LocalApic::write_msr(u32 msr, u64 value, Ps now) {
  if (!x2apic_mode() || msr < kFirstMsr || msr > kLastMsr) return MsrStatus::kGeneralProtection;
  const u64 index = msr - kFirstMsr;
  const RegisterRow* row = present_register(index);
  if (row == nullptr || !can_write(row->x2apic)) return MsrStatus::kGeneralProtection;
  if ((value & reserved_bits(*row)) != 0) return MsrStatus::kGeneralProtection;
  if (index == kIcr) {
    state_.icr = value;
    send_ipi(now);
  } else {
    (this->*row->write)(index, static_cast<u32>(value), now);
  }
  return MsrStatus::kOk;
}

// ---- the xAPIC page
// SDM-NOTE: "aligned on 128-bit boundaries, all registers must be accessed using loads and stores
// of 32 bits"; the effect of others is undefined. Here smaller or larger loads see the 32-bit
// register and zeros around it, other stores are dropped.

u64 LocalApic::read(u64 offset, unsigned size, Ps now) {
  const u64 index = offset / kRegisterSpacing;
  const unsigned byte = static_cast<unsigned>(offset % kRegisterSpacing);
  const RegisterRow* row = present_register(index);
  if (row == nullptr) {
    record_error(ErrorStatus::IllegalRegisterAddress, now);
    return 0;
  }
  if (!can_read(row->xapic) || byte >= sizeof(u32)) return 0;
  const u64 value = (this->*row->read)(index, now);
  return bits(value, byte * 8 + size * 8 - 1, byte * 8);
}

void LocalApic::write(u64 offset, unsigned size, u64 value, Ps now) {
  const u64 index = offset / kRegisterSpacing;
  const RegisterRow* row = present_register(index);
  if (row == nullptr) return record_error(ErrorStatus::IllegalRegisterAddress, now);
  if (size != sizeof(u32) || offset % kRegisterSpacing != 0 || !can_write(row->xapic)) return;
  (this->*row->write)(index, static_cast<u32>(value & ~reserved_bits(*row)), now);
}

// ---- identification

u32 LocalApic::read_zero(u64, Ps) { return 0; }

u32 LocalApic::read_id(u64, Ps) {
  if (x2apic_mode()) return state_.id;
  return static_cast<u32>(LogicalDestination::XapicId.put(0, state_.id));
}

void LocalApic::write_id(u64, u32 value, Ps) {
  if (config_.id_writable) state_.id = static_cast<u32>(LogicalDestination::XapicId.get(value));
}

u32 LocalApic::read_version(u64, Ps) {
  return static_cast<u32>(
      Reg<ApicVersion>()
          .with(ApicVersion::Version, config_.version)
          .with(ApicVersion::MaxLvt, config_.max_lvt)
          .with(ApicVersion::EoiBroadcastSuppression, config_.eoi_broadcast_suppression)
          .value);
}

u32 LocalApic::read_ldr(u64, Ps) { return logical_id(); }
void LocalApic::write_ldr(u64, u32 value, Ps) { state_.ldr = value; }

u32 LocalApic::read_dfr(u64, Ps) { return state_.dfr; }
void LocalApic::write_dfr(u64, u32 value, Ps) {
  const u64 model = DestinationFormat::Model.get(value);
  state_.dfr = static_cast<u32>(DestinationFormat::Model.put(DestinationFormat::kReset, model));
}

// ---- priorities and the interrupt sets

u32 LocalApic::read_tpr(u64, Ps) { return state_.tpr; }
void LocalApic::write_tpr(u64, u32 value, Ps now) {
  state_.tpr = static_cast<u8>(value);
  update(now);
}

u32 LocalApic::read_ppr(u64, Ps) { return processor_priority(); }

u32 LocalApic::read_isr(u64 index, Ps) {
  return state_.isr.register_value(static_cast<unsigned>(index - kIsr));
}
u32 LocalApic::read_tmr(u64 index, Ps) {
  return state_.tmr.register_value(static_cast<unsigned>(index - kTmr));
}
u32 LocalApic::read_irr(u64 index, Ps) {
  return state_.irr.register_value(static_cast<unsigned>(index - kIrr));
}

// SDM 3A "Signaling Interrupt Servicing Completion".
void LocalApic::write_eoi(u64, u32, Ps now) {
  const std::optional<u8> vector = state_.isr.highest();
  if (!vector) return;
  state_.isr.erase(*vector);
  update(now);
  if (!state_.tmr.contains(*vector)) return;
  if (!svr()[SpuriousVector::EoiBroadcastSuppression]) ports_.fabric.broadcast_eoi(*vector, now);
  const Reg<Lvt> lint0 = lvt(LvtEntry::kLint0);
  if (lint0[Lvt::RemoteIrr] && lint0[Lvt::Vector] == *vector) {
    set_lvt(LvtEntry::kLint0, lint0.with(Lvt::RemoteIrr, 0));
    sample_lint(LvtEntry::kLint0, now);
  }
}

// SDM 3A "Local APIC State After It Has Been Software Disabled": all LVT entries are masked and
// stay so; what IRR and ISR hold stays pending.
u32 LocalApic::read_svr(u64, Ps) { return state_.svr; }
void LocalApic::write_svr(u64, u32 value, Ps now) {
  catch_up_timer(now);
  state_.svr = value;
  if (!software_enabled()) {
    for (u32& entry : state_.lvt) entry = static_cast<u32>(entry | Lvt::Mask.mask());
  }
  schedule_timer(now);
  update(now);
}

// ---- errors

u32 LocalApic::read_esr(u64, Ps) { return state_.esr; }
void LocalApic::write_esr(u64, u32, Ps) {
  state_.esr = state_.pending_errors;
  state_.pending_errors = 0;
  state_.error_armed = true;
}

// ---- local vector table

u32 LocalApic::read_lvt(u64 index, Ps) { return static_cast<u32>(lvt(lvt_entry(index)).value); }
void LocalApic::write_lvt(u64 index, u32 value, Ps now) {
  const LvtEntry entry = lvt_entry(index);
  Reg<Lvt> next((value & ~kLvtReadOnlyBits) | (lvt(entry).value & kLvtReadOnlyBits));
  if (!software_enabled()) next.set(Lvt::Mask, 1);
  set_lvt(entry, next);
  // The remote IRR flag has a meaning for level-triggered interrupts only.
  if (!is_level_triggered(entry)) set_lvt(entry, next.with(Lvt::RemoteIrr, 0));
  sample_lint(entry, now);
  update(now);
}

u32 LocalApic::read_initial_count(u64, Ps) { return state_.timer.initial_count; }
u32 LocalApic::read_divide(u64, Ps) { return state_.timer.divide_configuration; }

// ---- interprocessor interrupts

u32 LocalApic::read_icr_low(u64, Ps) { return static_cast<u32>(bits(state_.icr, 31, 0)); }
void LocalApic::write_icr_low(u64, u32 value, Ps now) {
  state_.icr = Field{31, 0}.put(state_.icr, value);
  send_ipi(now);
}

u32 LocalApic::read_icr_high(u64, Ps) { return static_cast<u32>(bits(state_.icr, 63, 32)); }
void LocalApic::write_icr_high(u64, u32 value, Ps) {
  state_.icr = Field{63, 32}.put(state_.icr, value);
}

// SDM 3A "SELF IPI Register": as a fixed, edge-triggered IPI with the self shorthand. The ICR keeps
// its value.
void LocalApic::write_self_ipi(u64, u32 value, Ps now) {
  InterruptMessage message;
  message.vector = static_cast<u8>(value);
  send(Shorthand::kSelf, message, now);
}

}  // namespace vtsim::cpu
