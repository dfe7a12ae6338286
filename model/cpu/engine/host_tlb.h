#pragma once
// The direct-mapped arrays of {page, host pointer} in front of everything (ARCHITECTURE.md "Speed").
// They only shorten the way to memory: what a translation yields is decided by mmu's architectural
// store, and whatever the store drops is dropped here at once.
//
// There is one HostTlb for each context {address space, privilege, SMAP override} in use, so that
// system calls and switches between address spaces keep theirs.

#include <array>
#include <vector>

#include "model/base/types.h"
#include "model/cpu/engine/large_pages.h"

namespace vtsim::cpu {

struct Block;

struct HostTlbEntry {
  u64 tag = kEmpty;  // linear address of the page
  u64 addend = 0;    // host address = linear address + addend

  static constexpr u64 kEmpty = 1;  // no page-aligned address equals it
  // In the tag, and taken from the addend: an entry of writes that handlers don't find, but
  // Core::slow_write does, for runs whose stores are observed.
  static constexpr u64 kObserved = 2;

  bool is_of(u64 page) const { return (tag & ~kObserved) == page; }
};

struct FetchEntry {
  u64 tag = HostTlbEntry::kEmpty;
  u64 hpa = ~u64{0};  // host-physical address of the page
};

class HostTlb {
 public:
  static constexpr unsigned kDataEntries = 1024;
  static constexpr unsigned kFetchEntries = 1024;
  static constexpr unsigned kJumpEntries = 16384;
  static constexpr unsigned kJumpsOfPage = 256;

  // Low page-number bits alone alias buffers whose distance is a multiple of the table's reach.
  static constexpr unsigned index(u64 lin) {
    return static_cast<unsigned>((lin >> 12) ^ (lin >> 22)) & (kDataEntries - 1);
  }
  static constexpr unsigned fetch_index(u64 lin) {
    return static_cast<unsigned>((lin >> 12) ^ (lin >> 22)) & (kFetchEntries - 1);
  }
  // Targets on one page share kJumpsOfPage neighbouring entries.
  static constexpr unsigned jump_index(u64 lin) {
    const u64 folded = lin ^ (lin >> 8);
    return static_cast<unsigned>(((folded >> 4) & (kJumpEntries - kJumpsOfPage)) |
                                 (folded & (kJumpsOfPage - 1)));
  }

  std::array<HostTlbEntry, kDataEntries> read;
  std::array<HostTlbEntry, kDataEntries> write;
  std::array<FetchEntry, kFetchEntries> fetch;
  // Blocks that were jumped to, by jump_index(). Whoever finds one compares its linear address, RIP and
  // mode. An entry is there only while `fetch` holds its page, and leads where that says.
  std::array<Block*, kJumpEntries> jumps{};

  // `shift` is the size of the guest's page: what must go together when it is invalidated.
  void fill_read(u64 lin, const u8* host, unsigned shift) { fill(read, lin, host, shift); }
  void fill_write(u64 lin, const u8* host, unsigned shift) { fill(write, lin, host, shift); }
  void fill_observed_write(u64 lin, const u8* host, unsigned shift) {
    fill(write, lin, host, shift);
    HostTlbEntry& entry = write[index(lin)];
    entry.tag |= HostTlbEntry::kObserved;
    entry.addend -= HostTlbEntry::kObserved;
  }
  // Host pointer to `size` bytes of one page that may be written; nullptr: not held.
  u8* observed_write(u64 lin, unsigned size) const {
    const HostTlbEntry& entry = write[index(lin)];
    const u64 wanted = ((lin + size - 1) & ~kPageOffsetMask) | HostTlbEntry::kObserved;
    return entry.tag == wanted ? reinterpret_cast<u8*>(lin + entry.addend + HostTlbEntry::kObserved)
                               : nullptr;
  }
  void fill_fetch(u64 lin, u64 hpa, unsigned shift) {
    note_large(lin, shift);
    FetchEntry& entry = fetch[fetch_index(lin)];
    if (entry.tag != HostTlbEntry::kEmpty) forget_jumps(entry.tag);
    used_fetch_.push_back(static_cast<u16>(fetch_index(lin)));
    entry = {lin & ~kPageOffsetMask, hpa};
    bound(used_fetch_);
  }
  // `block` begins at `lin` and ends on the same page.
  void remember_jump(u64 lin, Block* block) {
    if (fetch[fetch_index(lin)].tag == (lin & ~kPageOffsetMask)) jumps[jump_index(lin)] = block;
  }
  // All blocks are gone.
  void forget_all_jumps() { jumps.fill(nullptr); }

  // Forgets the guest page that holds `lin`, whatever its size.
  void drop_page(u64 lin) {
    if (large_pages_.may_hold(lin)) return clear();
    const u64 page = lin & ~kPageOffsetMask;
    if (read[index(page)].tag == page) read[index(page)] = {};
    if (write[index(page)].is_of(page)) write[index(page)] = {};
    FetchEntry& code = fetch[fetch_index(page)];
    if (code.tag == page) {
      forget_jumps(page);
      code = {};
    }
  }
  // Forgets write entries that lead to the host page at `host`.
  void drop_writes_to(const u8* host) {
    const u64 wanted = reinterpret_cast<u64>(host);
    for (HostTlbEntry& entry : write)
      if (entry.tag + entry.addend == wanted) entry = {};
  }
  // Costs what was used since the last time, not the size of the arrays.
  void clear() {
    for (u16 i : used_) read[i] = write[i] = {};
    for (u16 i : used_fetch_) {
      if (fetch[i].tag != HostTlbEntry::kEmpty) forget_jumps(fetch[i].tag);
      fetch[i] = {};
    }
    used_.clear();
    used_fetch_.clear();
    large_pages_.clear();
  }

 private:
  void note_large(u64 lin, unsigned shift) {
    if (shift > kPageShift) large_pages_.note(lin, shift);
  }
  void forget_jumps(u64 page) {
    const unsigned first = jump_index(page) & ~(kJumpsOfPage - 1);
    for (unsigned n = 0; n < kJumpsOfPage; ++n) jumps[first + n] = nullptr;
  }
  void fill(std::array<HostTlbEntry, kDataEntries>& side, u64 lin, const u8* host, unsigned shift) {
    note_large(lin, shift);
    used_.push_back(static_cast<u16>(index(lin)));
    const u64 page = lin & ~kPageOffsetMask;
    side[index(lin)] = {page, reinterpret_cast<u64>(host) - page};
    bound(used_);
  }
  // A list longer than the arrays says nothing that they don't: clear everything at the next clear().
  void bound(std::vector<u16>& list) {
    if (list.size() <= 2 * kDataEntries) return;
    list.clear();
    const unsigned count = &list == &used_ ? kDataEntries : kFetchEntries;
    for (unsigned i = 0; i < count; ++i) list.push_back(static_cast<u16>(i));
  }

  LargePages large_pages_;
  std::vector<u16> used_;
  std::vector<u16> used_fetch_;
};

}  // namespace vtsim::cpu
