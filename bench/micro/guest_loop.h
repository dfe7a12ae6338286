#pragma once
// A machine that runs one of loops.S for ever, at CPL 0 in 64-bit mode with identity mapping by 4-KByte
// pages. RSI and RDI point at data of their own, RSP at a stack; RCX is 0.

#include <benchmark/benchmark.h>

#include "tests/cpu/bare_machine.h"

// The code between two symbols of loops.S.
#define VTSIM_LOOP(name)                   \
  extern "C" const unsigned char name[];   \
  extern "C" const unsigned char name##_end[];

namespace vtsim::bench {

struct Code {
  const unsigned char* first;
  const unsigned char* end;
};

class GuestLoop {
 public:
  static constexpr u64 kRam = u64{64} << 20;
  static constexpr u64 kCode = 0x100000;
  static constexpr u64 kHandler = 0x110000;
  static constexpr u64 kStack = 0x1F0000;
  static constexpr u64 kSource = 0x200000;
  static constexpr u64 kDestination = 0x300000;
  static constexpr u64 kUnmapped = u64{1} << 40;

  explicit GuestLoop(Code code);

  // Runs in slices; reports the guest's instructions a second.
  void measure(benchmark::State& state);
  // Exceptions of this vector go to code at kHandler.
  void handle(u8 vector, Code handler);

  cpu::test::BareMachine machine;

 private:
  static constexpr u64 kSlice = 100'000;
  static constexpr u64 kGdt = 0x6000, kIdt = 0x7000, kTables = 0x400000;

  void map_by_4k_pages();
};

}  // namespace vtsim::bench
