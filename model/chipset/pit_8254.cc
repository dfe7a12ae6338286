#include "model/chipset/pit_8254.h"

#include <algorithm>

namespace vtsim::chipset {
namespace {

using Channel = Pit8254::Channel;

struct ReadBack {
  static constexpr Field COUNTERS{3, 1};
  static constexpr Flag NO_STATUS{4};
  static constexpr Flag NO_COUNT{5};
};
struct Status {
  static constexpr Field PROGRAMMED{5, 0};
  static constexpr Flag NULL_COUNT{6};
  static constexpr Flag OUT{7};
};
struct NmiSc {
  static constexpr Field WRITABLE{3, 0};
  static constexpr Flag TIM_CNT2_EN{0};
  static constexpr Flag REF_TOGGLE{4};
  static constexpr Flag TMR2_OUT_STS{5};
};
struct Count {
  static constexpr Field LOW{7, 0};
  static constexpr Field HIGH{15, 8};
};

// The RW field of the control word.
enum class Access : u8 { kLatch, kLow, kHigh, kLowThenHigh };

constexpr u64 kReadBackCommand = 3;  // in the SC field
constexpr u64 kControlPort = 3;
constexpr u64 kNmiScPort = 4;
constexpr unsigned kSpeaker = 2;

// ICH9, "Counter 1, Refresh Request Signal": a request every 15.085 us, which toggles the bit.
constexpr Tick kRefreshTicks = 18;

Access access_of(const Channel& channel) {
  return static_cast<Access>(channel.counter.control[ControlWord::RW]);
}

void latch_count(Channel& channel, Tick tick) {
  if (channel.latched_bytes != 0) return;  // "the contents are held until read"
  channel.latched_count = channel.counter.value(tick);
  channel.latched_bytes = access_of(channel) == Access::kLowThenHigh ? 2 : 1;
}

void latch_status(Channel& channel, Tick tick) {
  if (channel.status_latched) return;
  channel.status_latched = true;
  channel.latched_status =
      static_cast<u8>(Reg<Status>(Status::PROGRAMMED.get(channel.counter.control.value))
                          .with(Status::NULL_COUNT, channel.counter.null_count)
                          .with(Status::OUT, channel.counter.out(tick))
                          .value);
}

}  // namespace

Pit8254::Pit8254(EventQueue& events)
    : events_(events), edge_(events.add("pit.out0", [this](Ps now) {
        advance(now);
        drive_out0(now);
      })) {
  state_.channels[kSpeaker].counter.gate = false;
}

Tick Pit8254::advance(Ps now) {
  state_.latest = std::max(state_.latest, static_cast<Tick>(kClock.cycles_at(now)));
  for (Channel& channel : state_.channels) channel.counter.advance(state_.latest);
  return state_.latest;
}

void Pit8254::drive_out0(Ps now) {
  const PitCounter& counter = state_.channels[0].counter;
  out0_.set(counter.out(state_.latest), now);
  const Tick edge = counter.next_edge(state_.latest);
  events_.schedule(edge_, edge == kNoTick ? kNever : kClock.first_ps_of(static_cast<u64>(edge)));
}

bool Pit8254::out(unsigned channel, Ps now) {
  const Tick tick = advance(now);
  return state_.channels[channel].counter.out(tick);
}

u8 Pit8254::read_byte(u64 offset, Ps now) {
  const Tick tick = advance(now);
  if (offset == kControlPort) return 0xFF;
  if (offset != kNmiScPort) return read_counter(state_.channels[offset], tick);
  return static_cast<u8>(Reg<NmiSc>(state_.nmi_sc)
                             .with(NmiSc::REF_TOGGLE, tick / kRefreshTicks % 2 == 1)
                             .with(NmiSc::TMR2_OUT_STS, state_.channels[kSpeaker].counter.out(tick))
                             .value);
}

u8 Pit8254::read_counter(Channel& channel, Tick tick) {
  if (channel.status_latched) {
    channel.status_latched = false;
    return channel.latched_status;
  }
  u16 value = channel.counter.value(tick);
  if (channel.latched_bytes != 0) {
    value = channel.latched_count;
    --channel.latched_bytes;
  }
  bool high = access_of(channel) == Access::kHigh;
  if (access_of(channel) == Access::kLowThenHigh) {
    high = channel.reads_high_byte;
    channel.reads_high_byte = !high;
  }
  return static_cast<u8>((high ? Count::HIGH : Count::LOW).get(value));
}

void Pit8254::write_byte(u64 offset, u8 value, Ps now) {
  const Tick tick = advance(now);
  if (offset == kControlPort) {
    write_control(value, tick);
  } else if (offset == kNmiScPort) {
    state_.nmi_sc = static_cast<u8>(NmiSc::WRITABLE.get(value));
    state_.channels[kSpeaker].counter.set_gate(Reg<NmiSc>(value)[NmiSc::TIM_CNT2_EN], tick);
  } else {
    write_counter(state_.channels[offset], value, tick);
  }
  drive_out0(now);
}

void Pit8254::write_counter(Channel& channel, u8 value, Tick tick) {
  switch (access_of(channel)) {
    case Access::kLatch:  // no control word yet: nothing tells which byte this is
      return;
    case Access::kLow:
      channel.counter.write_count(value, tick);
      return;
    case Access::kHigh:
      channel.counter.write_count(static_cast<u16>(Count::HIGH.put(0, value)), tick);
      return;
    case Access::kLowThenHigh:
      break;
  }
  if (channel.expects_second_byte) {
    channel.counter.write_count(static_cast<u16>(Count::HIGH.put(channel.first_byte, value)), tick);
  } else {
    channel.first_byte = value;
    channel.counter.begin_count(tick);
  }
  channel.expects_second_byte = !channel.expects_second_byte;
}

void Pit8254::write_control(u8 value, Tick tick) {
  const Reg<ControlWord> word(value);
  if (word[ControlWord::SC] == kReadBackCommand) {
    read_back(value, tick);
    return;
  }
  Channel& channel = state_.channels[word[ControlWord::SC]];
  if (static_cast<Access>(word[ControlWord::RW]) == Access::kLatch) {
    latch_count(channel, tick);
    return;
  }
  channel.counter.write_control(word, tick);
  channel.expects_second_byte = false;
  channel.reads_high_byte = false;
  channel.latched_bytes = 0;
  channel.status_latched = false;
}

void Pit8254::read_back(u8 command, Tick tick) {
  const Reg<ReadBack> word(command);
  for (unsigned i = 0; i < state_.channels.size(); ++i) {
    if (!bit(word[ReadBack::COUNTERS], i)) continue;
    if (!word[ReadBack::NO_COUNT]) latch_count(state_.channels[i], tick);
    if (!word[ReadBack::NO_STATUS]) latch_status(state_.channels[i], tick);
  }
}

void Pit8254::reset(Ps now) {
  state_.channels = {};
  state_.nmi_sc = 0;
  state_.channels[kSpeaker].counter.gate = false;
  advance(now);
  drive_out0(now);
}

}  // namespace vtsim::chipset
