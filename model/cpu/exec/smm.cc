#include "model/cpu/exec/smm.h"

#include <array>

#include "model/cpu/exec/control_registers.h"
#include "model/cpu/exec/segmentation.h"

namespace vtsim::cpu {

namespace {

// The state-save area is the last 512 bytes of the 64 KBytes at SMBASE.
// SDM-NOTE: SDM 3C "SMRAM State Save Map and Intel 64 Architecture" leaves the hidden parts of segments
// undocumented. The map here is the one of AMD64 with revision 20064H, which QEMU's processors have
// whatever their vendor and which SeaBIOS and OVMF are written for.
constexpr u64 kEntryPoint = 0x8000;
constexpr u64 kSaveArea = 0xFE00;
constexpr u32 kRevision = 0x00020064;  // bit 17: SMBASE relocation

// Offsets within the save area.
enum Place : unsigned {
  kSegments = 0x000,  // ES, CS, SS, DS, FS, GS: 16 bytes each
  kGdtr = 0x060,
  kLdtrAt = 0x070,
  kIdtr = 0x080,
  kTrAt = 0x090,
  kAutoHalt = 0x0C9,
  kEferAt = 0x0D0,
  kRevisionAt = 0x0FC,
  kSmbaseAt = 0x100,
  kCr4At = 0x148,
  kCr3At = 0x150,
  kCr0At = 0x158,
  kDr7At = 0x160,
  kDr6At = 0x168,
  kRflagsAt = 0x170,
  kRipAt = 0x178,
  kR15At = 0x180,  // to RAX at 1F8H, in the order of kGprOrder
};

constexpr GprName kGprOrder[16] = {kR15, kR14, kR13, kR12, kR11, kR10, kR9,  kR8,
                                   kRdi, kRsi, kRbp, kRsp, kRbx, kRdx, kRcx, kRax};

class SaveArea {
 public:
  template <class T>
  T get(unsigned place) const {
    T value;
    std::memcpy(&value, bytes_.data() + place, sizeof value);
    return value;
  }
  template <class T>
  void put(unsigned place, T value) {
    std::memcpy(bytes_.data() + place, &value, sizeof value);
  }

  void read(Core& core, u64 smbase) {
    for (unsigned at = 0; at < bytes_.size(); at += 8)
      core.read_physical(Hpa(smbase + kSaveArea + at), bytes_.data() + at, 8, RefKind::kData);
  }
  void write(Core& core, u64 smbase) const {
    for (unsigned at = 0; at < bytes_.size(); at += 8)
      core.write_physical(Hpa(smbase + kSaveArea + at), bytes_.data() + at, 8, RefKind::kData);
  }

  // selector 0, attributes 2, limit 4, base 8
  void put_segment(unsigned place, const SegmentRegister& segment) {
    put<u16>(place, segment.selector);
    put<u16>(place + 2, static_cast<u16>(segment.rights.value));
    put<u32>(place + 4, segment.limit);
    put<u64>(place + 8, segment.base);
  }
  SegmentRegister get_segment(unsigned place) const {
    SegmentRegister segment{.selector = get<u16>(place),
                            .rights = Reg<SegmentRights>(get<u16>(place + 2)),
                            .limit = get<u32>(place + 4),
                            .base = get<u64>(place + 8)};
    segment.rights.set(SegmentRights::UNUSABLE, !segment.rights[SegmentRights::P]);
    return segment;
  }
  void put_table(unsigned place, const DescriptorTable& table) {
    put<u16>(place + 4, table.limit);
    put<u64>(place + 8, table.base);
  }
  DescriptorTable get_table(unsigned place) const {
    return {.base = get<u64>(place + 8), .limit = get<u16>(place + 4)};
  }

 private:
  std::array<u8, 512> bytes_{};
};

void save(const CoreState& state, SaveArea& area) {
  for (unsigned n = kEs; n <= kGs; ++n) area.put_segment(kSegments + 16 * n, state.seg[n]);
  area.put_table(kGdtr, state.gdtr);
  area.put_segment(kLdtrAt, state.seg[kLdtr]);
  area.put_table(kIdtr, state.idtr);
  area.put_segment(kTrAt, state.seg[kTr]);
  area.put<u8>(kAutoHalt, state.activity == Activity::kHalted);
  area.put<u64>(kEferAt, state.efer.value);
  area.put<u32>(kRevisionAt, kRevision);
  area.put<u32>(kSmbaseAt, state.smbase);
  area.put<u64>(kCr4At, state.cr4.value);
  area.put<u64>(kCr3At, state.cr3);
  area.put<u64>(kCr0At, state.cr0.value);
  area.put<u64>(kDr7At, state.dr7);
  area.put<u64>(kDr6At, state.dr6);
  area.put<u64>(kRflagsAt, read_rflags(state));
  area.put<u64>(kRipAt, state.rip);
  for (unsigned n = 0; n < 16; ++n) area.put<u64>(kR15At + 8 * n, state.gpr[kGprOrder[n]]);
}

void restore(CoreState& state, const SaveArea& area) {
  for (unsigned n = kEs; n <= kGs; ++n) state.seg[n] = area.get_segment(kSegments + 16 * n);
  state.gdtr = area.get_table(kGdtr);
  state.seg[kLdtr] = area.get_segment(kLdtrAt);
  state.idtr = area.get_table(kIdtr);
  state.seg[kTr] = area.get_segment(kTrAt);
  state.efer = Reg<Efer>(area.get<u64>(kEferAt));
  state.smbase = area.get<u32>(kSmbaseAt);
  state.cr4 = Reg<Cr4>(area.get<u64>(kCr4At));
  state.cr3 = area.get<u64>(kCr3At);
  state.cr0 = Reg<Cr0>(area.get<u64>(kCr0At));
  state.dr7 = area.get<u64>(kDr7At);
  state.dr6 = area.get<u64>(kDr6At);
  write_rflags(state, area.get<u64>(kRflagsAt));
  state.rip = area.get<u64>(kRipAt);
  for (unsigned n = 0; n < 16; ++n) state.gpr[kGprOrder[n]] = area.get<u64>(kR15At + 8 * n);
  const bool has_levels = state.cr0[Cr0::PE] && !state.v8086_mode();
  state.cpl = static_cast<u8>(state.v8086_mode() ? 3 : has_levels ? state.seg[kSs].dpl() : 0);
}

// SDM 3C "Exiting From SMM": what makes RSM enter shutdown.
bool is_valid(const Core& core, const CoreState& state) {
  const Reg<Cr0> cr0 = state.cr0;
  if (cr0[Cr0::PG] && !cr0[Cr0::PE]) return false;
  if (cr0[Cr0::NW] && !cr0[Cr0::CD]) return false;
  return (state.cr4.value & ~supported_cr4(core)) == 0;
}

// SDM 3C "SMM Handler Execution Environment", Table "Processor Register Initialization in SMM".
void enter_handler(CoreState& state) {
  constexpr u64 kFlat = 0x93, kGranular = SegmentRights::G.mask();
  const SegmentRegister flat{.selector = 0,
                             .rights = Reg<SegmentRights>(kFlat | kGranular),
                             .limit = ~u32{0},
                             .base = 0};
  for (unsigned n = kEs; n <= kGs; ++n) state.seg[n] = flat;
  state.seg[kCs].selector = static_cast<u16>(state.smbase / 16);
  state.seg[kCs].base = state.smbase;
  constexpr u64 kCleared = Cr0::PE.mask() | Cr0::EM.mask() | Cr0::TS.mask() | Cr0::PG.mask();
  state.cr0 = Reg<Cr0>(state.cr0.value & ~kCleared);
  state.cr4 = {};
  state.efer = {};
  state.dr7 = Dr7::kReset;
  write_rflags(state, Rflags::kFixedOne);
  state.rip = kEntryPoint;
  state.cpl = 0;
}

// The physical map looks different in SMM.
void change_map(Core& core) {
  core.memory_map_changed();
  core.invalidate_all();
  core.mode_changed();
}

}  // namespace

void enter_smm(Core& core) {
  CoreState& state = core.state;
  state.in_smm = true;
  SaveArea area;
  save(state, area);
  area.write(core, state.smbase);
  state.nmi_blocked_before_smm = state.nmi_blocked;
  state.nmi_blocked = true;
  state.shadow = kNoShadow;
  state.activity = Activity::kActive;
  enter_handler(state);
  change_map(core);
}

Outcome rsm(Core& core, const Op&) {
  CoreState& state = core.state;
  if (!state.in_smm) return core.raise(kUd);
  SaveArea area;
  area.read(core, state.smbase);
  restore(state, area);
  state.in_smm = false;
  state.nmi_blocked = state.nmi_blocked_before_smm;
  if (!is_valid(core, state)) {
    state.activity = Activity::kShutdown;
  } else if (area.get<u8>(kAutoHalt) & 1) {
    state.activity = Activity::kHalted;
  }
  change_map(core);
  if (state.cr0[Cr0::PG] && state.cr4[Cr4::PAE] && !state.long_mode() &&
      !core.load_pdptes(state.cr3))
    state.activity = Activity::kShutdown;
  core.set_attention();
  return Outcome::kJump;
}

}  // namespace vtsim::cpu
