#include "model/cpu/apic/local_apic.h"

#include "model/base/check.h"
#include "model/cpu/apic/interrupt_fabric.h"

namespace vtsim::cpu {
namespace {

bool carries_vector(DeliveryMode delivery) {
  return delivery == DeliveryMode::kFixed || delivery == DeliveryMode::kLowestPriority;
}

bool is_pin(LvtEntry entry) { return entry == LvtEntry::kLint0 || entry == LvtEntry::kLint1; }

LvtEntry lint_entry(unsigned pin) { return pin == 0 ? LvtEntry::kLint0 : LvtEntry::kLint1; }

// SDM 3A "Logical Destination Mode > Flat Model, Cluster Model". An address of all ones reaches
// every local APIC in both models.
bool matches_xapic_logical(u32 destination, u32 ldr, u32 dfr) {
  constexpr u32 kAll = 0xff;
  if (destination == kAll || destination == kBroadcastDestination) return true;
  if (destination > kAll) return false;
  const u64 id = LogicalDestination::XapicId.get(ldr);
  const u64 model = DestinationFormat::Model.get(dfr);
  if (model == DestinationFormat::kFlat) return (destination & id) != 0;
  if (model != DestinationFormat::kCluster) return false;
  const bool same_cluster = bits(destination, 7, 4) == bits(id, 7, 4);
  return same_cluster && (bits(destination, 3, 0) & bits(id, 3, 0)) != 0;
}

// SDM 3A "Logical Destination Mode in x2APIC Mode".
bool matches_x2apic_logical(u32 destination, u32 ldr) {
  if (destination == kBroadcastDestination) return true;
  const Field cluster = LogicalDestination::X2apicCluster;
  const Field member = LogicalDestination::X2apicMember;
  return cluster.get(destination) == cluster.get(ldr) &&
         (member.get(destination) & member.get(ldr)) != 0;
}

}  // namespace

LocalApicConfig local_apic_config(const CpuModel& model, const CpuFeatures& offered, u32 apic_id) {
  LocalApicConfig config;
  config.apic_id = apic_id;
  config.version = model.apic_version;
  config.max_lvt = model.apic_max_lvt;
  config.eoi_broadcast_suppression = model.apic_eoi_broadcast_suppression;
  config.x2apic = offered[Feature::kX2apic];
  // SDM 3A "Local APIC Register Address Map": read-only from Nehalem on, which brought x2APIC.
  config.id_writable = !model.silicon[Feature::kX2apic];
  config.tsc_deadline = offered[Feature::kTscDeadline];
  config.physical_address_bits = model.physical_address_bits;
  config.timer_clock = Frequency{model.frequencies.apic_timer_hz};
  return config;
}

LocalApic::LocalApic(const LocalApicConfig& config, const Ports& ports, const std::string& name)
    : config_(config),
      ports_(ports),
      timer_event_(ports.events.add(name, [this](Ps now) { timer_due(now); })) {
  ports_.fabric.add(*this);
  reset(0);
}

// ---- resets: SDM 3A "Local APIC State After Power-Up or Reset"

void LocalApic::reset(Ps now) {
  state_.base = Reg<ApicBase>(ApicBase::kResetAddress)
                    .with(ApicBase::Enable, 1)
                    .with(ApicBase::Bsp, config_.bootstrap_processor)
                    .value;
  state_.id = static_cast<u8>(config_.apic_id);
  reset_registers(now);
}

// SDM 3A "Local APIC State After an INIT Reset", "x2APIC State Transitions": the mode, the
// base address and the APIC ID stay.
void LocalApic::init(Ps now) { reset_registers(now); }

void LocalApic::reset_registers(Ps now) {
  LocalApicState fresh;
  fresh.base = state_.base;
  fresh.id = state_.id;
  fresh.lint = state_.lint;
  fresh.lvt.fill(Lvt::kReset);
  state_ = fresh;
  schedule_timer(now);
  update(now);
}

void LocalApic::enter_virtual_wire_mode(Ps now) {
  const auto unmasked = [](DeliveryMode delivery) {
    return Reg<Lvt>().with(Lvt::Delivery, static_cast<u64>(delivery));
  };
  state_.svr = static_cast<u32>(svr().with(SpuriousVector::SoftwareEnable, 1).value);
  set_lvt(LvtEntry::kLint0, unmasked(DeliveryMode::kExtInt));
  set_lvt(LvtEntry::kLint1, unmasked(DeliveryMode::kNmi));
  update(now);
}

void LocalApic::restore(const LocalApicState& state, Ps now) {
  state_ = state;
  schedule_timer(now);
  update(now);
}

// ---- IA32_APIC_BASE: SDM 3A "x2APIC State Transitions"

MsrStatus LocalApic::write_apic_base(u64 value, Ps now) {
  const Reg<ApicBase> next(value);
  const Field address{config_.physical_address_bits - 1, ApicBase::kAddressLowBit};
  u64 defined = address.mask() | ApicBase::Enable.mask() | ApicBase::Bsp.mask();
  if (config_.x2apic) defined |= ApicBase::X2apic.mask();
  if ((value & ~defined) != 0) return MsrStatus::kGeneralProtection;

  const bool enable = next[ApicBase::Enable];
  const bool extend = next[ApicBase::X2apic];
  const bool was_extended = x2apic_mode();
  const bool invalid_state = extend && !enable;
  const bool x2apic_to_xapic = was_extended && enable && !extend;
  const bool disabled_to_x2apic = !hardware_enabled() && extend;
  if (invalid_state || x2apic_to_xapic || disabled_to_x2apic) return MsrStatus::kGeneralProtection;

  const bool disabling = hardware_enabled() && !enable;
  state_.base = value;
  if (extend && !was_extended) {
    // SDM 3A "State Changes From xAPIC Mode to x2APIC Mode": all else is preserved.
    state_.id = config_.apic_id;
    state_.ldr = 0;
    state_.icr = Icr::X2apicDestination.put(state_.icr, 0);
  }
  if (disabling) {
    // "Prior initialization to the APIC may be lost and the APIC may return to the state [after
    // power-up or reset]": here it always does.
    state_.id = static_cast<u8>(config_.apic_id);
    reset_registers(now);
  }
  update(now);
  return MsrStatus::kOk;
}

bool LocalApic::claims(Hpa page) const {
  const Field address{config_.physical_address_bits - 1, ApicBase::kAddressLowBit};
  return hardware_enabled() && !x2apic_mode() && page.page_number() == address.get(state_.base);
}

// ---- priorities

// SDM 3A "Task and Processor Priorities". SDM-NOTE: where both classes are equal the manual leaves
// PPR[3:0] to the model: they are TPR[3:0] here.
u8 LocalApic::processor_priority() const {
  const u8 in_service = state_.isr.highest().value_or(0);
  if (Priority::Class.get(state_.tpr) >= Priority::Class.get(in_service)) return state_.tpr;
  return static_cast<u8>(Priority::SubClass.put(in_service, 0));
}

bool LocalApic::ext_int_requested() const {
  // SDM 3A "Enabling or Disabling the Local APIC": when disabled, LINT0 is the INTR pin.
  if (!hardware_enabled()) return state_.lint[0] == Level::kAssert;
  if (state_.ext_int_message) return true;
  for (const LvtEntry entry : {LvtEntry::kLint0, LvtEntry::kLint1}) {
    const Reg<Lvt> row = lvt(entry);
    const bool ext_int = row[Lvt::Delivery] == static_cast<u64>(DeliveryMode::kExtInt);
    if (ext_int && !row[Lvt::Mask] && lint_asserted(entry)) return true;
  }
  return false;
}

void LocalApic::update(Ps now) {
  const bool ext_int = ext_int_requested();
  std::optional<u8> deliverable = state_.irr.highest();
  if (deliverable &&
      Priority::Class.get(*deliverable) <= Priority::Class.get(processor_priority())) {
    deliverable.reset();
  }
  if (ext_int == ext_int_ && deliverable == deliverable_) return;
  ext_int_ = ext_int;
  deliverable_ = deliverable;
  ports_.core.interrupt_line_changed(now);
}

// SDM-NOTE: the manual does not order an ExtINT and the local APIC's own interrupts: ExtINT is
// first.
u8 LocalApic::acknowledge(Ps now) {
  if (ext_int_) {
    state_.ext_int_message = false;
    const u8 vector = ports_.pic.interrupt_acknowledge(now);
    update(now);
    return vector;
  }
  if (!deliverable_) return static_cast<u8>(svr()[SpuriousVector::Vector]);
  const u8 vector = *deliverable_;
  state_.irr.erase(vector);
  state_.isr.insert(vector);
  update(now);
  return vector;
}

void LocalApic::set_cr8(u8 priority_class, Ps now) {
  state_.tpr = static_cast<u8>(Priority::Class.put(0, priority_class));
  update(now);
}

// ---- messages

u32 LocalApic::logical_id() const {
  if (!x2apic_mode()) return state_.ldr;
  // SDM 3A "Deriving Logical x2APIC ID from the Local x2APIC ID".
  const u64 member = Flag{static_cast<unsigned>(bits(state_.id, 3, 0))}.mask();
  const u64 cluster = bits(state_.id, 19, 4);
  return static_cast<u32>(LogicalDestination::X2apicCluster.put(member, cluster));
}

bool LocalApic::is_addressed_by(const InterruptMessage& message) const {
  if (!hardware_enabled()) return false;
  const u32 destination = message.destination;
  if (message.destination_mode == DestinationMode::kPhysical) {
    return destination == kBroadcastDestination || destination == state_.id;
  }
  return x2apic_mode() ? matches_x2apic_logical(destination, logical_id())
                       : matches_xapic_logical(destination, state_.ldr, state_.dfr);
}

void LocalApic::accept(const InterruptMessage& message, Ps now) {
  // Disabled by IA32_APIC_BASE, it hears nothing; disabled by software, it still takes NMI, SMI,
  // INIT and start-up. SDM 3A "Local APIC State After It Has Been Software Disabled".
  if (!hardware_enabled()) return;
  // NMI, SMI and INIT are edge-triggered whatever the message says.
  const bool deassert = message.trigger == TriggerMode::kLevel && message.level == Level::kDeassert;
  const bool accepts = software_enabled() && !deassert;
  switch (message.delivery) {
    case DeliveryMode::kFixed:
    case DeliveryMode::kLowestPriority:
      if (accepts) accept_vector(message.vector, message.trigger, now);
      return;
    case DeliveryMode::kSmi:
      return ports_.core.smi(now);
    case DeliveryMode::kNmi:
      return ports_.core.nmi(now);
    case DeliveryMode::kInit:
      return ports_.core.init(now);
    case DeliveryMode::kStartup:
      return ports_.core.startup(message.vector, now);
    case DeliveryMode::kExtInt:
      if (!accepts) return;
      state_.ext_int_message = true;
      return update(now);
    case DeliveryMode::kReserved:
      return;
  }
}

// SDM 3A "Interrupt Acceptance for Fixed Interrupts", "Trigger Mode Register".
void LocalApic::accept_vector(u8 vector, TriggerMode trigger, Ps now) {
  if (vector < kFirstLegalVector) return record_error(ErrorStatus::ReceiveIllegalVector, now);
  state_.irr.insert(vector);
  if (trigger == TriggerMode::kLevel) {
    state_.tmr.insert(vector);
  } else {
    state_.tmr.erase(vector);
  }
  update(now);
}

void LocalApic::send_ipi(Ps now) {
  const Reg<Icr> icr(state_.icr);
  InterruptMessage message;
  message.vector = static_cast<u8>(icr[Icr::Vector]);
  message.delivery = static_cast<DeliveryMode>(icr[Icr::Delivery]);
  message.destination_mode =
      icr[Icr::Logical] ? DestinationMode::kLogical : DestinationMode::kPhysical;
  const Field destination = x2apic_mode() ? Icr::X2apicDestination : Icr::XapicDestination;
  message.destination = static_cast<u32>(icr[destination]);
  const bool broadcast = !x2apic_mode() && message.destination == 0xff &&
                         message.destination_mode == DestinationMode::kPhysical;
  if (broadcast) message.destination = kBroadcastDestination;

  const bool reserved =
      message.delivery == DeliveryMode::kReserved || message.delivery == DeliveryMode::kExtInt;
  if (reserved) return;
  // SDM 3A "Interrupt Command Register (ICR)": level and trigger mode have a meaning for the INIT
  // level de-assert message only, which synchronized arbitration IDs and now does nothing.
  const bool init_deassert =
      message.delivery == DeliveryMode::kInit && icr[Icr::LevelTriggered] && !icr[Icr::Assert];
  if (init_deassert) return;
  send(static_cast<Shorthand>(icr[Icr::Shorthand]), message, now);
}

// An illegal vector is noted and sent: its receivers note it too.
void LocalApic::send(Shorthand shorthand, const InterruptMessage& message, Ps now) {
  if (carries_vector(message.delivery) && message.vector < kFirstLegalVector) {
    record_error(ErrorStatus::SendIllegalVector, now);
  }
  ports_.fabric.send_ipi(*this, shorthand, message, now);
}

// ---- local sources

void LocalApic::trigger_lvt(LvtEntry entry, Ps now) {
  const Reg<Lvt> row = lvt(entry);
  if (row[Lvt::Mask]) return;
  switch (static_cast<DeliveryMode>(row[Lvt::Delivery])) {
    case DeliveryMode::kFixed:
      return accept_vector(static_cast<u8>(row[Lvt::Vector]), TriggerMode::kEdge, now);
    case DeliveryMode::kSmi:
      return ports_.core.smi(now);
    case DeliveryMode::kNmi:
      return ports_.core.nmi(now);
    case DeliveryMode::kInit:
      if (is_pin(entry)) ports_.core.init(now);  // "not supported" for the other entries
      return;
    case DeliveryMode::kExtInt:  // follows the pin's level: ext_int_requested()
    case DeliveryMode::kLowestPriority:
    case DeliveryMode::kStartup:
    case DeliveryMode::kReserved:
      return;
  }
}

void LocalApic::local_interrupt(LvtEntry entry, Ps now) {
  trigger_lvt(entry, now);
  // SDM 3A "Local Vector Table > Mask": set when the local APIC handles this interrupt.
  if (entry == LvtEntry::kPerformance) set_lvt(entry, lvt(entry).with(Lvt::Mask, 1));
}

bool LocalApic::lint_asserted(LvtEntry entry) const {
  const Level level = state_.lint[entry == LvtEntry::kLint0 ? 0 : 1];
  const bool high = level == Level::kAssert;
  return high != lvt(entry)[Lvt::ActiveLow];
}

void LocalApic::set_lint(unsigned pin, Level level, Ps now) {
  SIM_CHECK(pin < 2);
  const LvtEntry entry = lint_entry(pin);
  const bool was_asserted = lint_asserted(entry);
  state_.lint[pin] = level;
  const bool rises = !was_asserted && lint_asserted(entry);
  if (!hardware_enabled()) {
    // LINT1 is the NMI pin.
    if (pin == 1 && rises) ports_.core.nmi(now);
  } else if (rises) {
    if (is_level_triggered(entry)) {
      sample_lint(entry, now);
    } else {
      trigger_lvt(entry, now);
    }
  }
  update(now);
}

// SDM 3A "Local Vector Table > Trigger Mode": it counts for fixed delivery only, and LINT1 does not
// support level sensitivity.
bool LocalApic::is_level_triggered(LvtEntry entry) const {
  const Reg<Lvt> row = lvt(entry);
  const bool fixed = row[Lvt::Delivery] == static_cast<u64>(DeliveryMode::kFixed);
  return entry == LvtEntry::kLint0 && fixed && row[Lvt::LevelTriggered];
}

// A level-triggered pin interrupts while it is asserted and its last interrupt has seen its EOI.
void LocalApic::sample_lint(LvtEntry entry, Ps now) {
  const Reg<Lvt> row = lvt(entry);
  if (!is_level_triggered(entry) || row[Lvt::Mask] || row[Lvt::RemoteIrr]) return;
  if (!lint_asserted(entry)) return;
  const u8 vector = static_cast<u8>(row[Lvt::Vector]);
  if (vector >= kFirstLegalVector) set_lvt(entry, row.with(Lvt::RemoteIrr, 1));
  accept_vector(vector, TriggerMode::kLevel, now);
}

// SDM 3A "Error Handling": errors gather until a write to ESR shows them and rearms the interrupt.
void LocalApic::record_error(Flag error, Ps now) {
  state_.pending_errors |= static_cast<u32>(error.mask());
  if (!state_.error_armed) return;
  state_.error_armed = false;
  trigger_lvt(LvtEntry::kError, now);
}

}  // namespace vtsim::cpu
