#pragma once
// A program of the code fuzzer: processor, mode, tables, registers and code, drawn from a tape.

#include "tests/fuzz/code/machine.h"

namespace vtsim::fuzz {

enum class StartMode : u8 { kLong, kCompatibility, kProtected32, kProtected16, kV86, kReal };
enum class StartPaging : u8 { kNone, k32Bit, kPae };  // outside of IA-32e mode

struct Program {
  // One byte string decides everything: drawn twice, it gives the same program.
  explicit Program(Tape& tape);

  void install(Machine& machine) const;
  std::string describe() const;

  cpu::CpuModel model;
  unsigned cores = 1;
  u64 cycles = 0;
  u64 quantum = 0;

 private:
  struct Start {
    StartMode mode = StartMode::kLong;
    StartPaging paging = StartPaging::kNone;
    bool la57 = false;
    u8 cpl = 0;
    u64 entry = 0;  // within the code
    std::array<u64, 16> gpr{};
    u64 rflags = 0, cr0 = 0, cr4 = 0, efer = 0, xcr0 = 0, dr7 = 0;
    u32 pkru = 0, mxcsr = 0;
    u32 apic_timer = 0;  // initial count; 0: software-disabled APIC
  };
  struct Poke {  // bytes of memory that differ from the plain tables
    u64 address;
    u64 value;
    unsigned size;
  };

  void draw_features(Tape& tape);
  Start draw_start(Tape& tape);
  void draw_tables(Tape& tape);
  void install_memory(Machine& machine) const;
  void install_core(Machine& machine, unsigned n) const;

  std::array<Start, 2> starts_{};
  std::vector<Poke> pokes_;
  std::array<u16, 256> handlers_{};  // where vectors lead
  std::vector<PageKind> kinds_;      // of the pages from kOddPages on
  Bytes code_;
};

}  // namespace vtsim::fuzz
