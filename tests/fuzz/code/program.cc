#include "tests/fuzz/code/program.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "model/cpu/flags.h"
#include "tests/fuzz/code/code_writer.h"
#include "tests/fuzz/code/layout.h"
#include "tests/fuzz/code/listing.h"

namespace vtsim::fuzz {

namespace {

using namespace cpu;
using namespace layout;

// ---- what a mode needs

struct ModeRow {
  const char* name;
  unsigned bits;
  u64 efer;
  Selector code[2], data[2];  // at CPL 0 and 3
};
constexpr ModeRow kModes[] = {
    {"64-bit", 64, 0xD01, {kCode64, kUserCode64}, {kFlatData, kUserData}},
    {"compatibility", 32, 0xD01, {kCode32, kUserCode32}, {kFlatData, kUserData}},
    {"32-bit protected", 32, 0, {kCode32, kUserCode32}, {kFlatData, kUserData}},
    {"16-bit protected", 16, 0, {kCode16, kUserCode16}, {kData16, kUserData16}},
    {"virtual-8086", 16, 0, {kCode16, kCode16}, {kData16, kData16}},
    {"real", 16, 0, {kCode16, kCode16}, {kData16, kData16}},
};
const ModeRow& row_of(StartMode mode) { return kModes[static_cast<unsigned>(mode)]; }
bool is_ia32e(StartMode mode) { return mode <= StartMode::kCompatibility; }
bool has_segment_values(StartMode mode) { return mode >= StartMode::kV86; }

// CR4 bits that a program may start with, besides what its mode needs.
struct Cr4Row {
  Flag flag;
  Feature feature;
  u8 chance;  // of 256
};
constexpr Cr4Row kCr4Rows[] = {
    {Cr4::VME, Feature::kVme, 100},      {Cr4::PVI, Feature::kVme, 60},
    {Cr4::TSD, Feature::kTsc, 40},       {Cr4::DE, Feature::kDe, 60},
    {Cr4::PSE, Feature::kPse, 200},      {Cr4::MCE, Feature::kMce, 60},
    {Cr4::PGE, Feature::kPge, 128},      {Cr4::PCE, Feature::kMsr, 60},
    {Cr4::OSFXSR, Feature::kFxsr, 240},  {Cr4::OSXMMEXCPT, Feature::kSse, 128},
    {Cr4::UMIP, Feature::kUmip, 40},     {Cr4::FSGSBASE, Feature::kFsgsbase, 128},
    {Cr4::OSXSAVE, Feature::kXsave, 220}, {Cr4::SMEP, Feature::kSmep, 20},
    {Cr4::SMAP, Feature::kSmap, 20},     {Cr4::PKE, Feature::kPku, 40},
};

constexpr u64 descriptor(u64 base, u64 limit, u64 type, u64 flags) {
  return (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | type << 40 | (limit >> 16 & 0xF) << 48 |
         flags << 52 | (base >> 24 & 0xFF) << 56;
}

struct GdtRow {
  Selector selector;
  u64 raw;
};
constexpr GdtRow kGdtRows[] = {
    {kCode64, descriptor(0, 0xFFFFF, 0x9B, 0xA)},
    {kFlatData, descriptor(0, 0xFFFFF, 0x93, 0xC)},
    {kCode32, descriptor(0, 0xFFFFF, 0x9B, 0xC)},
    {kCode16, descriptor(0, 0xFFFFF, 0x9B, 0x8)},
    {kUserCode32, descriptor(0, 0xFFFFF, 0xFB, 0xC)},
    {kUserData, descriptor(0, 0xFFFFF, 0xF3, 0xC)},
    {kUserCode64, descriptor(0, 0xFFFFF, 0xFB, 0xA)},
    {kUserCode16, descriptor(0, 0xFFFFF, 0xFB, 0x8)},
    {kData16, descriptor(0, 0xFFFFF, 0x93, 0x8)},
    {kUserData16, descriptor(0, 0xFFFFF, 0xF3, 0x8)},
    {kConforming, descriptor(0, 0xFFFFF, 0x9F, 0xC)},
    {kExpandDown, descriptor(0, 0x1FFFF, 0x97, 0x4)},
    {kLdtEntry, descriptor(kLdt, 0xFF, 0x82, 0)},
    {kTssEntry, descriptor(kTss, kTssLimit, 0x8B, 0)},
    {kSecondTssEntry, descriptor(kSecondTss, 0x67, 0x89, 0)},
    {kTss16Entry, descriptor(kSecondTss + 0x100, 0x2B, 0x81, 0)},
    {kCallGate, (kCode & 0xFFFF) | u64{kCode32} << 16 | u64{0xEC01} << 32 | (kCode >> 16) << 48},
    {kTaskGate, u64{kSecondTssEntry} << 16 | u64{0xE500} << 32},
};

SegmentRegister loaded(u16 selector, u64 raw) {
  const Descriptor from{raw};
  return {.selector = selector, .rights = from.rights(), .limit = from.limit(), .base = from.base()};
}

u64 raw_of(Selector selector) {
  for (const GdtRow& row : kGdtRows)
    if (row.selector == selector) return row.raw;
  return 0;
}

u64 interesting(Tape& tape) {
  constexpr u64 kValues[] = {0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                             ~u64{0}, u64{1} << 63, 0x00007FFFFFFFFFFF, 0x0000800000000000,
                             0xFFFF800000000000, kData, kCode, kStack, kAlias + kData, 0xC0000,
                             kData + 0xFFD, kCode + 0xFFE, kTables};
  const u64 value = tape.one_of(kValues);
  return tape.chance(60) ? value + tape.number(1) : value;
}

}  // namespace

// ---- drawing

Program::Program(Tape& tape) {
  draw_features(tape);
  cores = tape.chance(90) ? 2 : 1;
  cycles = 24 + tape.below(300);
  quantum = cores == 1 ? cycles : 1 + tape.below(40);
  for (unsigned n = 0; n < cores; ++n) starts_[n] = draw_start(tape);
  draw_tables(tape);
  code_ = write_code(tape, row_of(starts_[0].mode).bits, kCodeBytes / 4);
}

void Program::draw_features(Tape& tape) {
  model.name = "fuzzed";
  model.silicon = implemented_features();
  model.silicon.remove(Feature::kVmx);  // its capabilities are a preset's
  model.frequencies.tsc_hz = 1'000'000'000;
  model.frequencies.apic_timer_hz = 100'000'000;
  if (tape.chance(60)) model.linear_address_bits = 57;
  if (!tape.chance(60)) return;
  for (u64 n = tape.below(12); n > 0; --n)
    model.silicon.remove(kFeatures[tape.below(kFeatureCount)].feature);
}

Program::Start Program::draw_start(Tape& tape) {
  const CpuFeatures offered = offered_features(model);
  Start s;
  s.mode = static_cast<StartMode>(tape.below(6));
  s.paging = static_cast<StartPaging>(tape.below(3));
  if (is_ia32e(s.mode) && !offered[Feature::kLm]) s.mode = StartMode::kProtected32;
  if (s.mode == StartMode::kReal) s.paging = StartPaging::kNone;
  if (is_ia32e(s.mode)) s.paging = StartPaging::kPae;
  s.la57 = is_ia32e(s.mode) && offered[Feature::kLa57] && tape.chance(80);
  s.cpl = s.mode == StartMode::kV86 ? 3 : s.mode == StartMode::kReal ? 0 : tape.chance(128) ? 3 : 0;
  s.entry = tape.chance(60) ? tape.below(64) : 0;
  for (u64& reg : s.gpr) reg = interesting(tape);
  s.gpr[kRsp] = kStack - 0x100 * tape.below(3);
  s.rflags = Rflags::kFixedOne;
  if (tape.chance(128)) s.rflags |= tape.number(2) & 0x3ED5;  // with IOPL, without TF and NT
  if (tape.chance(30)) s.rflags |= tape.number(3) & Rflags::kDefined;
  s.rflags &= ~(Rflags::VM.mask() | (tape.chance(200) ? Rflags::TF.mask() : 0));
  if (s.mode == StartMode::kV86) s.rflags |= Rflags::VM.mask();

  s.cr0 = 0x30;  // NE, ET
  if (s.mode != StartMode::kReal) s.cr0 |= Cr0::PE.mask();
  if (s.paging != StartPaging::kNone) s.cr0 |= Cr0::PG.mask();
  for (const Flag flag : {Cr0::MP, Cr0::EM, Cr0::TS, Cr0::WP, Cr0::AM, Cr0::CD})
    if (tape.chance(flag.position >= 16 ? 128 : 20)) s.cr0 |= flag.mask();
  for (const Cr4Row& row : kCr4Rows)
    if (tape.chance(row.chance) && offered[row.feature]) s.cr4 |= row.flag.mask();
  if (s.paging == StartPaging::kPae) s.cr4 |= Cr4::PAE.mask();
  if (s.la57) s.cr4 |= Cr4::LA57.mask();
  if (is_ia32e(s.mode) && offered[Feature::kPcid] && tape.chance(60)) s.cr4 |= Cr4::PCIDE.mask();
  s.efer = row_of(s.mode).efer;
  s.xcr0 = offered[Feature::kXsave] && !tape.chance(30) ? offered[Feature::kAvx] ? 7 : 3 : 1;
  if (tape.chance(30)) s.dr7 = tape.number(4) & ~u64{0x2000};
  s.pkru = tape.chance(40) ? static_cast<u32>(tape.number(4)) : 0;
  s.mxcsr = tape.chance(40) ? static_cast<u32>(tape.number(2)) : 0x1F80;
  s.apic_timer = tape.chance(100) ? static_cast<u32>(1 + tape.below(40)) : 0;
  return s;
}

void Program::draw_tables(Tape& tape) {
  // Most vectors lead to an end of a handler, some into the code.
  for (u64 n = tape.below(8); n > 0; --n)
    handlers_[tape.below(32)] = static_cast<u16>(1 + tape.below(tape.chance(128) ? 4 : 64));
  const auto poke = [&](u64 address, u64 value, unsigned size) {
    pokes_.push_back({address, value, size});
  };
  for (u64 n = tape.below(5); n > 0; --n) {
    const u64 at = kTables + kPageSize * tape.below(5) + 8 * tape.below(tape.chance(128) ? 8 : 64);
    const u64 frame = tape.below(0x100) << 12;
    poke(at, frame | tape.number(1) | u64{tape.chance(20)} << 63, 8);
  }
  for (u64 n = tape.below(4); n > 0; --n)
    poke(kGdt + kFirstRandom + 8 * tape.below(40), tape.number(8) | u64{0x9000} << 32, 8);
  for (u64 n = tape.below(4); n > 0; --n)
    poke(kGdt + 8 * (1 + tape.below(24)) + tape.below(8), tape.byte(), 1);
  for (u64 n = tape.below(3); n > 0; --n) poke(kIdt + tape.below(0x400), tape.byte(), 1);
  for (u64 n = tape.below(3); n > 0; --n) poke(kTss + tape.below(0x90), tape.number(2), 2);
  for (u64 n = tape.below(4); n > 0; --n) kinds_.push_back(static_cast<PageKind>(tape.below(4)));
}

// ---- installing

namespace {

class Image {
 public:
  explicit Image(World& world) : world_(world) {}
  void put(u64 address, u64 value, unsigned size = 8) {
    std::memcpy(world_.ram(address), &value, size);
  }
  void put_bytes(u64 address, std::initializer_list<u8> bytes) {
    std::copy(bytes.begin(), bytes.end(), world_.ram(address));
  }

 private:
  World& world_;
};

// Identity for the first MByte, the same again, devices behind; the last page of the second MByte is
// the local APIC's. `entry_bytes`: 4 or 8; the table has 4 KBytes.
void put_last_table(Image& image, u64 at, unsigned entry_bytes) {
  for (u64 n = 0; n < kPageSize / entry_bytes; ++n) {
    const u64 frame = n < 512 ? n % 256 : n;
    image.put(at + entry_bytes * n, frame << kPageShift | 0x07, entry_bytes);
  }
  image.put(at + entry_bytes * (kApicAlias >> kPageShift), 0xFEE00000 | 0x17, entry_bytes);
}

void put_paging(Image& image, StartMode mode, StartPaging paging, bool la57) {
  u64 at = kTables;
  const auto next_level = [&] {
    image.put(at, (at + kPageSize) | 7);
    at += kPageSize;
  };
  if (!is_ia32e(mode) && paging == StartPaging::k32Bit) {
    image.put(at, (at + kPageSize) | 7, 4);
    image.put(at + 4, 0x87, 4);  // a large page
    return put_last_table(image, at + kPageSize, 4);
  }
  if (!is_ia32e(mode)) {
    for (u64 n = 0; n < 4; ++n) image.put(at + 8 * n, (at + kPageSize) | 1);
    at += kPageSize;
  } else {
    if (la57) next_level();
    next_level();
    next_level();
  }
  image.put(at, (at + kPageSize) | 7);
  image.put(at + 8, 0x87);
  image.put(at + 16, (at + kPageSize) | 7);
  put_last_table(image, at + kPageSize, 8);
}

void put_gdt(Image& image, bool ia32e) {
  for (const GdtRow& row : kGdtRows) image.put(kGdt + row.selector, row.raw);
  if (!ia32e) return;
  // Call gates of IA-32e mode lead to 64-bit code.
  image.put(kGdt + kCallGate + 2, kCode64, 2);
}

void put_tss(Image& image, bool ia32e) {
  for (const u64 tss : {kTss, kSecondTss}) {
    if (ia32e) {
      for (u64 n = 0; n < 10; ++n) image.put(tss + 4 + 8 * n, kStack - 0x800 - 0x100 * n);
      image.put(tss + 0x66, 0x88, 2);
      continue;
    }
    for (u64 n = 0; n < 3; ++n) {
      image.put(tss + 4 + 8 * n, kStack - 0x800 - 0x100 * n, 4);
      image.put(tss + 8 + 8 * n, kFlatData + 9 * n, 4);
    }
    image.put(tss + 0x1C, kTables, 4);  // CR3, EIP, EFLAGS, ESP
    image.put(tss + 0x20, kCode, 4);
    image.put(tss + 0x24, 2, 4);
    image.put(tss + 0x38, kStack - 0xC00, 4);
    for (u64 n = 0; n < 6; ++n) image.put(tss + 0x48 + 4 * n, n == 1 ? kCode32 : kFlatData, 4);
    image.put(tss + 0x66, 0x88, 2);
  }
  image.put(kTss + kTssLimit, 0xFF, 1);
}

// Ends of handlers: return; drop an error code and return; halt; return with interrupts on.
void put_stubs(Image& image, unsigned bits) {
  if (bits == 64) {
    image.put_bytes(kStubs, {0x48, 0xCF});
    image.put_bytes(kStubs + 16, {0x48, 0x83, 0xC4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xCF});
    image.put_bytes(kStubs + 48, {0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xCF});
  } else if (bits == 32) {
    image.put_bytes(kStubs, {0xCF});
    image.put_bytes(kStubs + 16, {0x83, 0xC4, 0x04, 0x83, 0x04, 0x24, 0x02, 0xCF});
    image.put_bytes(kStubs + 48, {0x83, 0x04, 0x24, 0x01, 0xCF});
  } else {
    image.put_bytes(kStubs, {0xCF});
    image.put_bytes(kStubs + 16, {0x83, 0xC4, 0x02, 0x55, 0x89, 0xE5, 0x83, 0x46, 0x02, 0x02, 0x5D, 0xCF});
    image.put_bytes(kStubs + 48, {0x55, 0x89, 0xE5, 0x83, 0x46, 0x02, 0x01, 0x5D, 0xCF});
  }
  image.put_bytes(kStubs + 32, {0xF4});
  image.put_bytes(0x38000, {0x0F, 0xAA});  // SMI: RSM
}

// Exceptions with an error code drop it; the others return.
u64 plain_handler(unsigned vector) {
  constexpr u64 kWithErrorCode = 0x227D00;
  if (vector < 32 && bit(kWithErrorCode, vector)) return kStubs + 16;
  return vector < 32 ? kStubs + 48 : kStubs;
}

void put_gate(Image& image, unsigned vector, StartMode mode, u64 to) {
  if (mode == StartMode::kReal) return image.put(4 * vector, (to & 0xF) | (to >> 4) << 16, 4);
  const Selector code = is_ia32e(mode) ? kCode64 : mode == StartMode::kProtected16 ? kCode16 : kCode32;
  const u64 type = mode == StartMode::kProtected16 ? 0x86 : vector % 8 == 7 ? 0xEF : 0xEE;
  const u64 low = (to & 0xFFFF) | u64{code} << 16 | type << 40 | (to >> 16 & 0xFFFF) << 48;
  if (!is_ia32e(mode)) return image.put(kIdt + 8 * vector, low);
  image.put(kIdt + 16 * vector, low | u64{vector % 16 == 9} << 32);  // some on IST1
  image.put(kIdt + 16 * vector + 8, 0);
}

}  // namespace

void Program::install_memory(Machine& machine) const {
  World& world = machine.world();
  Image image(world);
  const Start& s = starts_[0];
  const bool ia32e = is_ia32e(s.mode);
  for (u64 at = kData; at < kData + 0x1000; at += 8) image.put(at, at * 0x9E37'79B9'7F4A'7C15);
  for (u64 n = 0; n < 256 && s.mode == StartMode::kV86; ++n) image.put(4 * n, u64{0xC00} << 16, 4);
  put_paging(image, s.mode, s.paging, s.la57);
  put_gdt(image, ia32e);
  put_tss(image, ia32e);
  const unsigned bits = ia32e ? 64 : row_of(s.mode).bits;
  put_stubs(image, s.mode == StartMode::kV86 ? 32 : bits);
  for (unsigned vector = 0; vector < 256; ++vector) {
    const u64 code = handlers_[vector];
    put_gate(image, vector, s.mode,
             code == 0 ? plain_handler(vector) : code < 4 ? kStubs + 16 * code : kCode + code);
  }
  std::copy(code_.begin(), code_.end(), world.ram(kCode));
  std::memset(world.ram(kCode + code_.size()), 0x90, 64);
  std::memcpy(world.ram(kCode + code_.size() + 64), "\xEB\xBE", 2);  // and back among the NOPs
  for (const Poke& poke : pokes_) image.put(poke.address, poke.value, poke.size);
  for (u64 n = 0; n < kDevicePages; ++n) world.set_page(kDevices / kPageSize + n, PageKind::kDevice);
  for (u64 n = 0; n < kinds_.size(); ++n) world.set_page(kOddPages + n, kinds_[n]);
}

void Program::install_core(Machine& machine, unsigned n) const {
  const Start& s = starts_[n];
  cpu::Core& core = machine.core(n);
  CoreState& state = core.state;
  const ModeRow& mode = row_of(s.mode);
  for (unsigned r = 0; r < 16; ++r) state.gpr[r] = s.gpr[r];
  state.gpr[kRsp] -= 0x1000 * n;
  write_rflags(state, s.rflags);
  state.cr0 = Reg<Cr0>(s.cr0);
  state.cr3 = kTables;
  state.cr4 = Reg<Cr4>(s.cr4);
  state.efer = Reg<Efer>(s.efer);
  state.xcr0 = s.xcr0;
  state.dr = {kCode + 16, kData, kCode + 5, kStack - 8};
  state.dr7 = s.dr7 | Dr7::kReset;
  state.pkru = s.pkru;
  state.vector.mxcsr = s.mxcsr;
  state.cpl = s.cpl;
  state.activity = Activity::kActive;
  const Selector data = mode.data[s.cpl == 3], code = mode.code[s.cpl == 3];
  const auto rpl = [&](Selector selector) { return static_cast<u16>(selector | s.cpl); };
  for (auto& segment : state.seg) segment = loaded(rpl(data), raw_of(data) | u64{s.cpl} << 45);
  state.seg[kCs] = loaded(rpl(code), raw_of(code));
  state.rip = kCode + s.entry;
  if (has_segment_values(s.mode)) {
    const u64 type = s.mode == StartMode::kV86 ? 0xF3 : 0x93;
    for (unsigned segment = kEs; segment <= kGs; ++segment)
      state.seg[segment] = {.selector = kData >> 4, .rights = Reg<SegmentRights>(type),
                            .limit = 0xFFFF, .base = kData};
    state.seg[kCs] = {.selector = kCode >> 4, .rights = Reg<SegmentRights>(type | 8 * (type == 0x93)),
                      .limit = 0xFFFF, .base = kCode};
    state.rip = s.entry;
  }
  state.seg[kLdtr] = loaded(kLdtEntry, raw_of(kLdtEntry));
  state.seg[kTr] = loaded(kTssEntry, raw_of(kTssEntry));
  state.gdtr = {kGdt, kGdtLimit};
  state.idtr = s.mode == StartMode::kReal ? DescriptorTable{0, 0x3FF} : DescriptorTable{kIdt, 0xFFF};
  state.star = u64{kCode32} << 48 | u64{kCode64} << 32;
  state.lstar = state.cstar = kCode + 8;
  state.sysenter_cs = kCode64;
  state.sysenter_eip = kCode + 4;
  state.sysenter_esp = kStack - 0x400;
  if (s.paging == StartPaging::kPae && !is_ia32e(s.mode)) core.load_pdptes(kTables);
  core.invalidate_all();
  core.mode_changed();
  if (s.apic_timer == 0) return;
  LocalApic& apic = machine.processor(n).apic();
  apic.write(0xF0, 4, 0x1FF, 0);
  apic.write(0x320, 4, 0x20040, 0);  // periodic
  apic.write(0x3E0, 4, 0xB, 0);
  apic.write(0x380, 4, s.apic_timer, 0);
}

void Program::install(Machine& machine) const {
  install_memory(machine);
  for (unsigned n = 0; n < cores; ++n) install_core(machine, n);
}

std::string Program::describe() const {
  std::string text = fmt::format("{} core(s), {} cycles in turns of {}\n", cores, cycles, quantum);
  for (unsigned n = 0; n < cores; ++n) {
    const Start& s = starts_[n];
    text += fmt::format(
        "core {}: {} mode, CPL {}, paging {}, CR0 {:#x} CR4 {:#x} EFER {:#x} XCR0 {:#x} RFLAGS {:#x}"
        " DR7 {:#x}, entry {:#x}\n",
        n, row_of(s.mode).name, s.cpl, static_cast<unsigned>(s.paging), s.cr0, s.cr4, s.efer, s.xcr0,
        s.rflags, s.dr7, s.entry);
  }
  for (const Poke& poke : pokes_)
    text += fmt::format("{:#x} <- {:#x} ({} bytes)\n", poke.address, poke.value, poke.size);
  for (const u16& handler : handlers_)
    if (handler != 0) text += fmt::format("vector {} -> {}\n", &handler - handlers_.data(), handler);
  const std::size_t shown = std::min<std::size_t>(code_.size(), 400);
  text += listing(std::span(code_).first(shown), kCode, row_of(starts_[0].mode).bits);
  return text;
}

}  // namespace vtsim::fuzz
