// The timer of the local APIC. SDM 3A "APIC Timer", "TSC-Deadline Mode".

#include <algorithm>

#include "model/cpu/apic/local_apic.h"

namespace vtsim::cpu {
namespace {

bool counts_down(TimerMode mode) {
  return mode == TimerMode::kOneShot || mode == TimerMode::kPeriodic;
}

}  // namespace

TimerMode LocalApic::timer_mode() const {
  return static_cast<TimerMode>(lvt(LvtEntry::kTimer)[Lvt::TimerMode]);
}

Reload LocalApic::reload() const {
  return timer_mode() == TimerMode::kPeriodic ? Reload::kAtZero : Reload::kNo;
}

// Does what the timer's event has not done yet although its moment is not after `now`, and starts
// counting from here. To be called before anything changes that the count depends on.
void LocalApic::catch_up_timer(Ps now) {
  const Ps due = ports_.events.deadline(timer_event_);
  if (due <= now) timer_due(due);
  advance_timer(state_.timer, timer_cycle(now), reload());
}

void LocalApic::schedule_timer(Ps now) {
  const ApicTimerState& timer = state_.timer;
  Ps due = kNever;
  if (timer_mode() == TimerMode::kTscDeadline) {
    if (timer.tsc_deadline != 0) due = std::max(now, ports_.tsc.time_of_tsc(timer.tsc_deadline));
  } else if (timer.start_count != 0 && !lvt(LvtEntry::kTimer)[Lvt::Mask]) {
    // A masked counter needs no event: its count follows from time.
    due = config_.timer_clock.first_ps_of(timer_expiry(timer));
  }
  ports_.events.schedule(timer_event_, due);
}

void LocalApic::timer_due(Ps now) {
  state_.timer.tsc_deadline = 0;
  advance_timer(state_.timer, timer_cycle(now), reload());
  schedule_timer(now);
  trigger_lvt(LvtEntry::kTimer, now);
}

void LocalApic::write_initial_count(u64, u32 value, Ps now) {
  // "In TSC-deadline mode, writes to the initial-count register are ignored."
  if (!counts_down(timer_mode())) return;
  catch_up_timer(now);
  state_.timer.initial_count = value;
  state_.timer.start_count = value;
  state_.timer.start_cycle = timer_cycle(now);
  schedule_timer(now);
}

u32 LocalApic::read_current_count(u64, Ps now) {
  return timer_count(state_.timer, timer_cycle(now), reload());
}

void LocalApic::write_divide(u64, u32 value, Ps now) {
  // SDM-NOTE: the count goes on from where it is, at the new rate.
  catch_up_timer(now);
  state_.timer.start_cycle = timer_cycle(now);
  state_.timer.divide_configuration = value;
  schedule_timer(now);
}

// SDM-NOTE: "A write to the LVT Timer Register that changes the timer mode disarms the local APIC
// timer." Processors keep counting between one-shot and periodic mode, and kvm-unit-tests rely on
// it; a change to or from TSC-deadline mode disarms.
void LocalApic::write_timer_lvt(u64 index, u32 value, Ps now) {
  catch_up_timer(now);
  const TimerMode old_mode = timer_mode();
  write_lvt(index, value, now);
  const TimerMode new_mode = timer_mode();
  const bool disarms = old_mode != new_mode && !(counts_down(old_mode) && counts_down(new_mode));
  if (disarms) {
    const u32 divide = state_.timer.divide_configuration;
    state_.timer = ApicTimerState{};
    state_.timer.divide_configuration = divide;
  }
  schedule_timer(now);
}

u64 LocalApic::tsc_deadline(Ps now) {
  catch_up_timer(now);
  return state_.timer.tsc_deadline;
}

// In the other modes "the IA32_TSC_DEADLINE MSR reads zero and writes are ignored". Zero disarms.
void LocalApic::write_tsc_deadline(u64 tsc, Ps now) {
  if (timer_mode() != TimerMode::kTscDeadline) return;
  catch_up_timer(now);
  state_.timer.tsc_deadline = tsc;
  if (tsc != 0 && ports_.tsc.tsc_at(now) >= tsc) {
    timer_due(now);
  } else {
    schedule_timer(now);
  }
}

void LocalApic::tsc_changed(Ps now) {
  if (timer_mode() == TimerMode::kTscDeadline) write_tsc_deadline(state_.timer.tsc_deadline, now);
}

}  // namespace vtsim::cpu
