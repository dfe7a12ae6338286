#pragma once
// Loads and stores of handlers: effective address, segmentation, then the host-pointer arrays; what
// they don't hold goes to Core::slow_*. All return false when an exception was recorded: the handler
// then returns Outcome::kFault at once, before it has changed any register.
//
// SDM 1 "Operand Addressing", SDM 3A "Protection > Limit Checking / Type Checking".

#include <cstring>

#include "model/cpu/core.h"

namespace vtsim::cpu {

enum class Intent : u8 { kRead, kWrite };

// Register file by byte offset (0..135).
template <class T>
inline T get_gpr(const Core& core, unsigned offset) {
  T value;
  std::memcpy(&value, reinterpret_cast<const u8*>(&core.state) + offset, sizeof value);
  return value;
}
// Writes of 32 bits clear the upper half, of 8 and 16 bits keep it.
template <class T>
inline void set_gpr(Core& core, unsigned offset, T value) {
  u8* reg = reinterpret_cast<u8*>(&core.state) + offset;
  if constexpr (sizeof(T) == 4) {
    const u64 wide = value;
    std::memcpy(reg, &wide, sizeof wide);
  } else {
    std::memcpy(reg, &value, sizeof value);
  }
}
inline constexpr u8 gpr_offset(GprName name) { return static_cast<u8>(name * 8); }

// ---- addresses

inline u64 truncate(u64 value, unsigned size_log2) {
  return size_log2 == 3 ? value : value & low_mask(8u << size_log2);
}

// The effective address (offset within the segment) of the op's memory operand.
inline u64 effective_offset(const Core& core, const Op& op) {
  const u64 sum = get_gpr<u64>(core, op.base) + (get_gpr<u64>(core, op.index) << op.scale) +
                  static_cast<u64>(op.disp);
  return op.mem.general() ? truncate(sum, op.mem.address_size_log2()) : sum;
}

// Segment checks and base for an access of `size` bytes at `offset`; false: #GP or #SS recorded.
// In 64-bit mode: base of FS and GS, canonical check (#SS for SS).
bool segment_to_linear(Core& core, u8 segment, u64 offset, unsigned size, Intent intent, u64& lin);

// How hot handlers form addresses; the binder chooses by the op.
enum class Form : u8 {
  kBase,       // 64-bit code, no FS/GS: base + displacement
  kBaseIndex,  // 64-bit code, no FS/GS: base + index * scale + displacement
  kSegment,    // 64-bit code, FS or GS, 64-bit address: the same and the segment's base
  kGeneral,    // everything else
};

// Linear address of the op's memory operand. In the forms of 64-bit code a non-canonical address is found
// by the slow half, as no array entry ever holds one.
template <Form form = Form::kGeneral>
inline bool operand_linear(Core& core, const Op& op, unsigned size, Intent intent, u64& lin) {
  if constexpr (form == Form::kBase) {
    lin = get_gpr<u64>(core, op.base) + static_cast<u64>(op.disp);
    return true;
  } else if constexpr (form == Form::kBaseIndex) {
    lin = get_gpr<u64>(core, op.base) + (get_gpr<u64>(core, op.index) << op.scale) +
          static_cast<u64>(op.disp);
    return true;
  } else if constexpr (form == Form::kSegment) {
    lin = get_gpr<u64>(core, op.base) + (get_gpr<u64>(core, op.index) << op.scale) +
          static_cast<u64>(op.disp) + core.state.seg[op.mem.segment()].base;
    return true;
  } else {
    const u64 offset = effective_offset(core, op);
    if (!op.mem.general()) {
      lin = offset;
      return true;
    }
    return segment_to_linear(core, op.mem.segment(), offset, size, intent, lin);
  }
}

// ---- linear accesses at the current privilege

// The slow halves behind register-preserving calls, so that the fast path of a handler is a leaf.
#if defined(VTSIM_LOOP_DISPATCH)
inline const u8* call_slow_read(Core& core, const Op& op, u64 lin, unsigned size) {
  return core.slow_read(op, lin, size);
}
#else
inline const u8* call_slow_read(Core& core, const Op& op, u64 lin, unsigned size) {
  const u8* host;
  // vtsim_slow_read_keep (engine/thunks.S): arguments in RDI, RSI, RDX, RCX; result in RAX; every
  // other register survives.
  asm volatile("call vtsim_slow_read_keep"
               : "=a"(host)
               : "D"(&core), "S"(&op), "d"(lin), "c"(size)
               : "memory", "cc");
  return host;
}
#endif

// Host pointer to `size` readable bytes at `lin`, or nullptr (raised). Valid until the next access.
inline const u8* read_pointer(Core& core, const Op& op, u64 lin, unsigned size) {
  const HostTlbEntry& entry = core.tlb->read[HostTlb::index(lin)];
  if (entry.tag == ((lin + size - 1) & ~kPageOffsetMask)) [[likely]]
    return reinterpret_cast<const u8*>(lin + entry.addend);
  return call_slow_read(core, op, lin, size);
}

// Host pointer to `size` writable bytes of plain memory when the arrays hold the page, else nullptr
// (nothing raised: use Core::slow_write).
inline u8* write_pointer(Core& core, u64 lin, unsigned size) {
  const HostTlbEntry& entry = core.tlb->write[HostTlb::index(lin)];
  if (entry.tag == ((lin + size - 1) & ~kPageOffsetMask)) [[likely]]
    return reinterpret_cast<u8*>(lin + entry.addend);
  return nullptr;
}

// T: integers, or trivially copyable aggregates such as 16-byte vectors.
template <class T>
inline bool load_linear(Core& core, const Op& op, u64 lin, T& out) {
  const HostTlbEntry& entry = core.tlb->read[HostTlb::index(lin)];
  if (entry.tag == ((lin + sizeof(T) - 1) & ~kPageOffsetMask)) [[likely]] {
    std::memcpy(&out, reinterpret_cast<const u8*>(lin + entry.addend), sizeof(T));
    return true;
  }
  const u8* host = call_slow_read(core, op, lin, sizeof(T));
  if (host == nullptr) return false;
  std::memcpy(&out, host, sizeof(T));
  return true;
}

template <class T>
[[gnu::noinline, gnu::cold]] bool store_slow(Core& core, const Op& op, u64 lin, T value) {
  u8 bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  return core.slow_write(op, lin, sizeof(T), bytes);
}

#if defined(VTSIM_LOOP_DISPATCH)
inline bool call_slow_store(Core& core, const Op& op, u64 lin, u64 value, unsigned size) {
  u8 bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  return core.slow_write(op, lin, size, bytes);
}
#else
inline bool call_slow_store(Core& core, const Op& op, u64 lin, u64 value, unsigned size) {
  u64 result;
  // vtsim_slow_store_keep: like vtsim_slow_read_keep, the value in RAX.
  asm volatile("call vtsim_slow_store_keep"
               : "=a"(result)
               : "D"(&core), "S"(&op), "d"(lin), "c"(size), "a"(value)
               : "memory", "cc");
  return result != 0;
}
#endif

#if defined(VTSIM_LOOP_DISPATCH)
inline bool call_probe_write(Core& core, const Op& op, u64 lin, unsigned size) {
  return core.probe_write(op, lin, size);
}
#else
inline bool call_probe_write(Core& core, const Op& op, u64 lin, unsigned size) {
  u64 result;
  // vtsim_probe_write_keep: like vtsim_slow_read_keep.
  asm volatile("call vtsim_probe_write_keep"
               : "=a"(result)
               : "D"(&core), "S"(&op), "d"(lin), "c"(size)
               : "memory", "cc");
  return result != 0;
}
#endif

template <class T>
inline bool slow_store_linear(Core& core, const Op& op, u64 lin, T value) {
  if constexpr (sizeof(T) <= 8) {
    u64 wide = 0;
    std::memcpy(&wide, &value, sizeof(T));
    return call_slow_store(core, op, lin, wide, sizeof(T));
  } else {
    return store_slow(core, op, lin, value);
  }
}

template <class T>
inline bool store_linear(Core& core, const Op& op, u64 lin, T value) {
  const HostTlbEntry& entry = core.tlb->write[HostTlb::index(lin)];
  if (entry.tag == ((lin + sizeof(T) - 1) & ~kPageOffsetMask)) [[likely]] {
    std::memcpy(reinterpret_cast<u8*>(lin + entry.addend), &value, sizeof(T));
    return true;
  }
  return slow_store_linear(core, op, lin, value);
}

// Read-modify-write: `change(T old) -> T`. The write permission is checked before anything happens,
// so a fault is a write fault, and nothing is lost on a retry.
template <class T, class Change>
inline bool modify_linear(Core& core, const Op& op, u64 lin, Change change) {
  T old;
  const HostTlbEntry& entry = core.tlb->write[HostTlb::index(lin)];
  if (entry.tag == ((lin + sizeof(T) - 1) & ~kPageOffsetMask)) [[likely]] {
    u8* host = reinterpret_cast<u8*>(lin + entry.addend);
    std::memcpy(&old, host, sizeof(T));
    const T changed = change(old);
    std::memcpy(host, &changed, sizeof(T));
    return true;
  }
  if (!call_probe_write(core, op, lin, sizeof(T))) return false;
  const u8* source = call_slow_read(core, op, lin, sizeof(T));
  if (source == nullptr) return false;
  std::memcpy(&old, source, sizeof(T));
  return slow_store_linear(core, op, lin, change(old));
}

// ---- the op's memory operand, in one step (general form: for handlers that are not hot)

template <class T, Form form = Form::kGeneral>
inline bool load_operand(Core& core, const Op& op, T& out) {
  u64 lin;
  return operand_linear<form>(core, op, sizeof(T), Intent::kRead, lin) &&
         load_linear(core, op, lin, out);
}
template <class T, Form form = Form::kGeneral>
inline bool store_operand(Core& core, const Op& op, T value) {
  u64 lin;
  return operand_linear<form>(core, op, sizeof(T), Intent::kWrite, lin) &&
         store_linear(core, op, lin, value);
}
template <class T, Form form = Form::kGeneral, class Change>
inline bool modify_operand(Core& core, const Op& op, Change change) {
  u64 lin;
  return operand_linear<form>(core, op, sizeof(T), Intent::kWrite, lin) &&
         modify_linear<T>(core, op, lin, change);
}

// Accesses at segment:offset that are no ModRM operand (strings, stack in 16/32-bit modes, XLAT).
template <class T>
inline bool load_at(Core& core, const Op& op, u8 segment, u64 offset, T& out) {
  u64 lin;
  return segment_to_linear(core, segment, offset, sizeof(T), Intent::kRead, lin) &&
         load_linear(core, op, lin, out);
}
template <class T>
inline bool store_at(Core& core, const Op& op, u8 segment, u64 offset, T value) {
  u64 lin;
  return segment_to_linear(core, segment, offset, sizeof(T), Intent::kWrite, lin) &&
         store_linear(core, op, lin, value);
}

// ---- the stack

// log2 of the stack-address size: 3 in 64-bit mode, else by SS.B.
inline unsigned stack_size_log2(const Core& core) {
  if (core.state.mode64()) return 3;
  return core.state.seg[kSs].rights[SegmentRights::DB] ? 2 : 1;
}

// Writes RSP, ESP or SP by the stack-address size; the upper part is kept as the manual says (ESP
// zero-extends only in 64-bit mode, where it never is the stack pointer).
inline void set_stack_pointer(Core& core, u64 value) {
  const unsigned size = stack_size_log2(core);
  u64& rsp = core.state.gpr[kRsp];
  rsp = size == 3 ? value : (rsp & ~low_mask(8u << size)) | truncate(value, size);
}
inline u64 stack_pointer(const Core& core) {
  return truncate(core.state.gpr[kRsp], stack_size_log2(core));
}

// Pushes a T; RSP changes only when the store succeeded.
template <class T>
inline bool push(Core& core, const Op& op, T value) {
  const u64 top = truncate(core.state.gpr[kRsp] - sizeof(T), stack_size_log2(core));
  if (!store_at(core, op, kSs, top, value)) return false;
  set_stack_pointer(core, top);
  return true;
}
// Reads the T at the top; the caller moves the pointer with set_stack_pointer once nothing can fault.
template <class T>
inline bool peek(Core& core, const Op& op, u64 bytes_above_top, T& out) {
  return load_at(core, op, kSs, truncate(core.state.gpr[kRsp] + bytes_above_top, stack_size_log2(core)),
                 out);
}

}  // namespace vtsim::cpu
