#include "bench/micro/guest_loop.h"

namespace vtsim::bench {

GuestLoop::GuestLoop(Code code) : machine(kRam) {
  machine.enter_long_mode();
  map_by_4k_pages();
  machine.put(kCode, code.first, static_cast<std::size_t>(code.end - code.first));
  cpu::CoreState& s = machine.state();
  s.rip = kCode;
  s.gpr[cpu::kRsp] = kStack;
  s.gpr[cpu::kRsi] = kSource;
  s.gpr[cpu::kRdi] = kDestination;
}

void GuestLoop::map_by_4k_pages() {
  const auto entry = [&](u64 at, u64 value) { machine.put(at, &value, sizeof value); };
  for (u64 page = 0; page < kRam / kPageSize; ++page)
    entry(kTables + 8 * page, page * kPageSize | 0x67);  // dirty, accessed, user, writable, present
  for (u64 table = 0; table < kRam >> 21; ++table)
    entry(0x3000 + 8 * table, (kTables + table * kPageSize) | 0x67);
  machine.core().invalidate_all();
}

void GuestLoop::handle(u8 vector, Code handler) {
  const auto entry = [&](u64 at, u64 value) { machine.put(at, &value, sizeof value); };
  entry(kGdt, 0);
  entry(kGdt + 8, 0x00AF'9B00'0000'FFFF);   // 64-bit code
  entry(kGdt + 16, 0x00CF'9300'0000'FFFF);  // data
  entry(kIdt + 16 * vector, (kHandler & 0xFFFF) | 8 << 16 | u64{0x8E00} << 32 | (kHandler >> 16) << 48);
  entry(kIdt + 16 * vector + 8, 0);
  machine.put(kHandler, handler.first, static_cast<std::size_t>(handler.end - handler.first));
  machine.state().gdtr = {.base = kGdt, .limit = 23};
  machine.state().idtr = {.base = kIdt, .limit = 0xFFF};
}

void GuestLoop::measure(benchmark::State& state) {
  machine.run(kSlice);
  const u64 before = machine.core().instructions();
  for (auto _ : state) machine.run(kSlice);
  state.counters["instructions"] = benchmark::Counter(
      static_cast<double>(machine.core().instructions() - before), benchmark::Counter::kIsRate);
}

}  // namespace vtsim::bench
