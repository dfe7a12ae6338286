#pragma once
// A second opinion on every walk, written from the manual's text and sharing nothing with the
// model but the types of its input: SDM 3A "Paging", SDM 3C "The Extended Page Table Mechanism".
// Slow, literal, one rule a line.

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "model/mmu/access.h"
#include "model/mmu/paging_context.h"
#include "tests/mmu/fake_memory.h"

namespace vtsim::mmu::test {

struct Verdict {
  enum class Kind { kOk, kPageFault, kViolation, kMisconfiguration } kind = Kind::kOk;
  u32 error_code = 0;     // kPageFault
  u64 qualification = 0;  // kViolation, with the advanced information
  u64 gpa = 0;            // kViolation, kMisconfiguration
  unsigned level = 0;     // where the walk ended
  // kOk
  u64 physical = 0;
  unsigned shift = 12;
  bool user = true, write = true, exec = true, global = false, dirty = true;
  unsigned pat = 8, key = 0;
  bool e_read = true, e_write = true, e_exec = true, e_user_exec = true, ipat = false;
  unsigned ept_type = 6;
};

class Oracle {
 public:
  // Sees `memory` as it was before the walk, and keeps its own changes in changes().
  Oracle(const FakeMemory& memory, const PagingContext& context) : memory_(memory), c_(context) {}

  Verdict walk(u64 linear, Access access) {
    a_ = access;
    linear_ = linear;
    v_ = {};
    if (c_.mode == PagingMode::kNone) {
      finish(linear);
      return v_;
    }
    if (guest()) finish(v_.physical);
    return v_;
  }

  // Address and last value of every entry whose A or D flag was set.
  std::span<const std::pair<u64, u64>> changes() const { return {changes_.data(), changed_}; }

 private:
  static u64 ones(int hi, int lo) {
    u64 mask = 0;
    for (int i = lo; i <= hi; ++i) mask |= 1ull << i;
    return mask;
  }

  u64 load(u64 address) const {
    const bool narrow = c_.mode == PagingMode::k32Bit && !in_ept_;
    for (const auto& [at, value] : changes()) {
      if (at == address) return value;
    }
    return narrow ? memory_.peek32(address) : memory_.peek64(address);
  }
  void set(u64 address, u64 flags) {
    const u64 old = load(address);
    if ((old & flags) == flags) return;
    for (std::size_t i = 0; i < changed_; ++i) {
      if (changes_[i].first == address) {
        changes_[i].second = old | flags;
        return;
      }
    }
    changes_.at(changed_++) = {address, old | flags};
  }

  // --- stage 1 ---

  bool fault(unsigned level, u32 why) {  // `why`: P, RSVD, PK bits
    v_.kind = Verdict::Kind::kPageFault;
    v_.level = level;
    v_.error_code = why;
    if (a_.kind == AccessKind::kWrite) v_.error_code |= 2;
    if (a_.privilege == Privilege::kUser) v_.error_code |= 4;
    const bool pae = c_.mode != PagingMode::k32Bit;
    if (a_.kind == AccessKind::kFetch && (c_.smep || (pae && c_.nxe))) v_.error_code |= 16;
    return false;
  }

  bool is_reserved(unsigned level, u64 e, bool page) const {
    const int width = c_.physical_width;
    u64 mask = 0;
    switch (c_.mode) {
      case PagingMode::k32Bit:
        if (page && level == 2) mask = ones(21, c_.pse36_supported ? std::min(width, 40) - 19 : 13);
        break;
      case PagingMode::kPae:
        mask = ones(62, width) | (c_.nxe ? 0 : 1ull << 63);
        if (page && level == 2) mask |= ones(20, 13);
        break;
      default:
        mask = ones(51, width) | (c_.nxe ? 0 : 1ull << 63);
        if (page && level == 2) mask |= ones(20, 13);
        if (page && level == 3) mask |= c_.pages_1g_supported ? ones(29, 13) : 1ull << 7;
        if (level >= 4) mask |= 1ull << 7;
    }
    return e & mask;
  }

  bool guest() {
    unsigned level = 2;
    u64 table = c_.cr3 & 0xfffff000;
    if (c_.mode == PagingMode::kPae) {
      const u64 pdpte = c_.pdptes[(linear_ >> 30) & 3];
      if (!(pdpte & 1)) return fault(3, 0);
      table = pdpte & ones(51, 12);
    } else if (c_.mode != PagingMode::k32Bit) {
      level = c_.mode == PagingMode::k4Level ? 4 : 5;
      table = c_.cr3 & ones(51, 12);
    }
    const bool narrow = c_.mode == PagingMode::k32Bit;
    for (;; --level) {
      const unsigned bits = narrow ? 10 : 9;
      const unsigned shift = 12 + (level - 1) * bits;
      const u64 index = (linear_ >> shift) & ((1u << bits) - 1);
      const u64 entry_gpa = table + index * (narrow ? 4 : 8);
      u64 at = entry_gpa;
      if (c_.ept.enabled && !ept(entry_gpa, true, c_.ept.accessed_dirty, false, true, &at)) {
        return violation_of_table();
      }
      const bool table_writable = !c_.ept.enabled || v_.e_write;
      const u64 e = load(at);
      if (!(e & 1)) return fault(level, 0);
      bool page = level == 1;
      if ((level == 2 && (!narrow || c_.pse)) || (level == 3 && !narrow)) page |= (e >> 7) & 1;
      if (is_reserved(level, e, page)) return fault(level, 1 | 8);
      v_.write &= (e >> 1) & 1;
      v_.user &= (e >> 2) & 1;
      if (!narrow && (e >> 63)) v_.exec = false;
      u64 flags = 1 << 5;
      if (page) {
        if (!leaf(level, e, shift)) return false;
        if (a_.kind == AccessKind::kWrite) flags |= 1 << 6;
      }
      if ((e & flags) != flags && !table_writable) {
        v_.qualification |= 2;
        return violation_of_table();
      }
      set(at, flags);
      if (page) {
        v_.dirty = (e | flags) & (1 << 6);
        return true;
      }
      table = e & (narrow ? 0xfffff000 : ones(51, 12));
    }
  }

  bool leaf(unsigned level, u64 e, unsigned shift) {
    const bool narrow = c_.mode == PagingMode::k32Bit;
    const bool long_mode = c_.mode == PagingMode::k4Level || c_.mode == PagingMode::k5Level;
    v_.shift = shift;
    v_.global = c_.pge && (e >> 8) & 1;
    const unsigned pat_bit = level == 1 ? 7 : 12;
    v_.pat =
        static_cast<unsigned>(((e >> pat_bit) & 1) << 2 | ((e >> 4) & 1) << 1 | ((e >> 3) & 1));
    v_.key = long_mode ? (e >> 59) & 15 : 0;
    u64 frame = e & ones(narrow ? 31 : 51, static_cast<int>(shift));
    if (narrow && level == 2) frame |= ((e >> 13) & 0xff) << 32;
    v_.physical = frame | (linear_ & ones(static_cast<int>(shift) - 1, 0));
    const bool key_denies = long_mode && denied_by_key();
    if (!allowed() || key_denies) return fault(level, 1 | (key_denies ? 32 : 0));
    return true;
  }

  // "Determination of Access Rights", in its own order.
  bool allowed() const {
    const bool user_mode = a_.privilege == Privilege::kUser;
    if (!user_mode) {
      const bool smap_ok = !c_.smap || (a_.ac && a_.privilege == Privilege::kSupervisor);
      switch (a_.kind) {
        case AccessKind::kRead:
          return !v_.user || smap_ok;
        case AccessKind::kWrite:
          if (!v_.user) return !c_.wp || v_.write;
          return smap_ok && (!c_.wp || v_.write);
        case AccessKind::kFetch:
          return v_.user ? !c_.smep && v_.exec : v_.exec;
      }
    }
    if (!v_.user) return false;
    switch (a_.kind) {
      case AccessKind::kRead:
        return true;
      case AccessKind::kWrite:
        return v_.write;
      case AccessKind::kFetch:
        return v_.exec;
    }
    return false;
  }

  // "Protection Keys"
  bool denied_by_key() const {
    if (a_.kind == AccessKind::kFetch) return false;
    const bool write = a_.kind == AccessKind::kWrite;
    if (v_.user) {
      if (!c_.pke) return false;
      if ((c_.pkru >> (2 * v_.key)) & 1) return true;
      const bool wd = (c_.pkru >> (2 * v_.key + 1)) & 1;
      return wd && write && (a_.privilege == Privilege::kUser || c_.wp);
    }
    if (!c_.pks) return false;
    if ((c_.pkrs >> (2 * v_.key)) & 1) return true;
    const bool wd = (c_.pkrs >> (2 * v_.key + 1)) & 1;
    return wd && write && c_.wp;
  }

  // --- stage 2 ---

  // False: v_.kind and the low bits of the qualification tell.
  bool ept(u64 gpa, bool read, bool write, bool fetch, bool user_address, u64* hpa) {
    in_ept_ = true;
    const bool ok = ept_walk(gpa, read, write, fetch, user_address, hpa);
    in_ept_ = false;
    return ok;
  }

  bool ept_walk(u64 gpa, bool read, bool write, bool fetch, bool user_address, u64* hpa) {
    const EptContext& x = c_.ept;
    v_.gpa = gpa;
    v_.qualification = (read ? 1 : 0) | (write ? 2 : 0) | (fetch ? 4 : 0);
    v_.e_read = v_.e_write = v_.e_exec = v_.e_user_exec = true;
    u64 table = x.root.value;
    if (gpa & ones(51, x.levels == 4 ? 48 : 57))
      return ept_ends(Verdict::Kind::kViolation, x.levels);
    for (unsigned level = x.levels;; --level) {
      const unsigned shift = 12 + (level - 1) * 9;
      const u64 at = table + ((gpa >> shift) & 511) * 8;
      const u64 e = load(at);
      const bool r = e & 1, w = e & 2, xs = e & 4, xu = x.mode_based_execute_control && e & 0x400;
      if (!r && !w && !xs && !xu) return ept_ends(Verdict::Kind::kViolation, level);
      const bool page = level == 1 || (level <= 3 && e & 0x80);
      u64 reserved = ones(51, x.physical_width);
      if (level >= 4) reserved |= 0xf8;
      if (level == 3 && page) reserved |= x.pages_1g_supported ? ones(29, 12) : 0x80;
      if (level == 2 && page) reserved |= x.pages_2m_supported ? ones(20, 12) : 0x80;
      if (level <= 3 && !page) reserved |= 0x78;
      const unsigned type = (e >> 3) & 7;
      const bool bad_type = page && (type == 2 || type == 3 || type == 7);
      const bool bad_rights = !r && (w || (!x.execute_only_supported && (xs || xu)));
      if (bad_type || bad_rights || e & reserved) {
        return ept_ends(Verdict::Kind::kMisconfiguration, level);
      }
      v_.e_read &= r;
      v_.e_write &= w;
      v_.e_exec &= xs;
      v_.e_user_exec &= x.mode_based_execute_control ? xu : xs;
      u64 flags = x.accessed_dirty ? 0x100 : 0;
      if (!page) {
        set(at, flags);
        table = e & ones(51, 12);
        continue;
      }
      const bool may_execute = user_address ? v_.e_user_exec : v_.e_exec;
      if ((read && !v_.e_read) || (write && !v_.e_write) || (fetch && !may_execute)) {
        v_.qualification |= (v_.e_read ? 8 : 0) | (v_.e_write ? 16 : 0) | (v_.e_exec ? 32 : 0);
        if (x.mode_based_execute_control && v_.e_user_exec) v_.qualification |= 64;
        return ept_ends(Verdict::Kind::kViolation, level);
      }
      if (x.accessed_dirty && write) flags |= 0x200;
      set(at, flags);
      ept_dirty_ = !x.accessed_dirty || (e | flags) & 0x200;
      v_.ept_type = type;
      v_.ipat = e & 0x40;
      ept_shift_ = shift;
      *hpa = (e & ones(51, static_cast<int>(shift))) | (gpa & ones(static_cast<int>(shift) - 1, 0));
      v_.qualification |= (v_.e_read ? 8 : 0) | (v_.e_write ? 16 : 0) | (v_.e_exec ? 32 : 0);
      if (x.mode_based_execute_control && v_.e_user_exec) v_.qualification |= 64;
      v_.level = level;
      return true;
    }
  }

  bool ept_ends(Verdict::Kind kind, unsigned level) {
    v_.kind = kind;
    v_.level = level;
    return false;
  }

  bool violation_of_table() {
    if (v_.kind == Verdict::Kind::kOk) v_.kind = Verdict::Kind::kViolation;
    v_.qualification |= 0x80;
    return false;
  }

  void finish(u64 gpa) {
    v_.physical = gpa;
    if (!c_.ept.enabled) return;
    const bool fetch = a_.kind == AccessKind::kFetch;
    const bool write = a_.kind == AccessKind::kWrite;
    if (ept(gpa, !fetch && !write, write, fetch, v_.user, &v_.physical)) {
      v_.shift = std::min(v_.shift, ept_shift_);
      v_.dirty &= ept_dirty_;
      return;
    }
    v_.qualification |= 0x180;
    v_.qualification |= (v_.user ? 0x200 : 0) | (v_.write ? 0x400 : 0) | (v_.exec ? 0 : 0x800);
  }

  const FakeMemory& memory_;
  const PagingContext& c_;
  Access a_;
  u64 linear_ = 0;
  Verdict v_;
  bool in_ept_ = false;
  bool ept_dirty_ = true;
  unsigned ept_shift_ = 12;
  std::array<std::pair<u64, u64>, 40> changes_;
  std::size_t changed_ = 0;
};

}  // namespace vtsim::mmu::test
