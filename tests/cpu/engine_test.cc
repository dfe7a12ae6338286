// Blocks, chains, budgets, self-modifying code: the engine's own promises.

#include <catch2/catch.hpp>
#include <initializer_list>

#include "tests/cpu/bare_machine.h"

using namespace vtsim;
using namespace vtsim::cpu;
using test::BareMachine;

namespace {

constexpr u64 kCode = 0x10000;

struct Program : BareMachine {
  Program() { enter_long_mode(); }
  void code(u64 at, std::initializer_list<int> bytes) {
    std::vector<u8> raw(bytes.begin(), bytes.end());
    put(at, raw.data(), raw.size());
  }
  void start(u64 rip = kCode) { state().rip = rip; }
};

}  // namespace

TEST_CASE("a budget is exact: any number of instructions can be run, in any portions") {
  for (u64 portion : {1u, 2u, 3u, 7u, 100u}) {
    Program p;
    // mov ecx, 10; loop: inc eax; dec ecx; jnz loop; hlt
    p.code(kCode, {0xB9, 10, 0, 0, 0, 0xFF, 0xC0, 0xFF, 0xC9, 0x75, 0xFA, 0xF4});
    p.start();
    u64 total = 0;
    while (total < 21) {
      const u64 step = std::min<u64>(portion, 21 - total);
      const u64 before = p.core().instructions();
      p.run(step);
      CHECK(p.core().instructions() - before == step);
      total += step;
    }
    CHECK(p.state().gpr[kRax] == 7);   // 1 + 6 * 3 + 2
    CHECK(p.state().gpr[kRcx] == 3);
    CHECK(p.state().rip == kCode + 9);  // before the seventh JNZ
    p.run(100);
    CHECK(p.state().activity == Activity::kHalted);
    CHECK(p.core().instructions() == 32);
    CHECK(p.state().gpr[kRax] == 10);
  }
}

TEST_CASE("code that changes an instruction ahead of it in the same block executes the new one") {
  Program p;
  // mov byte [rip+2], 0x90+... : C6 05 disp32 imm8 (7 bytes); then inc eax (FF C0) -> dec eax (FF C8)
  p.code(kCode, {0xC6, 0x05, 1, 0, 0, 0, 0xC8, 0xFF, 0xC0, 0xF4});
  p.start();
  p.run(10);
  CHECK(p.state().gpr[kRax] == 0xFFFFFFFF);
  CHECK(p.core().instructions() == 3);
}

TEST_CASE("code that was executed, changed and executed again is decoded again") {
  Program p;
  // start: inc eax; cmp eax, 1; jne done; mov byte [start+1], 0xC8 ; jmp start; done: hlt
  p.code(kCode, {0xFF, 0xC0, 0x83, 0xF8, 1, 0x75, 9, 0xC6, 0x05, 0xF3, 0xFF, 0xFF, 0xFF, 0xC8,
                 0xEB, 0xF0, 0xF4});
  p.start();
  p.run(20);
  CHECK(p.state().activity == Activity::kHalted);
  CHECK(p.state().gpr[kRax] == 0);  // 1, then DEC
}

TEST_CASE("writes beside code on its page leave the code and take effect") {
  Program p;
  // mov ecx, 3; loop: mov [rip+0x800], ecx; dec ecx; jnz loop; hlt
  p.code(kCode, {0xB9, 3, 0, 0, 0, 0x89, 0x0D, 0x00, 0x08, 0, 0, 0xFF, 0xC9, 0x75, 0xF6, 0xF4});
  p.start();
  p.run(50);
  CHECK(p.state().activity == Activity::kHalted);
  CHECK(*p.ram(kCode + 11 + 0x800) == 1);
  CHECK(p.shared.blocks.blocks_built() < 8);
}

TEST_CASE("an instruction may lie across a page boundary") {
  Program p;
  // jmp to page end - 2; there: mov eax, 0x11223344 (5 bytes across), hlt
  p.code(0x10FFE, {0xB8, 0x44, 0x33, 0x22, 0x11, 0xF4});
  p.start(0x10FFE);
  p.run(10);
  CHECK(p.state().gpr[kRax] == 0x11223344);
  CHECK(p.state().activity == Activity::kHalted);
  // and sees a change of its second half
  p.code(0x11000, {0x88});
  p.state().activity = Activity::kActive;
  p.start(0x10FFE);
  p.run(10);
  CHECK(p.state().gpr[kRax] == 0x11228844);
}

TEST_CASE("data accesses across a page boundary are whole") {
  Program p;
  // mov rax, [0x20ffd]; mov [0x30ffc], rax; hlt
  p.code(kCode, {0x48, 0x8B, 0x04, 0x25, 0xFD, 0x0F, 0x02, 0, 0x48, 0x89, 0x04, 0x25, 0xFC, 0x0F,
                 0x03, 0, 0xF4});
  const u64 value = 0x8877665544332211;
  p.put(0x20FFD, &value, 8);
  p.start();
  p.run(10);
  CHECK(p.state().gpr[kRax] == value);
  u64 copy = 0;
  std::memcpy(&copy, p.ram(0x30FFC), 8);
  CHECK(copy == value);
}

TEST_CASE("translations that software changed and invalidated are not used again") {
  Program p;
  // mov eax, [0x400000]; mov [rdi], rsi; invlpg [0x400000]; mov ebx, [0x400000]; hlt
  p.code(kCode, {0x8B, 0x04, 0x25, 0, 0, 0x40, 0, 0x48, 0x89, 0x37, 0x0F, 0x01, 0x3C, 0x25, 0, 0,
                 0x40, 0, 0x8B, 0x1C, 0x25, 0, 0, 0x40, 0, 0xF4});
  const u32 one = 1, two = 2;
  p.put(0x400000, &one, 4);
  p.put(0x600000, &two, 4);
  p.state().gpr[kRdi] = 0x3010;             // the PDE of 0x400000
  p.state().gpr[kRsi] = 0x600000 | 0x87;
  p.start();
  p.run(10);
  CHECK(p.state().activity == Activity::kHalted);
  CHECK(p.state().gpr[kRax] == 1);
  CHECK(p.state().gpr[kRbx] == 2);
}

TEST_CASE("a fault in the middle of a block leaves the instructions before it done and no other") {
  Program p;
  // IDT with a page-fault gate to 0x12000: hlt
  const u64 gate[2] = {0x2000 | 8u << 16 | u64{0x8E00} << 32 | u64{1} << 48, 0};
  p.put(0x5000 + 14 * 16, gate, 16);
  const u64 gdt[3] = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF};
  p.put(0x6000, gdt, sizeof gdt);
  p.state().idtr = {0x5000, 0xFFF};
  p.state().gdtr = {0x6000, 23};
  p.code(0x12000, {0xF4});
  // inc eax; mov ecx, [0x7fc00000000]; inc eax; hlt
  p.code(kCode, {0xFF, 0xC0, 0x48, 0xBF, 0, 0, 0, 0, 0xFC, 0x07, 0, 0, 0x8B, 0x0F, 0xFF, 0xC0, 0xF4});
  p.state().gpr[kRsp] = 0x9000;
  p.start();
  p.run(20);
  CHECK(p.state().activity == Activity::kHalted);
  CHECK(p.state().gpr[kRax] == 1);
  CHECK(p.state().cr2 == 0x7FC00000000);
  u64 frame[6];
  std::memcpy(frame, p.ram(p.state().gpr[kRsp]), sizeof frame);
  CHECK(frame[0] == 0);            // error code: not present, read, supervisor
  CHECK(frame[1] == kCode + 12);   // RIP
  CHECK(frame[2] == 8);
  CHECK(p.state().rip == 0x12001);
}

TEST_CASE("an access across a page border reads both pages, whatever the arrays hold") {
  struct Case {
    u64 border;
    u64 above;  // the physical address of the upper page
    std::vector<std::pair<u64, u64>> entries;
  };
  const Case cases[] = {
      {0x80000000, 0x600000, {{0x2008, 0x5007}, {0x5FF8, 0x800087}, {0x2010, 0x6007}, {0x6000, 0x600087}}},
      {0, 0, {{0x1FF8, 0x7007}, {0x7FF8, 0x8007}, {0x8FF8, 0x800087}}}};
  for (const Case& c : cases) {
    CAPTURE(c.border);
    Program p;
    for (const auto& [at, value] : c.entries) p.put(at, &value, 8);
    const u32 below = 0x44332211, above = 0x88776655;
    p.put(0x9FFFFC, &below, 4);
    p.put(c.above, &above, 4);
    // mov eax, [rdi]; mov ebx, [rsi]; hlt: the upper page, which fills its entry, then the border
    p.code(kCode, {0x8B, 0x07, 0x8B, 0x1E, 0xF4});
    p.state().gpr[kRdi] = c.border;
    p.state().gpr[kRsi] = c.border - 2;
    p.start();
    p.run(10);
    CHECK(p.state().activity == Activity::kHalted);
    CHECK(p.state().gpr[kRax] == above);
    CHECK(p.state().gpr[kRbx] == 0x66554433);
  }
}

TEST_CASE("while data breakpoints are enabled too, code is fetched by the new CR3") {
  Program p;
  const u64 tables[3][2] = {{0x9000, 0xA007}, {0xA000, 0xB007}, {0xB000, 0x200087}};
  for (const auto& [at, value] : tables) p.put(at, &value, 8);
  p.code(kCode, {0x0F, 0x22, 0xD8, 0xFF, 0xC3, 0xF4});             // mov cr3, rax; inc ebx; hlt
  p.code(0x200000 + kCode, {0x0F, 0x22, 0xD8, 0xFF, 0xC1, 0xF4});  // the new address space: inc ecx
  p.state().gpr[kRax] = 0x9000;
  p.state().dr7 = Dr7::kReset | 0x10003;  // writes to address 0
  p.core().mode_changed();
  p.start();
  p.run(10);
  CHECK(p.state().activity == Activity::kHalted);
  CHECK(p.state().gpr[kRbx] == 0);
  CHECK(p.state().gpr[kRcx] == 1);
}

TEST_CASE("at the end of a budget the next instruction is not fetched: interrupts come before its faults") {
  Program p;
  // jmp to a page that is not present
  p.code(kCode, {0xFF, 0xE0});
  p.state().gpr[kRax] = 0x7FC00000000;
  p.start();
  p.run(1);
  CHECK(p.core().instructions() == 1);
  CHECK(p.state().rip == 0x7FC00000000);
  CHECK(p.state().cr2 == 0);
  CHECK(p.state().activity == Activity::kActive);
}

TEST_CASE("jumps to another page follow its mapping") {
  Program p;
  // Linear 4 MiB is physical 4 MiB, then 6 MiB.
  p.code(kCode, {0xE8, 0xFB, 0xFF, 0x3E, 0x00, 0xFF, 0xC1, 0xEB, 0xF7});  // call 4 MiB; inc ecx; jmp
  p.code(0x400000, {0x83, 0xC3, 1, 0xC3});  // add ebx, 1; ret
  p.code(0x600000, {0x83, 0xC3, 100, 0xC3});
  p.state().gpr[kRsp] = 0x80000;
  p.start();
  p.run(5 * 10);
  CHECK(p.state().gpr[kRbx] == 10);
  const u64 moved = 0x600087;
  p.put(0x3000 + 8 * 2, &moved, sizeof moved);
  p.core().invalidate_page(0x400000);
  p.run(5 * 10);
  CHECK(p.state().gpr[kRbx] == 1010);
  CHECK(p.state().gpr[kRcx] == 20);
}
