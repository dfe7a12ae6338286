#pragma once
// The loop of every walk. A policy says what the bits of an entry mean and what they allow; a
// resolver says where an entry lies in host-physical memory (nesting); the port reads and updates.
//
// Policy (Ia32Policy, EptPolicy; VT-d's second stage will be a third):
//   kShape, kRefKind
//   EntryClass classify(level, entry)          present? well-formed? table or page?
//   u64 table_flags(), leaf_flags()            A and D bits to set when an entry is used
//   std::optional<FaultReason> check(Combined) may the access go on?
//   FaultReason reason(EntryClass)             of kNotPresent and kMalformed
//   WalkFault fault(reason, entry, Combined)   the policy's part of the record
//   bool before_update(port), after_update(port, flags newly set)
// Resolver (NativeResolver, NestedResolver):
//   bool entry(Gpa, level, Hpa&)               false: fault() tells
//   bool entry_update()                        may the entry resolved last be written? as above
//   std::optional<WalkFault> finish(Translation&)   sends the final page on, into the Translation

#include <optional>

#include "model/base/bits.h"
#include "model/mmu/entry_port.h"
#include "model/mmu/formats.h"
#include "model/mmu/translation.h"

namespace vtsim::mmu {

enum class EntryClass : u8 { kNotPresent, kMalformed, kTable, kLeaf };

// All entries of a walk, joined: rights that need every level to agree are read from `all`, those
// that any level can take away from `any`, those that the final entry alone gives from `last`.
struct Combined {
  u64 all = ~u64{0};
  u64 any = 0;
  u64 last = 0;

  void join(u64 entry) {
    all &= entry;
    any |= entry;
    last = entry;
  }
};

struct WalkStart {
  u64 table = 0;  // address of the first table, in the space of the entries' addresses
  u64 input = 0;  // the address to translate
};

// Where a walk ended well: the entry that maps the page, its A and D flags set.
struct WalkEnd {
  u64 entry = 0;
  unsigned level = 0;
  Combined combined;
};

// No second stage: guest-physical addresses are host-physical ones.
struct NativeResolver {
  static constexpr bool entry(Gpa gpa, unsigned, Hpa& hpa) {
    hpa = Hpa(gpa.value);
    return true;
  }
  static constexpr bool entry_update() { return true; }
  static WalkFault fault() { return {}; }
  static std::optional<WalkFault> finish(Translation&) { return std::nullopt; }
};

template <class Policy, class Resolver>
class WalkLoop {
 public:
  WalkLoop(const Policy& policy, Resolver& resolver, EntryPort& port)
      : policy_(policy), resolver_(resolver), port_(port) {}

  // Nothing: the walk ended well, in `end`.
  std::optional<WalkFault> run(const WalkStart& start, WalkEnd& end) {
    for (;;) {
      switch (once(start, end)) {
        case Outcome::kEnd:
          return std::nullopt;
        case Outcome::kFault:
          return fault_;
        case Outcome::kRestart:
          break;  // an entry changed under us: what we read is worth nothing
      }
    }
  }

 private:
  enum class Outcome : u8 { kEnd, kFault, kRestart };
  static constexpr const Shape& kShape = Policy::kShape;

  Outcome once(const WalkStart& start, WalkEnd& end) {
    u64 table = start.table;
    end.combined = {};
#pragma GCC unroll 5
    for (unsigned level = kShape.levels; level >= 1; --level) {
      const Gpa where(kShape.entry_address(table, level, start.input));
      Hpa at;
      if (!resolver_.entry(where, level, at)) return resolver_fault();
      u64 entry = 0;
      if (!read(at, level, entry)) return fault(FaultReason::kBus, level, at, 0, end.combined);
      const EntryClass found = policy_.classify(level, entry);
      if (found == EntryClass::kNotPresent || found == EntryClass::kMalformed) {
        return fault(policy_.reason(found), level, at, entry, end.combined);
      }
      end.combined.join(entry);
      if (found == EntryClass::kTable) {
        // SDM 3A "Accessed and Dirty Flags": set whenever the entry is used, whatever becomes of
        // the walk ("Interrupt 14": also when the access then violates protection).
        const Outcome outcome = update(level, at, entry, policy_.table_flags(), end.combined);
        if (outcome != Outcome::kEnd) return outcome;
        table = entry & kShape.table_field().mask();
        continue;
      }
      if (const std::optional<FaultReason> denied = policy_.check(end.combined)) {
        return fault(*denied, level, at, entry, end.combined);
      }
      end.level = level;
      const Outcome outcome = update(level, at, entry, policy_.leaf_flags(), end.combined);
      end.entry = entry;
      return outcome;
    }
    __builtin_unreachable();  // level 1 never references a table
  }

  // Sets `flags` in memory and in `entry`.
  Outcome update(unsigned level, Hpa at, u64& entry, u64 flags, const Combined& combined) {
    const u64 missing = flags & ~entry;
    if (missing == 0) return Outcome::kEnd;
    if (!policy_.before_update(port_)) {
      return fault(FaultReason::kPmlFull, level, at, entry, combined);
    }
    if (!resolver_.entry_update()) return resolver_fault();
    if (!cas(at, entry, entry | flags)) return Outcome::kRestart;
    entry |= flags;
    policy_.after_update(port_, missing);
    return Outcome::kEnd;
  }

  bool read(Hpa at, unsigned level, u64& entry) {
    if constexpr (kShape.entry_bytes == 4) {
      const std::optional<u32> value = port_.read32(at, Policy::kRefKind, level);
      entry = value.value_or(0);
      return value.has_value();
    } else {
      const std::optional<u64> value = port_.read64(at, Policy::kRefKind, level);
      entry = value.value_or(0);
      return value.has_value();
    }
  }

  bool cas(Hpa at, u64 expected, u64 desired) {
    if constexpr (kShape.entry_bytes == 4) {
      return port_.cas32(at, static_cast<u32>(expected), static_cast<u32>(desired));
    } else {
      return port_.cas64(at, expected, desired);
    }
  }

  [[gnu::cold, gnu::noinline]] Outcome fault(FaultReason reason, unsigned level, Hpa at, u64 entry,
                                             const Combined& combined) {
    fault_ = policy_.fault(reason, entry, combined);
    fault_->reason = reason;
    fault_->level = static_cast<u8>(level);
    fault_->entry = entry;
    fault_->entry_address = at;
    return Outcome::kFault;
  }

  [[gnu::cold, gnu::noinline]] Outcome resolver_fault() {
    fault_ = resolver_.fault();
    return Outcome::kFault;
  }

  const Policy& policy_;
  Resolver& resolver_;
  EntryPort& port_;
  std::optional<WalkFault> fault_;
};

}  // namespace vtsim::mmu
