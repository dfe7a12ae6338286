#include "sim/loader/entry_points.h"

#include "sim/firmware_tables/byte_writer.h"

namespace vtsim::loader {
namespace {

using firmware_tables::ByteWriter;

// SDM 3A "Control Registers" and "Extended Feature Enable Register".
struct Cr0 {
  static constexpr Flag PE{0};
  static constexpr Flag ET{4};
  static constexpr Flag PG{31};
};
struct Cr4 {
  static constexpr Flag PAE{5};
};
struct Efer {
  static constexpr Flag LME{8};
  static constexpr Flag LMA{10};
};

constexpr u64 kCodeType = 0xb;  // execute/read, accessed
constexpr u64 kDataType = 0x3;  // read/write, accessed
constexpr u64 kBusyTssType = 0xb;
constexpr u16 kCodeSelector = 0x10;  // __BOOT_CS and __BOOT_DS of Linux's boot protocol
constexpr u16 kDataSelector = 0x18;
constexpr u16 kTssSelector = 0x20;
constexpr u32 kFlatLimit = 0xffff'ffff;
constexpr u32 kTssLimit = 0x67;

constexpr Reg<AccessRights> memory_segment(u64 type) {
  return Reg<AccessRights>()
      .with(AccessRights::TYPE, type)
      .with(AccessRights::S, 1)
      .with(AccessRights::P, 1);
}
constexpr Reg<AccessRights> flat_segment(u64 type) {
  return memory_segment(type).with(AccessRights::G, 1).with(AccessRights::DB, 1);
}
constexpr Reg<AccessRights> kTssRights =
    Reg<AccessRights>().with(AccessRights::TYPE, kBusyTssType).with(AccessRights::P, 1);

// SDM 3A "Segment Descriptors". The access rights stand at bits 55:40 but for the limit's 51:48.
u64 descriptor(const SegmentValue& segment) {
  const u64 rights = segment.access.value;
  const u64 limit = segment.access[AccessRights::G] ? segment.limit >> kPageShift : segment.limit;
  u64 out = Field{15, 0}.put(0, bits(limit, 15, 0));
  out = Field{39, 16}.put(out, bits(segment.base, 23, 0));
  out = Field{47, 40}.put(out, bits(rights, 7, 0));
  out = Field{51, 48}.put(out, bits(limit, 19, 16));
  out = Field{55, 52}.put(out, bits(rights, 15, 12));
  return Field{63, 56}.put(out, bits(segment.base, 31, 24));
}

void set_data_segments(EntryState& state, const SegmentValue& data) {
  state.ss = state.ds = state.es = state.fs = state.gs = data;
}

void set_flat_registers(EntryState& state, Reg<AccessRights> code) {
  state.cs = {kCodeSelector, 0, kFlatLimit, code};
  set_data_segments(state, {kDataSelector, 0, kFlatLimit, flat_segment(kDataType)});
  state.tr = {kTssSelector, 0, kTssLimit, kTssRights};
}

// Flat segments with a GDT that holds them; `code` gives the mode.
void set_flat_segments(EntryState& state, Reg<AccessRights> code, Placement& placement) {
  constexpr u64 kTssUpperHalf = 0;  // in 64-bit mode a TSS descriptor has 16 bytes
  set_flat_registers(state, code);
  ByteWriter gdt;
  gdt.qword(0).qword(0).qword(descriptor(state.cs)).qword(descriptor(state.ds));
  gdt.qword(descriptor(state.tr)).qword(kTssUpperHalf);
  const Hpa base = placement.claim_lowest("GDT", gdt.size(), 16);
  placement.write(base, gdt.data());
  state.gdtr = {base.value, static_cast<u16>(gdt.size() - 1)};
}

// SDM 3A "4-Level Paging": one PML4 entry, four PDPT entries, four page directories of 2 MiB pages.
Hpa place_identity_map(Placement& placement) {
  constexpr u64 kPresentWritable = 0x3, kPageSizeBit = Flag{7}.mask();
  constexpr u64 kDirectories = 4, kEntries = 512, kLargePage = u64{2} << 20;
  const Hpa base =
      placement.claim_lowest("identity page tables", (2 + kDirectories) * kPageSize, kPageSize);
  ByteWriter tables;
  tables.qword((base + kPageSize).value | kPresentWritable).zeros(kPageSize - 8);
  for (u64 i = 0; i < kDirectories; ++i) {
    tables.qword((base + (2 + i) * kPageSize).value | kPresentWritable);
  }
  tables.zeros(kPageSize - 8 * kDirectories);
  for (u64 i = 0; i < kDirectories * kEntries; ++i) {
    tables.qword(i * kLargePage | kPageSizeBit | kPresentWritable);
  }
  placement.write(base, tables.data());
  return base;
}

}  // namespace

namespace {

SegmentValue real_mode_segment(u64 paragraph, u64 type) {
  return {static_cast<u16>(paragraph), paragraph << 4, 0xffff, memory_segment(type)};
}

EntryState real_mode_entry_at(u64 paragraph, u64 offset) {
  constexpr u16 kStackSegment = 0x9000;
  constexpr u64 kStackTop = 0xfc00;
  EntryState state;
  state.mode = EntryMode::kReal;
  state.cs = real_mode_segment(paragraph, kCodeType);
  state.rip = offset;
  set_data_segments(state, real_mode_segment(0, kDataType));
  state.ss = real_mode_segment(kStackSegment, kDataType);
  state.gpr[kRsp] = kStackTop;
  state.tr.access = kTssRights;
  state.idtr = {0, 0x3ff};
  state.cr0 = Reg<Cr0>().with(Cr0::ET, 1).value;
  return state;
}

}  // namespace

EntryState real_mode_entry(Hpa entry) {
  constexpr u64 kFirst64KiB = 0x10000;
  const u64 paragraph = entry.value < kFirst64KiB ? 0 : entry.value >> 4;
  return real_mode_entry_at(paragraph, entry.value - (paragraph << 4));
}

EntryState real_mode_wake_entry(Hpa vector) {
  return real_mode_entry_at(vector.value >> 4, bits(vector.value, 3, 0));
}

EntryState protected_mode_wake_entry(Hpa vector) {
  EntryState state;
  state.mode = EntryMode::kProtected;
  state.rip = vector.value;
  set_flat_registers(state, flat_segment(kCodeType));
  state.cr0 = Reg<Cr0>().with(Cr0::PE, 1).with(Cr0::ET, 1).value;
  return state;
}

EntryState protected_mode_entry(Hpa entry, Placement& placement) {
  EntryState state;
  state.mode = EntryMode::kProtected;
  state.rip = entry.value;
  set_flat_segments(state, flat_segment(kCodeType), placement);
  state.cr0 = Reg<Cr0>().with(Cr0::PE, 1).with(Cr0::ET, 1).value;
  return state;
}

EntryState long_mode_entry(Hpa entry, Placement& placement) {
  EntryState state;
  state.mode = EntryMode::kLong;
  state.rip = entry.value;
  const Reg<AccessRights> code =
      flat_segment(kCodeType).with(AccessRights::DB, 0).with(AccessRights::L, 1);
  set_flat_segments(state, code, placement);
  state.cr0 = Reg<Cr0>().with(Cr0::PE, 1).with(Cr0::ET, 1).with(Cr0::PG, 1).value;
  state.cr3 = place_identity_map(placement).value;
  state.cr4 = Reg<Cr4>().with(Cr4::PAE, 1).value;
  state.efer = Reg<Efer>().with(Efer::LME, 1).with(Efer::LMA, 1).value;
  return state;
}

}  // namespace vtsim::loader
