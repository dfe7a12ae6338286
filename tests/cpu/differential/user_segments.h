#pragma once
// The segments that cases may name: the host kernel's flat ones of the GDT, and an LDT of our own.
// Both worlds build their tables from these rows.

#include <optional>

#include "tests/cpu/differential/user_case.h"

namespace vtsim::cpu::test {

inline constexpr u16 kUserCode32 = 0x23, kUserData = 0x2B, kUserCode64 = 0x33;  // Linux's GDT

// modify_ldt's `contents`.
enum class LdtKind : u8 { kData, kExpandDown, kCode };

struct LdtRow {
  u16 selector;
  u32 base;
  u32 limit;  // in bytes, or in pages with `pages`
  LdtKind kind;
  bool big;
  bool pages;
  bool writable_or_readable;
  bool present;
};

inline constexpr u16 ldt_selector(unsigned index) { return static_cast<u16>(index << 3 | 7); }

inline constexpr u16 kLdtCode16 = ldt_selector(1), kLdtData16 = ldt_selector(2),
                     kLdtData32 = ldt_selector(3), kLdtDown32 = ldt_selector(4),
                     kLdtDown16 = ldt_selector(5), kLdtReadOnly = ldt_selector(6),
                     kLdtAbsent = ldt_selector(7), kLdtExecuteOnly = ldt_selector(8),
                     kLdtCode32 = ldt_selector(9), kLdtShort = ldt_selector(10),
                     kLdtShortCode = ldt_selector(11), kLdtEmpty = ldt_selector(12),
                     kLdtBeyond = ldt_selector(40);

inline constexpr u32 kArena32 = static_cast<u32>(Arena::kBase);
inline constexpr LdtRow kLdt[] = {
    // selector       base      limit    kind              big    pages  w/r    present
    {kLdtCode16, kArena32, 0xFFFF, LdtKind::kCode, false, false, true, true},
    {kLdtData16, kArena32, 0xFFFF, LdtKind::kData, false, false, true, true},
    {kLdtData32, kArena32, 0xFFFF, LdtKind::kData, true, false, true, true},
    {kLdtDown32, kArena32, 0x57FF, LdtKind::kExpandDown, true, false, true, true},
    {kLdtDown16, kArena32, 0x57FF, LdtKind::kExpandDown, false, false, true, true},
    {kLdtReadOnly, 0, 0xFFFFF, LdtKind::kData, true, true, false, true},
    {kLdtAbsent, 0, 0xFFFFF, LdtKind::kData, true, true, true, false},
    {kLdtExecuteOnly, 0, 0xFFFFF, LdtKind::kCode, true, true, false, true},
    {kLdtCode32, kArena32, 0xFFFF, LdtKind::kCode, true, false, true, true},
    {kLdtShort, kArena32, 0x5A04, LdtKind::kData, true, false, true, true},
    {kLdtShortCode, kArena32, 0x2004, LdtKind::kCode, false, false, true, true},
};
inline constexpr unsigned kLdtEntries = 16;

// SDM 3A "Segment Descriptors". Accessed, AVL set, as Linux makes them.
constexpr u64 descriptor_of(const LdtRow& row) {
  const u64 type = 1u | (row.writable_or_readable ? 2u : 0u) |
                   (row.kind == LdtKind::kCode         ? 8u
                    : row.kind == LdtKind::kExpandDown ? 4u
                                                       : 0u);
  return bits(row.limit, 15, 0) | bits(row.base, 23, 0) << 16 | type << 40 | u64{1} << 44 |
         u64{3} << 45 | u64{row.present} << 47 | bits(row.limit, 19, 16) << 48 | u64{1} << 52 |
         u64{row.big} << 54 | u64{row.pages} << 55 | bits(row.base, 31, 24) << 56;
}

struct GdtRow {
  u16 offset;
  u64 raw;
};
// Linux's GDT as far as CPL 3 can see it. Entries of DPL 0 only answer "not accessible".
inline constexpr GdtRow kGdt[] = {
    {0x08, 0x00CF9B000000FFFF}, {0x10, 0x00AF9B000000FFFF}, {0x18, 0x00CF93000000FFFF},
    {0x20, 0x00CFFB000000FFFF}, {0x28, 0x00CFF3000000FFFF}, {0x30, 0x00AFFB000000FFFF},
};
inline constexpr unsigned kGdtBytes = 0x80;

// The descriptor that a selector names; nothing: null, or none.
constexpr std::optional<Descriptor> descriptor_named(u16 selector) {
  for (const LdtRow& row : kLdt)
    if ((row.selector | 3) == (selector | 3)) return Descriptor{descriptor_of(row)};
  for (const GdtRow& row : kGdt)
    if (row.offset == (selector & ~7u) && !(selector & 4)) return Descriptor{row.raw};
  return std::nullopt;
}

// What is added to offsets: of 64-bit cases, only FS and GS have a base.
inline u64 segment_base(const UserCase& c, SegmentName segment) {
  if (c.size == CodeSize::k64)
    return segment == kFs ? c.state.fs_base : segment == kGs ? c.state.gs_base : 0;
  const auto named = descriptor_named(c.state.selector[segment]);
  return named ? named->base() : 0;
}

// Where the instruction lies.
inline u64 code_address(const UserCase& c) { return c.state.rip + segment_base(c, kCs); }

}  // namespace vtsim::cpu::test
