#pragma once
// May this access use this translation? The walker asks when a walk ends, and the core asks again
// whenever it uses a stored translation, since CPL, EFLAGS.AC, CR0.WP, SMEP, SMAP, PKRU can change
// without a flush.

#include "model/base/bits.h"
#include "model/mmu/access.h"
#include "model/mmu/paging_context.h"
#include "model/mmu/translation.h"

namespace vtsim::mmu {

enum class Denial : u8 {
  kNone,
  kPkey,               // stage 1: the protection key only
  kProtection,         // stage 1: R/W, U/S, XD, SMEP, SMAP
  kProtectionAndPkey,  // stage 1: both (error code bit 5 is set whenever the key denies)
  kStage2,             // EPT violation
};

// SDM 3A "Determination of Access Rights", all but protection keys.
constexpr bool page_allows(const PagingContext& context, Rights rights, Access access) {
  if (access.is_user()) {
    if (!rights.user) return false;
    if (access.is_fetch()) return rights.execute;
    return rights.write || !access.is_write();
  }
  if (access.is_fetch()) return rights.execute && !(rights.user && context.smep);
  const bool smap_open = access.ac && access.privilege == Privilege::kSupervisor;
  if (rights.user && context.smap && !smap_open) return false;
  return rights.write || !access.is_write() || !context.wp;
}

// SDM 3A "Protection Keys": data accesses only, 4- and 5-level paging only.
constexpr bool pkey_denies(const PagingContext& context, Rights rights, u8 pkey, Access access) {
  if (!(rights.user ? context.pke : context.pks) || access.is_fetch()) return false;
  if (context.mode != PagingMode::k4Level && context.mode != PagingMode::k5Level) return false;
  const u32 keys = rights.user ? context.pkru : context.pkrs;
  const bool access_disable = bit(keys, 2u * pkey);
  const bool write_disable = bit(keys, 2u * pkey + 1);
  return access_disable ||
         (write_disable && access.is_write() && (context.wp || (rights.user && access.is_user())));
}

// SDM 3C "EPT Violations": the access to the final page.
constexpr bool stage2_allows(Stage2Rights stage2, Rights rights, Access access) {
  switch (access.kind) {
    case AccessKind::kRead:
      return stage2.read;
    case AccessKind::kWrite:
      return stage2.write;
    case AccessKind::kFetch:
      return rights.user ? stage2.execute_user : stage2.execute;
  }
  return false;
}

constexpr Denial check_stage1(const PagingContext& context, Rights rights, u8 pkey, Access access) {
  const bool by_key = pkey_denies(context, rights, pkey, access);
  if (!page_allows(context, rights, access)) {
    return by_key ? Denial::kProtectionAndPkey : Denial::kProtection;
  }
  return by_key ? Denial::kPkey : Denial::kNone;
}

constexpr Denial check_rights(const PagingContext& context, const Translation& translation,
                              Access access) {
  if (context.mode != PagingMode::kNone) {
    const Denial denial = check_stage1(context, translation.rights, translation.pkey, access);
    if (denial != Denial::kNone) return denial;
  }
  if (context.ept.enabled && !stage2_allows(translation.stage2, translation.rights, access)) {
    return Denial::kStage2;
  }
  return Denial::kNone;
}

// True when a stored translation serves the access as it is. Otherwise walk: a denial is only
// final when a walk says so, and a write to a clean page must set D flags.
constexpr bool usable(const PagingContext& context, const Translation& translation, Access access) {
  return (translation.dirty || !access.is_write()) &&
         check_rights(context, translation, access) == Denial::kNone;
}

}  // namespace vtsim::mmu
