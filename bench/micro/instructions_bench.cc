// How fast loops of plain instructions run.

#include "bench/micro/guest_loop.h"

#define VTSIM_LOOP_BENCHMARK(name)                                                    \
  VTSIM_LOOP(loop_##name)                                                             \
  static void name(benchmark::State& state) {                                         \
    vtsim::bench::GuestLoop({loop_##name, loop_##name##_end}).measure(state);         \
  }                                                                                   \
  BENCHMARK(name)

VTSIM_LOOP_BENCHMARK(alu);
VTSIM_LOOP_BENCHMARK(alu_flags);
VTSIM_LOOP_BENCHMARK(load);
VTSIM_LOOP_BENCHMARK(store);
VTSIM_LOOP_BENCHMARK(push_pop);
VTSIM_LOOP_BENCHMARK(branch_taken);
VTSIM_LOOP_BENCHMARK(branch_not_taken);
VTSIM_LOOP_BENCHMARK(branch_alternating);
VTSIM_LOOP_BENCHMARK(indirect);
VTSIM_LOOP_BENCHMARK(call_ret);
VTSIM_LOOP_BENCHMARK(call_ret_far);
VTSIM_LOOP_BENCHMARK(cr3_reload);
VTSIM_LOOP_BENCHMARK(invlpg);
VTSIM_LOOP_BENCHMARK(self_modifying);
VTSIM_LOOP_BENCHMARK(port);
VTSIM_LOOP_BENCHMARK(cpuid);
VTSIM_LOOP_BENCHMARK(sse);
VTSIM_LOOP_BENCHMARK(x87);

VTSIM_LOOP(loop_host_tlb_miss)
VTSIM_LOOP(loop_page_fault)
VTSIM_LOOP(loop_page_fault_handler)
VTSIM_LOOP(loop_rep_movsb)
VTSIM_LOOP(loop_rep_stosq)
VTSIM_LOOP(loop_straight)

namespace vtsim::bench {
namespace {

// Four pages whose host pointers share one entry: each load goes to the translation store.
void host_tlb_miss(benchmark::State& state) {
  GuestLoop guest({loop_host_tlb_miss, loop_host_tlb_miss_end});
  constexpr u64 kDistance = 1025 * kPageSize;  // see HostTlb::index
  static_assert(cpu::HostTlb::index(0) == cpu::HostTlb::index(kDistance) &&
                cpu::HostTlb::index(0) == cpu::HostTlb::index(4 * kDistance));
  guest.machine.state().gpr[cpu::kRsi] = 0x8000;
  guest.machine.state().gpr[cpu::kR8] = kDistance;
  guest.measure(state);
}
BENCHMARK(host_tlb_miss);

// A fault's delivery, its handler of three instructions, and IRET.
void page_fault(benchmark::State& state) {
  GuestLoop guest({loop_page_fault, loop_page_fault_end});
  guest.handle(cpu::kPf, {loop_page_fault_handler, loop_page_fault_handler_end});
  guest.machine.state().gpr[cpu::kRdi] = GuestLoop::kUnmapped;
  guest.measure(state);
}
BENCHMARK(page_fault);

// Each iteration of REP counts as an instruction.
void rep(benchmark::State& state, Code code, unsigned bytes_each) {
  GuestLoop guest(code);
  const u64 before = guest.machine.core().instructions();
  guest.measure(state);
  state.SetBytesProcessed(
      static_cast<i64>((guest.machine.core().instructions() - before) * bytes_each));
}
BENCHMARK_CAPTURE(rep, movsb, Code{loop_rep_movsb, loop_rep_movsb_end}, 1);
BENCHMARK_CAPTURE(rep, stosq, Code{loop_rep_stosq, loop_rep_stosq_end}, 8);

// Decoding and building blocks: all of them are forgotten before each pass.
void build_blocks(benchmark::State& state) {
  GuestLoop guest({loop_straight, loop_straight_end});
  constexpr u64 kInstructions = 64 * 13;
  for (auto _ : state) {
    guest.machine.shared.blocks.clear();
    guest.machine.run(kInstructions);
  }
  state.counters["instructions"] =
      benchmark::Counter(static_cast<double>(kInstructions) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(build_blocks);

}  // namespace
}  // namespace vtsim::bench
