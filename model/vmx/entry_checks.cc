#include "model/vmx/entry_checks.h"

#include <array>
#include <vector>

#include "model/vmx/entry_checks_internal.h"

namespace vtsim::vmx {

namespace {

using Tables = std::span<const std::span<const EntryRule>>;

std::optional<EntryReport> first_failure(const EntryContext& context, Tables tables) {
  for (const std::span<const EntryRule> rules : tables) {
    for (const EntryRule& rule : rules) {
      if (const std::optional<Violation> violation = rule.check(context)) [[unlikely]]
        return EntryReport{&rule, *violation};
    }
  }
  return std::nullopt;
}

}  // namespace

std::span<const EntryRule> entry_rules() {
  static const std::vector<EntryRule> all = [] {
    std::vector<EntryRule> rules;
    for (const auto table :
         {checks::control_rules(), checks::host_rules(), checks::guest_register_rules(),
          checks::guest_segment_rules(), checks::guest_other_rules()}) {
      rules.insert(rules.end(), table.begin(), table.end());
    }
    return rules;
  }();
  return all;
}

std::optional<EntryReport> check_entry(const EntryContext& context, EntryPhase phase) {
  switch (phase) {
    case EntryPhase::kControls:
      return first_failure(context, std::array{checks::control_rules()});
    case EntryPhase::kHostState:
      return first_failure(context, std::array{checks::host_rules()});
    case EntryPhase::kGuestState:
      break;
  }
  return first_failure(context,
                       std::array{checks::guest_register_rules(), checks::guest_segment_rules(),
                                  checks::guest_other_rules()});
}

}  // namespace vtsim::vmx
