// Far transfers, interrupts, returns, segment loads and task switches, each of their references to
// tables, stacks and task states failed in turn.

#include <catch2/catch.hpp>
#include <cstdio>

#include "tests/system/system_world.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kTarget = 0x9800;
constexpr u16 kNewCode = kSecondPage + 0x08, kNewStack = kSecondPage + 0x10,
              kNewData = kSecondPage + 0x18, kUserCode = kSecondPage + 0x20,
              kUserStack = kSecondPage + 0x28, kGate = kSecondPage + 0x40;
// A task state whose stack pointers lie on both sides of a page boundary.
constexpr u64 kSplitTss = 0x16000 - 8;
// Stacks that the next two pushes of 4 or 8 bytes leave a page with.
constexpr u64 kSplitStack = 0x1004, kInnerStack = kInnerStackAt - kStackBase + 4;

struct Row {
  const char* name;
  CodeSize size;
  unsigned cpl;
  void (*prepare)(SystemWorld&);
  bool switches_task = false;
};

void new_segments(SystemWorld& w, SegmentSize size) {
  w.segment(kNewCode, 0, kCode32, size);
  w.segment(kNewStack, kStackBase, kData, SegmentSize::k32);
  w.segment(kNewData, kDataBase, kData, SegmentSize::k32);
  w.segment(kUserCode, 0, kCode32 | kUserLevel, size);
  w.segment(kUserStack, kStackBase, kData | kUserLevel, SegmentSize::k32);
}

void inner_stack_32(SystemWorld& w) {
  w.running_task(kSplitTss);
  w.put<u32>(kSplitTss + 4, kInnerStack);
  w.put<u32>(kSplitTss + 8, kNewStack);
}
void inner_stack_64(SystemWorld& w) {
  w.running_task(0x16000 - 40);  // RSP0 and IST1 on different pages
  w.put<u64>(0x16000 - 36, kInnerStackAt + 0x20);
  w.put<u64>(0x16000 - 4, kInnerStackAt + 0x20);
}

// ---- segment registers

void mov_ds(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRax] = kNewData;
  w.code({0x8E, 0xD8});
}
void mov_ss(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRax] = kNewStack;
  w.code({0x8E, 0xD0});
}
void pop_es(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRsp] = 0x1006;
  w.push(4, {kNewData});  // across the boundary
  w.code({0x07});
}
void lss(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRbx] = 0x1000 - 4;
  w.put<u32>(kDataBase + 0x1000 - 4, 0x1234);
  w.put<u16>(kDataBase + 0x1000, kNewStack);
  w.code({0x0F, 0xB2, 0x03});
}
void load_fs_from_ldt(SystemWorld& w) {
  w.load(kLdtr, 0x50, kPagedTss, 0x82, SegmentSize::k16);
  w.put<u64>(kPagedTss + 8, 0x0040920000000000 | 0xFFFF);
  w.state.gpr[kRax] = 0x0C;
  w.code({0x8E, 0xE0});
}
void lar_lsl_verr(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRbx] = 0x1000 - 1;
  w.put<u16>(kDataBase + 0x1000 - 1, kNewData);
  w.code({0x0F, 0x02, 0x03});
}
void ltr(SystemWorld& w) {
  w.wide_segment(kThirdPage - 8, 0x16000, kAvailableTss, 0x67);  // 64-bit: across the boundary
  w.state.gpr[kRax] = kThirdPage - 8;
  w.code({0x0F, 0x00, 0xD8});
}
void lldt(SystemWorld& w) {
  w.wide_segment(kThirdPage - 8, 0x16000, kLdtAccess, 0x67);
  w.state.gpr[kRax] = kThirdPage - 8;
  w.code({0x0F, 0x00, 0xD0});
}

// ---- far transfers

void jump_far(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.code({0xEA, 0x00, 0x98, 0, 0, kNewCode & 0xFF, kNewCode >> 8});
}
void call_far(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRsp] = kSplitStack;
  w.code({0x9A, 0x00, 0x98, 0, 0, kNewCode & 0xFF, kNewCode >> 8});
}
void call_gate_same(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.call_gate(kGate, 0x8C, kNewCode, kTarget);
  w.state.gpr[kRsp] = kSplitStack;
  w.code({0x9A, 0, 0, 0, 0, kGate & 0xFF, kGate >> 8});
}
void call_gate_inner(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  inner_stack_32(w);
  w.call_gate(kGate, 0xEC, kNewCode, kTarget, 3);
  w.state.gpr[kRsp] = 0x1000 - 6;  // parameters across the boundary
  w.code({0x9A, 0, 0, 0, 0, kGate & 0xFF, kGate >> 8});
}
void call_gate_inner_64(SystemWorld& w) {
  new_segments(w, SegmentSize::k64);
  inner_stack_64(w);
  w.put<u64>(0x16000 - 36, kInnerStackAt + 8);
  w.call_gate(kThirdPage - 8, 0xEC, kNewCode, kTarget);
  w.state.gpr[kRbx] = kDataBase + 0x1000 - 4;
  w.put<u16>(kDataBase + 0x1000, kThirdPage - 8);
  w.code({0xFF, 0x1B});
}
void ret_far_same(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRsp] = kSplitStack;
  w.push(4, {kNewCode, kTarget});
  w.code({0xCB});
}
void ret_far_outer(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRsp] = 0x100C;
  w.push(4, {kUserStack | 3, 0x3000, 0, 0, kUserCode | 3, kTarget});
  w.code({0xCA, 8, 0});
}
void ret_far_outer_64(SystemWorld& w) {
  new_segments(w, SegmentSize::k64);
  w.state.gpr[kRsp] = kStackBase + 0x1010;
  w.push(8, {kUserStack | 3, kStackBase + 0x3000, kUserCode | 3, kTarget});
  w.code({0x48, 0xCB});
}

// ---- interrupts and IRET

void int_same(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.idt_gate(0x30, 0x8E, kNewCode, kTarget);
  w.state.gpr[kRsp] = kSplitStack;
  w.code({0xCD, 0x30});
}
void int_inner(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  inner_stack_32(w);
  w.idt_gate(0x30, 0xEF, kNewCode, kTarget);
  w.code({0xCD, 0x30});
}
void int_inner_16(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  inner_stack_32(w);
  w.put<u32>(kSplitTss + 4, kInnerStack + 2);
  w.idt_gate(0x30, 0xE6, kNewCode, kTarget);
  w.code({0xCD, 0x30});
}
void int_from_v8086(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  inner_stack_32(w);
  w.idt_gate(0x30, 0xEE, kNewCode, kTarget);
  w.state.rflags_other |= Rflags::VM.mask() | Rflags::IOPL.mask();
  for (unsigned n = 0; n < 6; ++n)
    w.state.seg[n] = {.selector = 0x2000, .rights = Reg<SegmentRights>(0xF3), .limit = 0xFFFF,
                      .base = 0x20000};
  w.state.seg[kCs] = {.selector = 0, .rights = Reg<SegmentRights>(0xF3), .limit = 0xFFFF,
                      .base = 0};
  w.code({0xCD, 0x30});
}
void int_64(SystemWorld& w) {
  new_segments(w, SegmentSize::k64);
  inner_stack_64(w);
  w.idt_gate(0x30, 0xEE, kNewCode, kTarget);
  w.code({0xCD, 0x30});
}
void int_64_ist(SystemWorld& w) {
  int_64(w);
  w.idt_gate(0x30, 0xEE, kNewCode, kTarget, 1);
}
void iret_same(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRsp] = 0x1008;
  w.push(4, {0x246, kNewCode, kTarget});
  w.code({0xCF});
}
void iret_outer(SystemWorld& w) {
  new_segments(w, SegmentSize::k32);
  w.state.gpr[kRsp] = 0x1008;
  w.push(4, {kUserStack | 3, 0x3000, 0x246, kUserCode | 3, kTarget});
  w.code({0xCF});
}
void iret_to_v8086(SystemWorld& w) {
  w.state.gpr[kRsp] = 0x1010;
  w.push(4, {1, 2, 3, 4, 0x100, 0x3000, 0x20246, 0, kTarget});
  w.code({0xCF});
}
void iret_64(SystemWorld& w) {
  new_segments(w, SegmentSize::k64);
  w.state.gpr[kRsp] = kStackBase + 0x1010;
  w.push(8, {kUserStack | 3, kStackBase + 0x3000, 0x246, kUserCode | 3, kTarget});
  w.code({0x48, 0xCF});
}

// ---- other instructions with several references

void enter_nested(SystemWorld& w) {
  w.state.gpr[kRsp] = 0x1008;
  w.state.gpr[kRbp] = 0x3008;
  w.code({0xC8, 0x00, 0x04, 5});
}
void outs_with_bitmap(SystemWorld& w) {
  w.running_task(0x16000 - 103, 0x8B, 0x200);  // the map's base on both sides of the boundary
  w.put<u16>(0x16000 - 103 + 102, 0x68);
  w.state.gpr[kRdx] = 0x100;
  w.state.gpr[kRsi] = 0x1000 - 2;
  w.code({0x6F});
}
void ins_with_bitmap(SystemWorld& w) {
  outs_with_bitmap(w);
  w.state.gpr[kRdi] = 0x1000 - 2;
  w.code({0x6D});
}

// ---- task switches. SDM 3A "Task Management > Task Switching"

constexpr u16 kOldTask = 0x28, kNewTask = kThirdPage + 0x08, kTaskGate = kThirdPage + 0x10,
              kNewLdt = kSecondPage + 0x30;
// What a switch writes and reads of both lies on two pages each.
constexpr u64 kOldTss = 0x16000 - 60, kNewTss = 0x18000 - 60;

void two_tasks(SystemWorld& w, u8 new_type) {
  new_segments(w, SegmentSize::k32);
  w.segment(kOldTask, kOldTss, kBusyTss, SegmentSize::k16, 0x67);
  w.running_task(kOldTss);
  w.segment(kNewTask, kNewTss, new_type, SegmentSize::k16, 0x67);
  w.segment(kNewLdt, 0x1A000, kLdtAccess, SegmentSize::k16);
  const u32 image[] = {static_cast<u32>(w.state.cr3), kTarget, 0x202, 1, 2, 3, 4, 0x3000, 5, 6, 7,
                       kNewData, kNewCode, kNewStack, kNewData, 0, kNewData, kNewLdt};
  for (unsigned n = 0; n < std::size(image); ++n) w.put<u32>(kNewTss + 28 + 4 * n, image[n]);
}
void jump_to_task(SystemWorld& w) {
  two_tasks(w, kAvailableTss);
  w.code({0xEA, 0, 0, 0, 0, kNewTask & 0xFF, kNewTask >> 8});
}
void call_task_by_gate(SystemWorld& w) {
  two_tasks(w, kAvailableTss);
  w.call_gate(kTaskGate, 0x85, kNewTask, 0);
  w.code({0x9A, 0, 0, 0, 0, kTaskGate & 0xFF, kTaskGate >> 8});
}
void int_to_task(SystemWorld& w) {
  two_tasks(w, kAvailableTss);
  w.idt_gate(0x30, 0x85, kNewTask, 0);
  w.code({0xCD, 0x30});
}
void iret_to_task(SystemWorld& w) {
  two_tasks(w, kBusyTss);
  w.put<u16>(kOldTss, kNewTask);
  w.state.rflags_other |= Rflags::NT.mask();
  w.code({0xCF});
}

constexpr CodeSize k32 = CodeSize::k32, k64 = CodeSize::k64;

constexpr Row kRows[] = {
    {"MOV DS", k32, 0, mov_ds},
    {"MOV SS", k32, 0, mov_ss},
    {"MOV DS at CPL 3", k32, 3, [](SystemWorld& w) {
       mov_ds(w);
       w.state.gpr[kRax] = kUserStack | 3;
     }},
    {"MOV DS in 64-bit mode", k64, 0, mov_ds},
    {"POP ES", k32, 0, pop_es},
    {"LSS", k32, 0, lss},
    {"MOV FS from the LDT", k32, 0, load_fs_from_ldt},
    {"LAR", k32, 0, lar_lsl_verr},
    {"LTR", k32, 0, ltr},
    {"LTR in 64-bit mode", k64, 0, ltr},
    {"LLDT", k32, 0, lldt},
    {"LLDT in 64-bit mode", k64, 0, lldt},
    {"JMP far", k32, 0, jump_far},
    {"CALL far", k32, 0, call_far},
    {"CALL through a gate", k32, 0, call_gate_same},
    {"CALL through a gate to an inner level", k32, 3, call_gate_inner},
    {"CALL through a 64-bit gate to an inner level", k64, 3, call_gate_inner_64},
    {"RET far", k32, 0, ret_far_same},
    {"RET far to an outer level", k32, 0, ret_far_outer},
    {"RET far to an outer level in 64-bit mode", k64, 0, ret_far_outer_64},
    {"INT to the same level", k32, 0, int_same},
    {"INT to an inner level", k32, 3, int_inner},
    {"INT to an inner level through a 16-bit gate", k32, 3, int_inner_16},
    {"INT out of virtual-8086 mode", k32, 3, int_from_v8086},
    {"INT in 64-bit mode", k64, 3, int_64},
    {"INT in 64-bit mode with IST", k64, 3, int_64_ist},
    {"IRET to the same level", k32, 0, iret_same},
    {"IRET to an outer level", k32, 0, iret_outer},
    {"IRET to virtual-8086 mode", k32, 0, iret_to_v8086},
    {"IRET in 64-bit mode", k64, 0, iret_64},
    {"ENTER with nesting", k32, 0, enter_nested},
    {"JMP to a task", k32, 0, jump_to_task, true},
    {"CALL of a task through a gate", k32, 0, call_task_by_gate, true},
    {"INT to a task", k32, 0, int_to_task, true},
    {"IRET to a task", k32, 0, iret_to_task, true},
    {"OUTS with an I/O permission bitmap", k32, 3, outs_with_bitmap},
    {"INS with an I/O permission bitmap", k32, 3, ins_with_bitmap},
};

}  // namespace

TEST_CASE("a fault at any reference of a far transfer or event leaves it restartable") {
  PagedBench bench;
  FaultChecker checker(bench);
  unsigned faults = 0;
  for (const Row& row : kRows) {
    SystemWorld world(bench, row.size, row.cpl);
    row.prepare(world);
    FaultCase one = world.fault_case(row.name);
    if (row.switches_task) {
      one.later_page = kPagedGdt + kSecondPage;
      one.later_rip = kTarget;
    }
    const FaultReport report = checker.check(one);
    if (!report.error.empty()) FAIL_CHECK(report.error);
    INFO(row.name);
    CHECK(report.faults > 1);
    CHECK(report.succeeded);
    faults += report.faults;
  }
  std::printf("%u faults\n", faults);
}
