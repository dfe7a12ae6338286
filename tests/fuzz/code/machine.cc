#include "tests/fuzz/code/machine.h"

#include <algorithm>
#include <fmt/format.h>

namespace vtsim::fuzz {

namespace {

constexpr Frequency kClock{1'000'000'000};

}  // namespace

const char* name_of(Manner manner) {
  constexpr const char* kNames[] = {"free", "steps", "ragged", "observed"};
  return kNames[static_cast<unsigned>(manner)];
}

Machine::Machine(const cpu::CpuModel& model, unsigned cores)
    : model_(model),
      shared_(model_, cpu::offered_features(model_)),
      world_(shared_, events_, fabric_) {
  for (unsigned n = 0; n < cores; ++n)
    processors_.push_back(std::make_unique<cpu::LogicalProcessor>(
        cpu::LogicalProcessorConfig{.index = n,
                                    .topology = {.packages = 1, .cores_per_package = cores},
                                    .frequency = kClock,
                                    .tsc_frequency = kClock,
                                    .seed = 1 + n},
        cpu::LogicalProcessor::Ports{.shared = shared_, .bus = bus_, .events = events_,
                                     .fabric = fabric_, .pic = pic_, .observer = observer_},
        cpu::LogicalProcessor::Wake{}));
}

std::string Machine::run(u64 cycles, u64 quantum, Manner manner) {
  for (auto& processor : processors_)
    processor->core().observe_instructions(manner == Manner::kObserved);
  for (u64 now = 0; now < cycles;) {
    now = std::min(cycles, now + quantum);
    for (auto& processor : processors_)
      if (std::string broken = advance(processor->core(), now, manner); !broken.empty())
        return broken;
  }
  return {};
}

// Fires what is due; a core that sleeps goes on to the next event, or to `end`. False: a core that
// should run does not.
bool Machine::settle(cpu::Core& core, u64 before, u64 end) {
  const bool was_due = events_.next() <= core.time_of_cycle(core.cycle());
  events_.run_until(core.time_of_cycle(core.cycle()));
  if (core.cycle() != before || was_due) return true;
  if (core.state.activity == cpu::Activity::kActive) return false;
  const Ps deadline = events_.next();
  const u64 event = deadline == kNever ? end : deadline == 0 ? 0 : kClock.cycles_at(deadline - 1) + 1;
  core.skip_to(std::min(end, event));
  return true;
}

std::string Machine::advance(cpu::Core& core, u64 target, Manner manner) {
  unsigned idle_turns = 0;
  while (core.cycle() < target) {
    const u64 before = core.cycle();
    u64 end = target;
    if (manner == Manner::kSteps) end = before + 1;
    if (manner == Manner::kRagged) {
      portion_seed_ = portion_seed_ * 6364136223846793005 + 1442695040888963407;
      end = std::min(target, before + 1 + (portion_seed_ >> 60));
    }
    const u64 instructions = core.instructions();
    core.run_until(end);
    // An event that the last instruction left, or that waits at the end, is still delivered.
    if (core.cycle() > end + 1 || core.instructions() - instructions > end - before)
      return fmt::format("budget: ran {} instructions to cycle {} instead of {}",
                         core.instructions() - instructions, core.cycle(), end);
    if (!settle(core, before, end) && ++idle_turns > 2)
      return fmt::format("no progress: at cycle {}", core.cycle());
    if (core.state.gpr[cpu::kZeroRegister] != 0) return "zero register: it was written";
  }
  return {};
}

}  // namespace vtsim::fuzz
