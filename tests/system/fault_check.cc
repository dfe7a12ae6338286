#include "tests/system/fault_check.h"

#include <algorithm>
#include <sstream>

namespace vtsim::cpu::test {

namespace {

constexpr Flag kCodePresent{0}, kCodeWrite{1}, kCodeUser{2}, kCodeFetch{4};

bool same_event(const std::optional<Event>& a, const std::optional<Event>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->vector == b->vector && a->type == b->type && a->has_error_code == b->has_error_code &&
         a->error_code == b->error_code && a->cr2 == b->cr2 && a->dr6_bits == b->dr6_bits &&
         a->length == b->length;
}

std::string describe(const std::optional<Event>& event) {
  if (!event) return "no event";
  std::ostringstream out;
  out << std::hex << "vector " << unsigned{event->vector} << " code " << event->error_code
      << " cr2 " << event->cr2;
  return out.str();
}

std::string difference(const RunEnd& want, const RunEnd& got) {
  std::ostringstream out;
  if (!same_event(want.event, got.event))
    out << "want " << describe(want.event) << ", got " << describe(got.event) << "\n";
  out << CoreImage(want.state).differences(CoreImage(got.state));
  const i64 at = PagedBench::first_difference(want.ram, got.ram);
  if (at >= 0) out << std::hex << "memory at " << at << "\n";
  return out.str();
}

}  // namespace

FaultReport FaultChecker::check(const FaultCase& one) {
  one_ = &one;
  report_ = {};
  bench_.restore(one.state, one.ram);
  bench_.run_one(one.run, unfaulted_);
  report_.succeeded = !unfaulted_.event;
  const std::vector<Reference> references = bench_.references();
  std::vector<u64> seen;
  for (const Reference& reference : references) {
    if (std::find(seen.begin(), seen.end(), reference.page()) != seen.end()) continue;
    const bool is_own = reference.page() >= align_down(one.rip, kPageSize) &&
                        reference.page() < one.rip + one.length;
    if (reference.kind == mmu::AccessKind::kFetch && !is_own) continue;
    seen.push_back(reference.page());
    fail(reference, Missing::kPresent);
    const auto write = std::find_if(references.begin(), references.end(), [&](const Reference& r) {
      return r.page() == reference.page() && r.kind == mmu::AccessKind::kWrite;
    });
    if (write != references.end()) fail(*write, Missing::kWritable);
    if (!report_.error.empty()) break;
  }
  return report_;
}

void FaultChecker::complain(const Reference& reference, Missing what, const std::string& text) {
  if (!report_.error.empty()) return;
  std::ostringstream out;
  out << one_->name << (one_->run == RunKind::kInBlock ? " in a block" : "") << ", page "
      << std::hex << reference.page()
      << (what == Missing::kPresent ? " not present: " : " read-only: ") << text;
  report_.error = out.str();
}

void FaultChecker::fail(const Reference& reference, Missing what) {
  ++report_.faults;
  bench_.restore(one_->state, one_->ram);
  bench_.change_page(reference.page(), what);
  bench_.copy_memory(before_);
  bench_.run_one(one_->run, faulted_);
  check_event(reference, what);
  if (reference.page() == one_->later_page) {
    if (faulted_.state.rip != one_->later_rip) complain(reference, what, "not in the new task");
    return;
  }
  check_unchanged(reference, what);
  // The handler maps the page and returns.
  std::copy_n(one_->ram.begin() + kTables, kTablesEnd - kTables, faulted_.ram.begin() + kTables);
  bench_.restore(faulted_.state, faulted_.ram);
  bench_.run_one(one_->run, restarted_);
  const std::string wrong = difference(unfaulted_, restarted_);
  if (!wrong.empty()) complain(reference, what, "restarted: " + wrong);
}

void FaultChecker::check_event(const Reference& reference, Missing what) {
  if (!faulted_.event || faulted_.event->vector != kPf ||
      align_down(faulted_.event->cr2, kPageSize) != reference.page())
    return complain(reference, what, "no page fault there but " + describe(faulted_.event));
  const u32 code = faulted_.event->error_code;
  const bool system = (reference.lin >= kPagedGdt && reference.lin < kDataBase) ||
                      reference.page() >= kInnerStackAt - kPageSize;
  const bool wide = one_->state.efer[Efer::NXE];
  bool ok = bit(code, kCodePresent.position) == (what == Missing::kWritable);
  ok &= bit(code, kCodeUser.position) == (one_->state.cpl == 3 && !system);
  ok &= bit(code, kCodeWrite.position) == (reference.kind == mmu::AccessKind::kWrite);
  ok &= bit(code, kCodeFetch.position) == (wide && reference.kind == mmu::AccessKind::kFetch);
  ok &= bits(code, 31, 5) == 0 && !bit(code, 3);
  if (!ok) complain(reference, what, "wrong error code: " + describe(faulted_.event));
  check_operand(reference, what);
}

// The operand's pages: a written operand faults as a write at once, CR2 is its lowest byte there.
void FaultChecker::check_operand(const Reference& reference, Missing what) {
  const Event& event = *faulted_.event;
  const u64 first = one_->operand_lin, end = first + one_->operand_bytes;
  if (one_->operand_bytes == 0 || reference.page() + kPageSize <= first || reference.page() >= end)
    return;
  if (bit(event.error_code, kCodeWrite.position) != one_->operand_is_written)
    complain(reference, what, "operand's access kind: " + describe(event));
  if (one_->operand_is_one_access && event.cr2 != std::max(first, reference.page()))
    complain(reference, what, "not the operand's first byte on the page: " + describe(event));
}

void FaultChecker::check_unchanged(const Reference& reference, Missing what) {
  if (faulted_.state.rip != one_->rip && faulted_.state.rip != one_->state.rip)
    complain(reference, what, "RIP has moved");
  if (one_->makes_progress) return;
  CoreState expected = one_->state;
  expected.rip = faulted_.state.rip;
  std::string wrong = CoreImage(expected).differences(CoreImage(faulted_.state));
  const i64 at = PagedBench::first_difference(before_, faulted_.ram);
  if (at >= 0) wrong += "memory at " + std::to_string(at) + " has changed\n";
  if (bench_.port_accesses() != 0) wrong += "a port was accessed\n";
  if (!wrong.empty()) complain(reference, what, "not as before: " + wrong);
}

}  // namespace vtsim::cpu::test
