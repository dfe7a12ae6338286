#pragma once
// Descriptors, gates, task states and stacks for the benches of system instructions, written into an
// image of memory. All tables lie across pages, so that their parts can be taken away one by one.

#include "tests/system/fault_check.h"

namespace vtsim::cpu::test {

// The GDT has three pages: what the bench runs on, what is loaded, and task states.
inline constexpr u16 kFirstPage = 0x0000, kSecondPage = 0x1000, kThirdPage = 0x2000;
// Access bytes, none accessed yet.
inline constexpr u8 kData = 0x92, kCode32 = 0x9A, kConforming = 0x9E, kLdtAccess = 0x82;
inline constexpr u8 kAvailableTss = 0x89, kBusyTss = 0x8B, kAvailableTss16 = 0x81;
inline constexpr u8 kUserLevel = 0x60;
enum class SegmentSize : u8 { k16 = 0, k32 = 4, k64 = 2 };  // flags: D/B, L

class SystemWorld {
 public:
  SystemWorld(PagedBench& bench, CodeSize size, unsigned cpl);

  CoreState state;
  std::vector<u8> ram;

  template <class T>
  void put(u64 address, T value) {
    std::memcpy(&ram[address], &value, sizeof value);
  }
  void code(std::initializer_list<int> bytes);
  // Registers the selector with its RPL still 0.
  void segment(u16 selector, u32 base, u8 access, SegmentSize size, u32 limit = 0xFFFF);
  void wide_segment(u16 selector, u64 base, u8 access, u32 limit);  // 16 bytes: LDT, TSS
  void call_gate(u16 selector, u8 access, u16 target, u64 offset, u8 parameters = 0);
  void idt_gate(u8 vector, u8 access, u16 target, u64 offset, u8 ist = 0);
  // Pushes onto the stack in use; the first is at the highest address.
  void push(unsigned size, std::initializer_list<u64> values);
  void load(SegmentName name, u16 selector, u32 base, u8 access, SegmentSize size);
  // Puts the running task's state segment at `base`.
  void running_task(u64 base, u8 type = 0x8B, u32 limit = 0x67);

  FaultCase fault_case(const std::string& name) const;

 private:
  bool wide_;
  u64 length_ = 0;
};

}  // namespace vtsim::cpu::test
