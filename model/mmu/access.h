#pragma once
// One memory access, as paging sees it.

#include "model/base/types.h"

namespace vtsim::mmu {

enum class AccessKind : u8 {
  kRead,
  kWrite,  // also every read-modify-write, from its read on
  kFetch,
};

// SDM 3A "Access Rights": the access mode. Implicit supervisor accesses (descriptor tables, TSS,
// event delivery) are supervisor-mode whatever the CPL, and SMAP denies them whatever EFLAGS.AC.
enum class Privilege : u8 {
  kUser,                // CPL = 3, explicit
  kSupervisor,          // CPL < 3, explicit
  kImplicitSupervisor,  // any CPL
};

struct Access {
  AccessKind kind = AccessKind::kRead;
  Privilege privilege = Privilege::kSupervisor;
  bool ac = false;  // EFLAGS.AC; looked at for explicit supervisor data accesses with CR4.SMAP = 1

  constexpr bool is_user() const { return privilege == Privilege::kUser; }
  constexpr bool is_write() const { return kind == AccessKind::kWrite; }
  constexpr bool is_fetch() const { return kind == AccessKind::kFetch; }
  constexpr bool operator==(const Access&) const = default;
};

}  // namespace vtsim::mmu
