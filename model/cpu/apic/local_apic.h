#pragma once
// The local APIC, in xAPIC and x2APIC mode. SDM 3A "Advanced Programmable Interrupt Controller
// (APIC)".
//
//   ICR / MSI / I/O APIC --> InterruptFabric --> accept() --+
//   LINT0, LINT1, timer, thermal, performance, error --> LVT +--> IRR --(PPR)-->
//   interrupt_pending()
//                                                            |     acknowledge(): IRR -> ISR
//                                                            +--> CoreSignals: NMI, SMI, INIT, SIPI
//
// The core owns the order of events: it looks at interrupt_pending() between instructions, takes
// the vector with acknowledge() when it may, and calls init() when it really performs an INIT (the
// signal may have to wait for SMM or VMX operation). Every call carries the caller's local time.
//
// APIC virtualization sits in front of this: the core decides whether an access to the APIC page,
// an x2APIC MSR or CR8 comes here or to the virtual-APIC page; this class does not know.

#include <array>
#include <optional>
#include <string>

#include "model/base/event_queue.h"
#include "model/base/interrupt_message.h"
#include "model/cpu/apic/apic_registers.h"
#include "model/cpu/apic/apic_timer.h"
#include "model/cpu/apic/interrupt_set.h"
#include "model/cpu/cpu_model.h"

namespace vtsim::cpu {

class InterruptFabric;

// The core, as its local APIC sees it. Signals are edges: the core remembers them as its state
// says.
class CoreSignals {
 public:
  virtual ~CoreSignals() = default;
  virtual void nmi(Ps now) = 0;
  virtual void smi(Ps now) = 0;
  virtual void init(Ps now) = 0;
  virtual void startup(u8 vector, Ps now) = 0;
  // interrupt_pending() or what acknowledge() would return has changed.
  virtual void interrupt_line_changed(Ps now) = 0;
};

// IA32_TIME_STAMP_COUNTER as this core's root operation sees it: both directions must agree.
class TscClock {
 public:
  virtual ~TscClock() = default;
  virtual u64 tsc_at(Ps now) const = 0;
  // The first moment at which the counter is at or above `tsc`; a moment that has passed where it
  // already is; kNever beyond the end of simulated time.
  virtual Ps time_of_tsc(u64 tsc) const = 0;
};

struct LocalApicConfig {
  u32 apic_id = 0;  // the initial one: 32 bits in x2APIC mode, the low 8 in xAPIC mode
  bool bootstrap_processor = false;
  u8 version = 0x15;
  u8 max_lvt = 6;
  bool eoi_broadcast_suppression = true;
  bool x2apic = true;
  bool id_writable = false;  // on the xAPIC page
  bool tsc_deadline = true;
  u32 physical_address_bits = 46;
  Frequency timer_clock{25'000'000};
};

LocalApicConfig local_apic_config(const CpuModel& model, const CpuFeatures& offered, u32 apic_id);

enum class LvtEntry : u8 { kCmci, kTimer, kThermal, kPerformance, kLint0, kLint1, kError };
inline constexpr std::size_t kLvtEntries = 7;

// Everything that a checkpoint must save, besides the timer's deadline in the event queue.
struct LocalApicState {
  u64 base = 0;  // IA32_APIC_BASE
  u32 id = 0;
  u8 tpr = 0;
  u32 ldr = 0;  // xAPIC mode only
  u32 dfr = DestinationFormat::kReset;
  u32 svr = SpuriousVector::kReset;
  InterruptSet isr, tmr, irr;
  u32 esr = 0;
  u32 pending_errors = 0;   // since the last write to ESR
  bool error_armed = true;  // the error interrupt may be triggered
  u64 icr = 0;
  std::array<u32, kLvtEntries> lvt{};
  std::array<Level, 2> lint{};   // levels of the pins
  bool ext_int_message = false;  // an ExtINT message waits for its acknowledge
  ApicTimerState timer;
  bool operator==(const LocalApicState&) const = default;
};

enum class [[nodiscard]] MsrStatus : u8{kOk, kGeneralProtection};

class LocalApic {
 public:
  struct Ports {
    CoreSignals& core;
    InterruptFabric& fabric;
    ExtIntSource& pic;
    const TscClock& tsc;
    EventQueue& events;
  };

  // Adds itself to the fabric; `name` names its timer event ("cpu0.apic.timer"). Starts in the
  // state after power-on.
  LocalApic(const LocalApicConfig& config, const Ports& ports, const std::string& name);
  LocalApic(const LocalApic&) = delete;
  LocalApic& operator=(const LocalApic&) = delete;

  // ---- resets
  void reset(Ps now);  // power-on
  void init(Ps now);   // INIT: keeps IA32_APIC_BASE and the APIC ID
  // What firmware leaves on the bootstrap processor for a kernel that starts in virtual-wire mode:
  // software-enabled, LINT0 = ExtINT, LINT1 = NMI. MP Specification "Virtual Wire Mode". Loaders
  // that start a kernel without firmware call it.
  void enter_virtual_wire_mode(Ps now);

  // ---- MSRs
  u64 apic_base() const { return state_.base; }
  MsrStatus write_apic_base(u64 value, Ps now);
  // 0x800 to 0x8ff.
  std::optional<u64> read_msr(u32 msr, Ps now);  // nothing: #GP
  MsrStatus write_msr(u32 msr, u64 value, Ps now);
  u64 tsc_deadline(Ps now);
  void write_tsc_deadline(u64 tsc, Ps now);
  // The time-stamp counter was written: what TscClock says has changed.
  void tsc_changed(Ps now);

  // ---- the xAPIC page
  // True when accesses to this page are the local APIC's.
  bool claims(Hpa page) const;
  // `offset` within the page; the access does not cross a multiple of 16.
  u64 read(u64 offset, unsigned size, Ps now);
  void write(u64 offset, unsigned size, u64 value, Ps now);

  // ---- CR8
  u8 cr8() const { return static_cast<u8>(Priority::Class.get(state_.tpr)); }
  void set_cr8(u8 priority_class, Ps now);

  // ---- towards the core
  bool interrupt_pending() const { return ext_int_ || deliverable_.has_value(); }
  // The vector of the local APIC's own interrupt that is above the processor priority. An ExtINT
  // has no vector until it is acknowledged, and goes first.
  std::optional<u8> highest_deliverable() const { return deliverable_; }
  // Takes the interrupt: from the 8259 for an ExtINT, else IRR -> ISR. The spurious vector if there
  // is nothing (any more).
  u8 acknowledge(Ps now);

  // ---- interrupt sources
  void set_lint(unsigned pin, Level level, Ps now);
  // An event of the thermal sensor, the performance counters or corrected machine checks.
  void local_interrupt(LvtEntry entry, Ps now);

  // ---- the fabric's side
  bool is_addressed_by(const InterruptMessage& message) const;
  void accept(const InterruptMessage& message, Ps now);
  // Enabled by IA32_APIC_BASE and by software: takes maskable interrupts.
  bool takes_interrupts() const { return hardware_enabled() && software_enabled(); }
  u8 processor_priority() const;

  // ---- looking and saving
  bool hardware_enabled() const { return base()[ApicBase::Enable]; }
  bool software_enabled() const { return svr()[SpuriousVector::SoftwareEnable]; }
  bool x2apic_mode() const { return base()[ApicBase::X2apic]; }
  u32 id() const { return state_.id; }
  u32 logical_id() const;  // LDR
  const LocalApicConfig& config() const { return config_; }
  const LocalApicState& state() const { return state_; }
  void restore(const LocalApicState& state, Ps now);

 private:
  struct RegisterRow;
  static const RegisterRow kRegisters[];
  static const RegisterRow* find_register(u64 index);

  Reg<ApicBase> base() const { return Reg<ApicBase>(state_.base); }
  Reg<SpuriousVector> svr() const { return Reg<SpuriousVector>(state_.svr); }
  Reg<Lvt> lvt(LvtEntry entry) const {
    return Reg<Lvt>(state_.lvt[static_cast<std::size_t>(entry)]);
  }
  void set_lvt(LvtEntry entry, Reg<Lvt> value) {
    state_.lvt[static_cast<std::size_t>(entry)] = static_cast<u32>(value.value);
  }

  const RegisterRow* present_register(u64 index) const;
  u64 reserved_bits(const RegisterRow& row) const;

  // Handlers of the register table; `index` is the register's number (offset / 16).
  u32 read_zero(u64 index, Ps now);
  u32 read_id(u64 index, Ps now);
  u32 read_version(u64 index, Ps now);
  u32 read_tpr(u64 index, Ps now);
  u32 read_ppr(u64 index, Ps now);
  u32 read_ldr(u64 index, Ps now);
  u32 read_dfr(u64 index, Ps now);
  u32 read_svr(u64 index, Ps now);
  u32 read_isr(u64 index, Ps now);
  u32 read_tmr(u64 index, Ps now);
  u32 read_irr(u64 index, Ps now);
  u32 read_esr(u64 index, Ps now);
  u32 read_lvt(u64 index, Ps now);
  u32 read_icr_low(u64 index, Ps now);
  u32 read_icr_high(u64 index, Ps now);
  u32 read_initial_count(u64 index, Ps now);
  u32 read_current_count(u64 index, Ps now);
  u32 read_divide(u64 index, Ps now);
  void write_id(u64 index, u32 value, Ps now);
  void write_tpr(u64 index, u32 value, Ps now);
  void write_eoi(u64 index, u32 value, Ps now);
  void write_ldr(u64 index, u32 value, Ps now);
  void write_dfr(u64 index, u32 value, Ps now);
  void write_svr(u64 index, u32 value, Ps now);
  void write_esr(u64 index, u32 value, Ps now);
  void write_lvt(u64 index, u32 value, Ps now);
  void write_timer_lvt(u64 index, u32 value, Ps now);
  void write_icr_low(u64 index, u32 value, Ps now);
  void write_icr_high(u64 index, u32 value, Ps now);
  void write_initial_count(u64 index, u32 value, Ps now);
  void write_divide(u64 index, u32 value, Ps now);
  void write_self_ipi(u64 index, u32 value, Ps now);

  void reset_registers(Ps now);
  void send_ipi(Ps now);
  void send(Shorthand shorthand, const InterruptMessage& message, Ps now);
  void accept_vector(u8 vector, TriggerMode trigger, Ps now);
  void trigger_lvt(LvtEntry entry, Ps now);
  void sample_lint(LvtEntry entry, Ps now);
  bool lint_asserted(LvtEntry entry) const;
  bool is_level_triggered(LvtEntry entry) const;
  void record_error(Flag error, Ps now);
  bool ext_int_requested() const;
  void update(Ps now);

  TimerMode timer_mode() const;
  Reload reload() const;
  u64 timer_cycle(Ps now) const { return config_.timer_clock.cycles_at(now); }
  void catch_up_timer(Ps now);
  void schedule_timer(Ps now);
  void timer_due(Ps now);

  LocalApicConfig config_;
  Ports ports_;
  EventQueue::Id timer_event_;
  LocalApicState state_;

  // Derived from state_ by update().
  bool ext_int_ = false;
  std::optional<u8> deliverable_;
};

}  // namespace vtsim::cpu
