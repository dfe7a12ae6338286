#include "tests/cpu/differential/simulated_user.h"

#include <cstring>

namespace vtsim::cpu::test {

namespace {

// Physical memory. The kernel's half maps it at kKernel by one large page.
constexpr u64 kKernel = 0xFFFF'8000'0000'0000;
constexpr u64 kPml4 = 0x1000, kArenaPdpt = 0x2000, kArenaPd = 0x3000, kArenaPt = 0x4000,
              kKernelPdpt = 0x5000, kKernelPd = 0x6000;
constexpr u64 kGdtAt = 0x7000, kLdtAt = 0x7100, kTssAt = 0x7200, kIdtAt = 0x8000,
              kHandlers = 0x9000, kKernelStack = 0xC000;
constexpr u64 kArenaAt = 0x10'0000;
constexpr u64 kStackTopOfFrame = kKernelStack;

constexpr u64 kPresentUser = 5, kPresentUserWrite = 7, kPresentWrite = 3, kLarge = 0x83,
              kNoExecute = u64{1} << 63;

// Vectors whose frames begin with an error code (SDM 3A "Error Code").
bool has_error_code(unsigned vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

}  // namespace

u64 SimulatedUser::physical(u64 arena_address) const {
  return kArenaAt + (arena_address - Arena::kBase);
}

namespace {

// SDM 1 "Canonical Addressing": processors with 5-level paging take 57-bit bases, hosts mostly not.
CpuModel model_without_la57() {
  CpuModel model = test_model();
  model.silicon.remove(Feature::kLa57);
  return model;
}

}  // namespace

SimulatedUser::SimulatedUser() : BareMachine(u64{4} << 20, model_without_la57()) {
  enter_long_mode(3);
  map_pages();
  write_tables();
  CoreState& s = state();
  s.cr0.set(Cr0::AM, 1);
  s.cr0.set(Cr0::WP, 1);
  s.cr4.set(Cr4::FSGSBASE, 1);
  s.cr4.set(Cr4::UMIP, 1);
  s.gdtr = {kKernel + kGdtAt, kGdtBytes - 1};
  s.idtr = {kKernel + kIdtAt, 0xFFF};
  s.seg[kTr] = {.selector = 0x40,
                .rights = Reg<SegmentRights>(0x8B),
                .limit = 0x67,
                .base = kKernel + kTssAt};
  s.seg[kLdtr] = {.selector = 0x50,
                  .rights = Reg<SegmentRights>(0x82),
                  .limit = kLdtEntries * 8 - 1,
                  .base = kKernel + kLdtAt};
  core().mode_changed();
  core().invalidate_all();
}

void SimulatedUser::map_pages() {
  for (u64 table = kPml4; table <= kKernelPd; table += kPageSize)
    std::memset(ram(table), 0, kPageSize);
  write(kPml4, kArenaPdpt | kPresentUserWrite);
  write(kArenaPdpt, kArenaPd | kPresentUserWrite);
  write(kArenaPd + 8 * (Arena::kBase >> 21), kArenaPt | kPresentUserWrite);
  const auto pages = [this](u64 from, u64 size, u64 rights) {
    for (u64 page = from; page < from + size; page += kPageSize)
      write(kArenaPt + 8 * (page >> 12 & 511), physical(page) | rights);
  };
  pages(Arena::kCode, Arena::kCodeBytes, kPresentUser);
  pages(Arena::kData, Arena::kWritableBytes, kPresentUserWrite | kNoExecute);
  pages(Arena::kData + Arena::kWritableBytes, Arena::kDataBytes - Arena::kWritableBytes,
        kPresentUser | kNoExecute);
  pages(Arena::kStack, Arena::kStackBytes, kPresentUserWrite | kNoExecute);
  write(kPml4 + 8 * 256, kKernelPdpt | kPresentWrite);
  write(kKernelPdpt, kKernelPd | kPresentWrite);
  write(kKernelPd, kLarge);
  std::memset(ram(physical(Arena::kCode)), 0xCC, Arena::kCodeBytes);
}

void SimulatedUser::write_tables() {
  for (const GdtRow& row : kGdt) write(kGdtAt + row.offset, row.raw);
  for (const LdtRow& row : kLdt) write(kLdtAt + (row.selector & ~7u), descriptor_of(row));
  write(kTssAt + 4, kKernel + kKernelStack);  // RSP0
  const u16 no_port_map = 0x68;
  write(kTssAt + 0x66, no_port_map);
  for (u64 vector = 0; vector < 256; ++vector) {
    const u64 to = kKernel + kHandlers + 16 * vector;
    const bool from_user = vector == 3 || vector == 4;  // Linux: #BP, #OF
    const u64 type = from_user ? 0xEE : 0x8E;
    write(kIdtAt + 16 * vector,
          bits(to, 15, 0) | u64{0x10} << 16 | type << 40 | bits(to, 31, 16) << 48);
    write(kIdtAt + 16 * vector + 8, bits(to, 63, 32));
    write(kHandlers + 16 * vector, u8{0xF4});
  }
}

void SimulatedUser::load_segment(SegmentName name, u16 selector) {
  SegmentRegister segment{.selector = selector};
  if (const auto named = descriptor_named(selector); named && selector >= 4) {
    segment.rights = named->rights();
    segment.limit = named->limit();
    segment.base = named->base();
  }
  state().seg[name] = segment;
}

void SimulatedUser::load(const UserCase& c) {
  CoreState& s = state();
  for (unsigned n = 0; n < 16; ++n) s.gpr[n] = c.state.gpr[n];
  for (unsigned n = 0; n < 6; ++n) load_segment(static_cast<SegmentName>(n), c.state.selector[n]);
  if (c.size == CodeSize::k64) {
    s.seg[kFs].base = c.state.fs_base;
    s.seg[kGs].base = c.state.gs_base;
  }
  s.cpl = 3;
  s.rip = c.state.rip;
  write_rflags(s, c.state.flags);
  s.activity = Activity::kActive;
  s.shadow = kNoShadow;
  s.pending_debug = 0;
  s.x87 = {};
  s.vector = {};
  core().mode_changed();
  core().permissions_changed();
}

UserResult SimulatedUser::run(const UserCase& c, ArenaImage& image) {
  std::memcpy(ram(physical(Arena::kData)), image.data(), Arena::kDataBytes);
  std::memcpy(ram(physical(Arena::kStack)), image.data() + Arena::kDataBytes, Arena::kStackBytes);
  const u64 code_at = code_address(c);
  const std::size_t code_bytes =
      std::min<std::size_t>(c.bytes.size(), Arena::kCode + Arena::kCodeBytes - code_at);
  put(physical(code_at), c.bytes.data(), code_bytes);
  load(c);
  BareMachine::run(50'000);
  const UserResult after = result();
  const std::vector<u8> breakpoints(code_bytes, 0xCC);
  put(physical(code_at), breakpoints.data(), code_bytes);
  std::memcpy(image.data(), ram(physical(Arena::kData)), Arena::kDataBytes);
  std::memcpy(image.data() + Arena::kDataBytes, ram(physical(Arena::kStack)), Arena::kStackBytes);
  return after;
}

UserResult SimulatedUser::result() {
  CoreState& s = state();
  UserResult after;
  const u64 handler = s.rip - 1 - (kKernel + kHandlers);
  if (s.activity != Activity::kHalted || handler >= 16 * 256) {
    after.vector = kUnfinished;
    return after;
  }
  after.vector = static_cast<unsigned>(handler / 16);
  u64 frame[6];  // error code (or what lies below), RIP, CS, RFLAGS, RSP, SS
  std::memcpy(frame, ram(kStackTopOfFrame - sizeof frame), sizeof frame);
  if (has_error_code(after.vector)) after.error = static_cast<u32>(frame[0]);
  for (unsigned n = 0; n < 16; ++n) after.state.gpr[n] = s.gpr[n];
  after.state.gpr[kRsp] = frame[4];
  after.state.rip = frame[1];
  after.state.flags = frame[3];
  for (unsigned n = 0; n < 6; ++n) after.state.selector[n] = s.seg[n].selector;
  after.state.selector[kCs] = static_cast<u16>(frame[2]);
  after.state.selector[kSs] = static_cast<u16>(frame[5]);
  after.state.fs_base = s.seg[kFs].base;
  after.state.gs_base = s.seg[kGs].base;
  if (after.vector == kPf) after.cr2 = s.cr2;
  return after;
}

}  // namespace vtsim::cpu::test
