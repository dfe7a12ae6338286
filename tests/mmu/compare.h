#pragma once
// Does a walk agree with the oracle, in its result and in what it left in memory?

#include <catch2/catch.hpp>
#include <sstream>

#include "model/mmu/walker.h"
#include "tests/mmu/oracle.h"

namespace vtsim::mmu::test {

inline bool same_result(const WalkResult& got, const Verdict& want, Lin linear) {
  using Kind = Verdict::Kind;
  if (static_cast<bool>(got) != (want.kind == Kind::kOk)) return false;
  if (got) {
    const Translation& t = got.translation();
    return t.at(linear).value == want.physical && t.page_shift == want.shift &&
           t.rights == Rights{want.write, want.user, want.exec} && t.global == want.global &&
           t.dirty == want.dirty && t.pat_index == want.pat && t.pkey == want.key &&
           t.stage2 == Stage2Rights{want.e_read, want.e_write, want.e_exec, want.e_user_exec} &&
           t.ept_memory_type == want.ept_type && t.ept_ignore_pat == want.ipat;
  }
  const WalkFault& f = got.fault();
  if (f.level != want.level || f.linear != linear) return false;
  switch (want.kind) {
    case Kind::kPageFault:
      return f.stage == Stage::kStage1 && pf_error_code(f) == want.error_code;
    case Kind::kViolation:
      return f.stage == Stage::kStage2 && f.reason == FaultReason::kEptViolation &&
             ept_violation_qualification(f) == want.qualification && f.gpa.value == want.gpa;
    case Kind::kMisconfiguration:
      return f.stage == Stage::kStage2 && f.reason == FaultReason::kEptMisconfiguration &&
             f.gpa.value == want.gpa;
    case Kind::kOk:
      break;
  }
  return false;
}

// After the walk: every flag that the oracle sets is set, and nothing else has changed.
inline bool same_memory(const FakeMemory& memory, const Oracle& oracle, bool narrow_stage1) {
  for (const auto& [address, value] : oracle.changes()) {
    const bool narrow = narrow_stage1 && value <= 0xffffffff && memory.peek32(address) == value;
    if (!narrow && memory.peek64(address) != value) return false;
  }
  for (const auto& [address, before] : memory.journal()) {
    bool known = false;
    for (const auto& change : oracle.changes()) known |= change.first == address;
    if (!known) return false;
  }
  return true;
}

inline std::string describe(const WalkResult& got, const Verdict& want, const PagingContext& c,
                            Lin linear, Access a) {
  std::ostringstream out;
  out << std::hex << "linear " << linear.value << " mode " << int(c.mode) << " kind " << int(a.kind)
      << " privilege " << int(a.privilege) << " ac " << a.ac << " wp " << c.wp << " smep " << c.smep
      << " smap " << c.smap << " nxe " << c.nxe << " pge " << c.pge << " width "
      << int(c.physical_width) << " ept " << c.ept.enabled << " ad " << c.ept.accessed_dirty
      << " mbec " << c.ept.mode_based_execute_control << " xo " << c.ept.execute_only_supported
      << "\nwant kind " << int(want.kind) << " level " << want.level << " code " << want.error_code
      << " qual " << want.qualification << " gpa " << want.gpa << " physical " << want.physical
      << " shift " << want.shift << " dirty " << want.dirty << "\ngot ";
  if (got) {
    const Translation& t = got.translation();
    out << "ok " << t.at(linear).value << " shift " << int(t.page_shift) << " dirty " << t.dirty
        << " user " << t.rights.user << " write " << t.rights.write << " exec " << t.rights.execute;
  } else {
    const WalkFault& f = got.fault();
    out << "stage " << int(f.stage) << " reason " << int(f.reason) << " level " << int(f.level)
        << " code " << pf_error_code(f) << " qual " << ept_violation_qualification(f) << " gpa "
        << f.gpa.value << " entry " << f.entry;
  }
  return out.str();
}

// One case: ask both, compare, restore memory. Only a disagreement costs an assertion.
inline void compare(FakeMemory& memory, const PagingContext& context, Lin linear, Access access) {
  Oracle oracle(memory, context);
  const Verdict want = oracle.walk(linear.value, access);
  const WalkResult got = walk(context, linear, access, memory);
  const bool agreed = same_result(got, want, linear) &&
                      same_memory(memory, oracle, context.mode == PagingMode::k32Bit);
  if (!agreed) {
    INFO(describe(got, want, context, linear, access));
    for (const auto& [at, value] : oracle.changes())
      UNSCOPED_INFO("oracle sets " << std::hex << at << " = " << value);
    for (const auto& [at, value] : memory.journal())
      UNSCOPED_INFO("walk changed " << std::hex << at << " from " << value);
    REQUIRE(agreed);
  }
  memory.rollback();
}

}  // namespace vtsim::mmu::test
