#pragma once
// A bare machine with paging by 4-KByte pages, in 64-bit mode or in protected mode with 32- or 16-bit
// segments, on which each page can be taken away. It runs one instruction, and tells which pages it
// referred to and what the first event was, with everything as it stood when the event was raised.

#include <map>
#include <optional>
#include <random>
#include <vector>

#include "model/cpu/decode.h"
#include "tests/cpu/bare_machine.h"
#include "tests/system/core_image.h"

namespace vtsim::cpu::test {

inline constexpr u64 kPagedRam = 0x38000;
// Linear addresses where things lie. In 16- and 32-bit code the segments' bases are these.
inline constexpr u64 kTables = 0x1000, kTablesEnd = 0x7000;
inline constexpr u64 kPagedCode = 0x9000;  // instructions may begin a little below
inline constexpr u64 kPagedGdt = 0x10000, kPagedIdt = 0x13000, kPagedTss = 0x15000;
inline constexpr u64 kDataBase = 0x20000, kExtraBase = 0x28000, kStackBase = 0x30000;
// Stacks of inner levels end a little above; the page below is theirs too.
inline constexpr u64 kInnerStackAt = 0x36000;

struct Reference {
  u64 lin;
  mmu::AccessKind kind;
  bool user;
  u64 page() const { return align_down(lin, kPageSize); }
};

// What a run ended with.
struct RunEnd {
  std::optional<Event> event;  // the first one, not delivered: `state` and `ram` are of before
  CoreState state;
  std::vector<u8> ram;
};

enum class Missing : u8 { kNothing, kPresent, kWritable };
enum class RunKind : u8 { kStepped, kInBlock };

class PagedBench : public BareMachine {
 public:
  PagedBench();

  // Everything but memory as the mode needs it: flat or based segments, paging, interrupts off.
  void enter(CodeSize size, unsigned cpl);
  u64 base_of(SegmentName name) const { return state().seg[name].base; }
  const CoreState& state() const { return const_cast<PagedBench*>(this)->state(); }
  using BareMachine::state;

  // Takes `what` of a page away.
  void change_page(u64 lin, Missing what);

  // Starts over from `state` and `ram`; translations are gone.
  void restore(const CoreState& state, const std::vector<u8>& ram);
  void copy_memory(std::vector<u8>& to) const { to.assign(bus.base, bus.base + kPagedRam); }

  // kStepped: the instruction at RIP, an iteration at a time where it repeats. kInBlock: on to HLT.
  void run_one(RunKind kind, RunEnd& end);
  // The references of the last run that led to a walk: the first of each kind to each page, in order.
  const std::vector<Reference>& references() const { return references_; }
  unsigned port_accesses() const { return port_accesses_; }

  // Memory that differs, accessed and dirty flags of the paging structures left out. -1: none.
  static i64 first_difference(const std::vector<u8>& a, const std::vector<u8>& b);

 private:
  void write(u64 address, u64 value) { std::memcpy(ram(address), &value, sizeof value); }
  void build_tables();

  std::vector<Reference> references_;
  RunEnd* end_ = nullptr;  // of the run that goes on
  unsigned port_accesses_ = 0;
};

}  // namespace vtsim::cpu::test
