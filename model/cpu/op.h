#pragma once
// Decoded code: an Op is one step of work with its operands ready to use, a Block a straight run of
// them. Ops are a plain, complete description: the interpreter calls `handler`, a translator may
// read the fields.

#include <cstddef>
#include <span>

#include "model/base/bits.h"

namespace vtsim::cpu {

class Core;
struct Op;

// Two ways to go from op to op with the same handlers: sibling calls (fast), or a loop around
// handlers that return the next op (sanitizers, -O0, other compilers).
#if defined(VTSIM_LOOP_DISPATCH)
using Next = const Op*;
#define VTSIM_DISPATCH(core, op) return (op)
#define VTSIM_END_CHAIN return nullptr
#else
using Next = void;
// The compiler must not know that `next` is the running op and a constant: it would load the handler
// from there, and copy and add besides.
#define VTSIM_DISPATCH(core, next)                   \
  do {                                               \
    const Op* next_op = (next);                      \
    asm("" : "+r"(next_op));                         \
    return next_op->handler((core), next_op);        \
  } while (false)
#define VTSIM_END_CHAIN return
#endif
using Handler = Next (*)(Core*, const Op*);

// How the memory operand's address is formed; chosen when the block is built.
//   mem: 7 has_memory | 6 general | 5:4 address size (log2 bytes) | 3 unused | 2:0 SegmentName
struct MemoryForm {
  u8 bits = 0;
  bool present() const { return bits & 0x80; }
  bool general() const { return bits & 0x40; }  // needs segmentation or a narrow address
  unsigned address_size_log2() const { return (bits >> 4) & 3; }
  u8 segment() const { return bits & 7; }
};

struct Op {
  Handler handler;
  u8 dst;    // byte offset into CoreState::gpr, or a register number (vector, x87, segment...)
  u8 src;    // the same for the second register operand
  u8 base;   // byte offset of the base register (the zero register where there is none)
  u8 index;  // byte offset of the index register
  u8 scale;  // log2, 0..3
  MemoryForm mem;
  u16 where;  // instruction's index in the block << 10 | byte offset from the block's start
  i64 disp;   // displacement; RIP-relative operands hold the target's address; near branches: target
  u64 imm;    // immediate; further operands of rare instructions (documented at the binder)

  unsigned instruction_index() const { return where >> 10; }
  unsigned byte_offset() const { return where & 0x3FF; }
  // Every block ends with an op that closes it, so this[1] exists for every instruction's op.
  unsigned length() const { return this[1].byte_offset() - byte_offset(); }
};
static_assert(sizeof(Op) == 32);

// What about the core decides how bytes decode and which handlers are bound: part of a block's key.
struct ModeBits {
  static constexpr Field CODE_SIZE{1, 0};  // CodeSize
  static constexpr Field CPL{3, 2};
  static constexpr Flag PROTECTED{4};    // CR0.PE and not virtual-8086
  static constexpr Flag V8086{5};
  static constexpr Flag EM{6}, TS{7}, MP{8}, OSFXSR{9}, OSXSAVE{10}, AVX{11};
  static constexpr Flag CS_LIMITED{12};  // CS limit below what the code size can reach: no chaining
  static constexpr Flag NON_ROOT{13};
  static constexpr Flag ALONE{14};       // blocks of one instruction, never chained
};
using Mode = Reg<ModeBits>;

inline constexpr unsigned kMaxBlockInstructions = 48;
inline constexpr unsigned kMaxBlockBytes = 1023;

struct Block {
  Block* link[2];      // successors on the same page: [0] fall through, [1] taken
  u64 successor[2];    // RIP of the successors; [1] only after direct branches
  u64 hpa;             // host-physical address of the first byte; no address once dropped
  u64 lin;             // linear address (RIP + CS base) of the first byte; no address once dropped
  u64 rip;             // RIP of the first byte
  Mode mode;
  u16 instructions;
  u16 bytes;
  bool integers_only;  // of a block that runs alone: changes general registers, RFLAGS, memory, RIP
  u64 second_page;     // host-physical page of the tail when the code crosses a page, else ~0
  Block* hash_next;
  Op ops[];

  // The bytes of an instruction that runs alone: the op behind it, which closes the block, has room.
  std::span<const u8> code_alone() const {
    return {reinterpret_cast<const u8*>(&ops[1].disp), bytes};
  }
};
static_assert(offsetof(Op, imm) == offsetof(Op, disp) + sizeof(Op::disp));

}  // namespace vtsim::cpu
