// The parts behind the host-pointer arrays, alone: walker, translation store, event queue.

#include <benchmark/benchmark.h>

#include "model/base/event_queue.h"
#include "model/mmu/translate.h"
#include "model/mmu/walker.h"
#include "tests/mmu/nested_path.h"

namespace vtsim::bench {
namespace {

using mmu::PagingMode;

void walk_4_levels(benchmark::State& state) {
  mmu::test::NestedPath path(PagingMode::k4Level);
  path.context.ept.enabled = false;
  path.context.cr3 += 0x20000;  // the guest's tables, without EPT below them
  for (unsigned level = 4; level > 1; --level) {
    const u64 entry = path.guest_entry_hpa(level);
    path.memory.poke64(entry, path.memory.peek64(entry) + 0x20000);
  }
  if (!mmu::walk(path.context, path.linear(), {}, path.memory)) state.SkipWithError("no translation");
  for (auto _ : state)
    benchmark::DoNotOptimize(mmu::walk(path.context, path.linear(), {}, path.memory));
}
BENCHMARK(walk_4_levels);

void walk_nested(benchmark::State& state) {
  const auto levels = static_cast<unsigned>(state.range(0));
  mmu::test::NestedPath path(levels == 4 ? PagingMode::k4Level : PagingMode::k5Level, levels);
  if (!mmu::walk(path.context, path.linear(), {}, path.memory)) state.SkipWithError("no translation");
  for (auto _ : state)
    benchmark::DoNotOptimize(mmu::walk(path.context, path.linear(), {}, path.memory));
}
BENCHMARK(walk_nested)->Arg(4)->Arg(5);

// Hits, over as many pages as the argument says.
void store_lookup(benchmark::State& state) {
  mmu::TranslationStore store;
  const mmu::Tag tag{.pcid = 3};
  const u64 pages = static_cast<u64>(state.range(0));
  for (u64 page = 0; page < pages; ++page)
    store.insert(tag, Lin(page * kPageSize), {.frame = Hpa(page * kPageSize), .dirty = true});
  u64 page = 0;
  for (auto _ : state) {
    page = (page + 7) % pages;
    benchmark::DoNotOptimize(store.lookup(tag, Lin(page * kPageSize)));
  }
}
BENCHMARK(store_lookup)->Arg(64)->Arg(8192);

void store_invlpg_and_insert(benchmark::State& state) {
  mmu::TranslationStore store;
  const mmu::Tag tag{.pcid = 3};
  const mmu::Translation page{.frame = Hpa(0x5000), .dirty = true};
  for (auto _ : state) {
    store.insert(tag, Lin(0x5000), page);
    store.invlpg(tag, Lin(0x5000));
  }
}
BENCHMARK(store_invlpg_and_insert);

// One timer that is moved and fires, among as many others as the argument says.
void event_queue(benchmark::State& state) {
  EventQueue queue;
  for (i64 n = 0; n < state.range(0); ++n)
    queue.schedule(queue.add("other " + std::to_string(n), [](Ps) {}), kNever - 1);
  const EventQueue::Id timer = queue.add("timer", [](Ps) {});
  Ps now = 0;
  for (auto _ : state) {
    now += 1000;
    queue.schedule(timer, now);
    queue.run_until(now);
    benchmark::DoNotOptimize(queue.next());
  }
}
BENCHMARK(event_queue)->Arg(0)->Arg(20);

}  // namespace
}  // namespace vtsim::bench
