#include "tests/system/system_world.h"

namespace vtsim::cpu::test {

SystemWorld::SystemWorld(PagedBench& bench, CodeSize size, unsigned cpl)
    : wide_(size == CodeSize::k64) {
  bench.enter(size, cpl);
  state = bench.state();
  bench.copy_memory(ram);
  std::fill(ram.begin() + static_cast<i64>(kPagedGdt), ram.end(), u8{0});
  state.gdtr = {kPagedGdt, 0x2FFF};
  state.rip = kPagedCode;
}

void SystemWorld::code(std::initializer_list<int> bytes) {
  length_ = bytes.size();
  u64 at = state.rip;
  for (const int byte : bytes) ram[at++] = static_cast<u8>(byte);
  ram[at] = 0xF4;
}

void SystemWorld::segment(u16 selector, u32 base, u8 access, SegmentSize size, u32 limit) {
  const u64 flags = static_cast<u8>(size);
  put<u64>(kPagedGdt + selector, (limit & 0xFFFF) | u64{base & 0xFFFFFF} << 16 |
                                     u64{access} << 40 | u64{limit >> 16} << 48 | flags << 52 |
                                     u64{base >> 24} << 56);
}

void SystemWorld::wide_segment(u16 selector, u64 base, u8 access, u32 limit) {
  segment(selector, static_cast<u32>(base), access, SegmentSize::k16, limit);
  if (wide_) put<u64>(kPagedGdt + selector + 8, base >> 32);
}

void SystemWorld::call_gate(u16 selector, u8 access, u16 target, u64 offset, u8 parameters) {
  put<u64>(kPagedGdt + selector, (offset & 0xFFFF) | u64{target} << 16 | u64{parameters} << 32 |
                                     u64{access} << 40 | (offset >> 16 & 0xFFFF) << 48);
  if (wide_) put<u64>(kPagedGdt + selector + 8, offset >> 32);
}

void SystemWorld::idt_gate(u8 vector, u8 access, u16 target, u64 offset, u8 ist) {
  const u64 at = state.idtr.base + u64{vector} * (wide_ ? 16 : 8);
  put<u64>(at, (offset & 0xFFFF) | u64{target} << 16 | u64{ist} << 32 | u64{access} << 40 |
                   (offset >> 16 & 0xFFFF) << 48);
  if (wide_) put<u64>(at + 8, offset >> 32);
}

void SystemWorld::push(unsigned size, std::initializer_list<u64> values) {
  for (const u64 value : values) {
    state.gpr[kRsp] -= size;
    std::memcpy(&ram[state.seg[kSs].base + state.gpr[kRsp]], &value, size);
  }
}

void SystemWorld::load(SegmentName name, u16 selector, u32 base, u8 access, SegmentSize size) {
  Reg<SegmentRights> rights(u64{access} | 1);
  rights.set(SegmentRights::DB, size == SegmentSize::k32);
  rights.set(SegmentRights::L, size == SegmentSize::k64);
  state.seg[name] = {.selector = selector, .rights = rights, .limit = 0xFFFF, .base = base};
}

void SystemWorld::running_task(u64 base, u8 type, u32 limit) {
  state.seg[kTr] = {.selector = state.seg[kTr].selector, .rights = Reg<SegmentRights>(type),
                    .limit = limit, .base = base};
}

FaultCase SystemWorld::fault_case(const std::string& name) const {
  return {.name = name, .state = state, .ram = ram, .rip = state.rip, .length = length_};
}

}  // namespace vtsim::cpu::test
