#pragma once
// A bare machine in long mode with a GDT, an IDT and a TSS of its own, for tests of events and of
// system instructions. Code runs at 0x10000, the stack ends at 0x20000.

#include <initializer_list>
#include <optional>

#include "model/cpu/interrupts.h"
#include "tests/cpu/bare_machine.h"

namespace vtsim::cpu::test {

inline constexpr u64 kTssBase = 0x4000, kGdtBase = 0x5000, kIdtBase = 0x6000;
inline constexpr u64 kCode = 0x10000, kStackTop = 0x20000, kRsp0 = 0x30000, kIst1 = 0x38000;
inline constexpr u64 kHandlers = 0x40000;  // vector n: HLT at kHandlers + 16 * n

inline constexpr u16 kKernelCs = 0x08, kKernelSs = 0x10, kUserCs = 0x33, kUserSs = 0x2B;

class SystemBench : public BareMachine {
 public:
  explicit SystemBench(u8 cpl = 0, const CpuModel& cpu_model = test_model())
      : BareMachine(16 << 20, cpu_model) {
    enter_long_mode(cpl);
    CoreState& s = state();
    s.gdtr = {kGdtBase, 0x3F};
    s.idtr = {kIdtBase, 0xFFF};
    gdt(kKernelCs, 0x00AF9B000000FFFF);  // 64-bit code, DPL 0
    gdt(kKernelSs, 0x00CF93000000FFFF);
    gdt(0x20, 0x00CFFB000000FFFF);  // 32-bit code, DPL 3
    gdt(0x28, 0x00CFF3000000FFFF);
    gdt(0x30, 0x00AFFB000000FFFF);  // 64-bit code, DPL 3
    s.seg[kCs].selector = cpl == 0 ? kKernelCs : kUserCs;
    s.seg[kSs].selector = cpl == 0 ? kKernelSs : kUserSs;
    s.gpr[kRsp] = kStackTop;
    s.rip = kCode;
    write(kTssBase + 4, kRsp0);
    write(kTssBase + 36, kIst1);
    for (unsigned vector = 0; vector < 256; ++vector) {
      gate(static_cast<u8>(vector));
      const u8 hlt = 0xF4;
      put(handler(static_cast<u8>(vector)), &hlt, 1);
    }
  }

  static u64 handler(u8 vector) { return kHandlers + u64{vector} * 16; }

  void write(u64 address, u64 value) { put(address, &value, sizeof value); }
  u64 read(u64 address) {
    u64 value;
    std::memcpy(&value, ram(address), sizeof value);
    return value;
  }
  void gdt(u16 selector, u64 raw) { write(kGdtBase + (selector & ~7u), raw); }

  // An interrupt gate unless `type` says otherwise.
  struct GateOptions {
    u8 type = 0x8E;  // P, DPL 0, 64-bit interrupt gate
    u8 ist = 0;
    u16 selector = kKernelCs;
  };
  void gate(u8 vector, const GateOptions& options) {
    const u64 to = handler(vector);
    write(kIdtBase + u64{vector} * 16, (to & 0xFFFF) | u64{options.selector} << 16 |
                                           u64{options.ist} << 32 | u64{options.type} << 40 |
                                           (to >> 16 & 0xFFFF) << 48);
    write(kIdtBase + u64{vector} * 16 + 8, to >> 32);
  }
  void gate(u8 vector) { gate(vector, GateOptions{}); }

  void code(std::initializer_list<u8> bytes) {
    put(kCode, std::data(bytes), bytes.size());
    state().rip = kCode;
  }
  // Runs until HLT or shutdown, 1000 instructions at most.
  void go() { run(1000); }

  // The vector whose handler has halted.
  std::optional<unsigned> handled() {
    const u64 rip = state().rip;
    if (state().activity != Activity::kHalted || rip <= kHandlers) return std::nullopt;
    return static_cast<unsigned>((rip - 1 - kHandlers) / 16);
  }
  u64 pushed(unsigned n) { return read(state().gpr[kRsp] + 8 * n); }
};

// Whether the exception pushed an error code tells where the rest of the frame lies.
struct Frame {
  u64 rip, cs, rflags, rsp, ss;
};
inline Frame frame_of(SystemBench& bench, unsigned skipped) {
  return {bench.pushed(skipped), bench.pushed(skipped + 1), bench.pushed(skipped + 2),
          bench.pushed(skipped + 3), bench.pushed(skipped + 4)};
}

}  // namespace vtsim::cpu::test
