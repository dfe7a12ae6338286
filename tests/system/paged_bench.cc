#include "tests/system/paged_bench.h"

namespace vtsim::cpu::test {

namespace {

constexpr u64 kPml4 = kTables, kPdpt = 0x2000, kPd = 0x3000, kPt = 0x4000, kPd32 = 0x5000,
              kPt32 = 0x6000;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kAccessedDirty = 0x60;
constexpr u64 kSteps = 200;

mmu::AccessKind kind_of(std::string_view name) {
  return name == "write"   ? mmu::AccessKind::kWrite
         : name == "fetch" ? mmu::AccessKind::kFetch
                           : mmu::AccessKind::kRead;
}

bool is_table(u64 page) { return page >= kTables && page < kTablesEnd; }

}  // namespace

PagedBench::PagedBench() : BareMachine(kPagedRam) {
  shared.probes.walk.subscribe([this](const WalkEvent& walk) {
    if (!walk.faulted && end_ != nullptr && !end_->event)
      references_.push_back({walk.linear, kind_of(walk.access), walk.is_user});
  });
  shared.probes.bus_access.subscribe([this](const BusAccessEvent&) { ++port_accesses_; });
  observer.seen = [this](const Core& core, const Event& event) {
    // What an instruction does by an event of its own is looked at after its delivery.
    const bool is_exception = event.type == EventType::kHardwareException;
    if (end_ == nullptr || end_->event || !is_exception) return;
    end_->event = event;
    end_->state = core.state;
    copy_memory(end_->ram);
  };
}

void PagedBench::build_tables() {
  std::memset(ram(kTables), 0, kTablesEnd - kTables);
  write(kPml4, kPdpt | kPresent | kWritable | kUser);
  write(kPdpt, kPd | kPresent | kWritable | kUser);
  write(kPd, kPt | kPresent | kWritable | kUser);
  const u32 directory = static_cast<u32>(kPt32 | kPresent | kWritable | kUser);
  std::memcpy(ram(kPd32), &directory, sizeof directory);
  for (u64 page = 0; page < kPagedRam; page += kPageSize) {
    const u64 entry = page | kPresent | kWritable | kUser;
    write(kPt + page / kPageSize * 8, entry);
    std::memcpy(ram(kPt32 + page / kPageSize * 4), &entry, 4);
  }
}

void PagedBench::change_page(u64 lin, Missing what) {
  if (what == Missing::kNothing) return;
  const u64 bit = what == Missing::kPresent ? kPresent : kWritable;
  *ram(kPt + lin / kPageSize * 8) &= static_cast<u8>(~bit);
  *ram(kPt32 + lin / kPageSize * 4) &= static_cast<u8>(~bit);
}

void PagedBench::enter(CodeSize size, unsigned cpl) {
  build_tables();
  core().power_on();
  CoreState& s = state();
  const bool wide = size == CodeSize::k64;
  s.cr0 = Reg<Cr0>(0x80010033);  // PG, WP, NE, ET, MP, PE
  s.cr3 = wide ? kPml4 : kPd32;
  s.cr4 = Reg<Cr4>()
              .with(Cr4::OSFXSR, 1)
              .with(Cr4::OSXMMEXCPT, 1)
              .with(Cr4::OSXSAVE, 1)
              .with(Cr4::FSGSBASE, 1)
              .with(Cr4::PAE, wide);
  s.efer = Reg<Efer>(wide ? 0xD01 : 0);
  s.xcr0 = 7;
  s.cpl = static_cast<u8>(cpl);
  const auto segment = [&](u64 type, u16 selector, u64 base) {
    Reg<SegmentRights> rights(0x90 | type);
    rights.set(SegmentRights::DPL, cpl);
    rights.set(SegmentRights::L, wide && bit(type, 3));
    rights.set(SegmentRights::DB, size == CodeSize::k32 || (wide && !bit(type, 3)));
    return SegmentRegister{.selector = static_cast<u16>(selector | cpl), .rights = rights,
                           .limit = 0xFFFF, .base = wide ? 0 : base};
  };
  s.seg[kCs] = segment(11, 0x08, 0);
  s.seg[kSs] = segment(3, 0x10, kStackBase);
  s.seg[kDs] = segment(3, 0x18, kDataBase);
  s.seg[kEs] = segment(3, 0x20, kExtraBase);
  s.seg[kFs] = segment(3, 0x18, kDataBase);
  s.seg[kGs] = segment(3, 0x18, kDataBase);
  s.seg[kTr] = {.selector = 0x28, .rights = Reg<SegmentRights>(0x8B), .limit = 0x67,
                .base = kPagedTss};
  s.seg[kLdtr] = SegmentRegister{};  // no LDT
  s.gdtr = {kPagedGdt, 0x1FFF};
  s.idtr = {kPagedIdt, 0xFFF};
  core().mode_changed();
  core().invalidate_all();
}

void PagedBench::restore(const CoreState& to, const std::vector<u8>& bytes) {
  for (u64 page = 0; page < kPagedRam; page += kPageSize)
    if (std::memcmp(ram(page), &bytes[page], kPageSize) != 0) put(page, &bytes[page], kPageSize);
  state() = to;
  core().mode_changed();
  core().invalidate_all();
}

void PagedBench::run_one(RunKind kind, RunEnd& end) {
  references_.clear();
  port_accesses_ = 0;
  end.event.reset();
  end_ = &end;
  const u64 start = state().rip;
  if (kind == RunKind::kInBlock) {
    run(kSteps);
  } else {
    u64 steps = 0;
    do {
      run(1);
    } while (!end.event && state().rip == start && state().activity == Activity::kActive &&
             ++steps < kSteps);
  }
  end_ = nullptr;
  if (end.event) return;
  end.state = state();
  copy_memory(end.ram);
}

i64 PagedBench::first_difference(const std::vector<u8>& a, const std::vector<u8>& b) {
  for (u64 page = 0; page < kPagedRam; page += kPageSize) {
    if (std::memcmp(&a[page], &b[page], kPageSize) == 0) continue;
    for (u64 at = page; at < page + kPageSize; ++at) {
      // Bits 5 and 6 lie in the first byte of an entry; flags beyond it do not change by themselves.
      const u8 ignored = is_table(page) && at % 4 == 0 ? kAccessedDirty : 0;
      if ((a[at] ^ b[at]) & ~ignored) return static_cast<i64>(at);
    }
  }
  return -1;
}

}  // namespace vtsim::cpu::test
