#include "model/cpu/logical_processor.h"

#include <utility>

namespace vtsim::cpu {

namespace {

LocalApicConfig apic_config(const LogicalProcessorConfig& config, const SharedEnvironment& shared) {
  LocalApicConfig apic =
      local_apic_config(shared.model, shared.offered, config.topology.apic_id(config.index));
  apic.bootstrap_processor = config.index == 0;
  return apic;
}

}  // namespace

LogicalProcessor::LogicalProcessor(const LogicalProcessorConfig& config, const Ports& ports,
                                   Wake wake)
    : config_(config),
      wake_(std::move(wake)),
      apic_(apic_config(config, ports.shared),
            {.core = *this, .fabric = ports.fabric, .pic = ports.pic, .tsc = *this,
             .events = ports.events},
            "cpu" + std::to_string(config.index) + ".apic.timer"),
      environment_{.shared = ports.shared,
                   .bus = ports.bus,
                   .events = ports.events,
                   .apic = apic_,
                   .observer = ports.observer,
                   .index = config.index,
                   .topology = config.topology,
                   .frequency = config.frequency,
                   .tsc_frequency = config.tsc_frequency,
                   .seed = config.seed,
                   .preemption_timer = ports.events.add(
                       "cpu" + std::to_string(config.index) + ".vmx.preemption_timer",
                       [this](Ps now) { preemption_timer_due(now); }),
                   .wake = wake_},
      core_(environment_) {
  reset(0);
}

void LogicalProcessor::reset(Ps now) {
  core_.power_on();
  apic_.reset(now);
  if (config_.index != 0) core_.state.activity = Activity::kWaitForSipi;
  // SDM 3A "Processor State After Reset": the time-stamp counter starts at 0.
  core_.state.tsc_offset = 0 - config_.tsc_frequency.cycles_at(now);
}

void LogicalProcessor::power_off(Ps now) {
  reset(now);
  core_.state.activity = Activity::kOff;
}

void LogicalProcessor::signal(Ps now) {
  core_.set_attention();
  if (wake_) wake_(now);
}

void LogicalProcessor::preemption_timer_due(Ps now) {
  core_.vmx.timer_expired = true;
  signal(now);
}

void LogicalProcessor::nmi(Ps now) {
  core_.state.signals.nmi = true;
  signal(now);
}

void LogicalProcessor::smi(Ps now) {
  core_.state.signals.smi = true;
  signal(now);
}

void LogicalProcessor::init(Ps now) {
  core_.state.signals.init = true;
  signal(now);
}

void LogicalProcessor::startup(u8 vector, Ps now) {
  core_.state.signals.startup = true;
  core_.state.signals.startup_vector = vector;
  signal(now);
}

void LogicalProcessor::interrupt_line_changed(Ps now) { signal(now); }

u64 LogicalProcessor::tsc_at(Ps now) const {
  return config_.tsc_frequency.cycles_at(now) + core_.state.tsc_offset;
}

Ps LogicalProcessor::time_of_tsc(u64 tsc) const {
  const u64 ticks = tsc - core_.state.tsc_offset;
  // a counter that was set far ahead has passed the value already
  if (static_cast<i64>(ticks) <= 0) return 0;
  constexpr u64 kLast = kNever / 1000;  // beyond any run
  if (static_cast<u128>(ticks) * kPsPerSecond / config_.tsc_frequency.hz > kLast) return kNever;
  return config_.tsc_frequency.first_ps_of(ticks);
}

}  // namespace vtsim::cpu
