// One violation a rule from a valid VMCS; every rule has one, every one hits its rule first.

#include <catch2/catch.hpp>
#include <set>

#include "tests/vmx/valid_entries.h"
#include "tests/vmx/violations_controls.h"
#include "tests/vmx/violations_guest.h"
#include "tests/vmx/violations_host.h"
#include "tests/vmx/violations_segments.h"

namespace vtsim::vmx::test {
namespace {

std::vector<SpoiledSection> all_sections() {
  std::vector<SpoiledSection> all;
  for (const std::span<const SpoiledSection> part :
       std::initializer_list<std::span<const SpoiledSection>>{kSpoiledControls, kSpoiledHost,
                                                              kSpoiledGuest, kSpoiledSegments}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

// The rule that a row names; nothing where none or several begin so.
const EntryRule* named_rule(const SpoiledSection& section, std::string_view beginning) {
  const EntryRule* found = nullptr;
  for (const EntryRule& rule : entry_rules()) {
    if (rule.phase != section.phase || rule.section != section.section ||
        !rule.text.starts_with(beginning)) {
      continue;
    }
    if (found) return nullptr;
    found = &rule;
  }
  return found;
}

bool same_rule(const EntryRule& a, const EntryRule& b) {
  return a.phase == b.phase && a.section == b.section && a.text == b.text;
}

std::string describe(const std::optional<EntryReport>& report) {
  if (!report) return "accepted";
  std::ostringstream out;
  out << report->rule->section << ": " << report->rule->text << " ["
      << row_of(report->violation.field).name << " = " << std::hex << report->violation.value
      << ", bits " << report->violation.bits << "]";
  return out.str();
}

TEST_CASE("VM entry: the valid VMCS of each guest is accepted on every preset") {
  for (const char* name : kPresetNames) {
    for (const Preset& processor : {preset(name), preset(name).offered()}) {
      const bool unrestricted =
          processor.capabilities().secondary().may(Secondary::UNRESTRICTED_GUEST);
      for (const Guest guest : kGuests) {
        if (guest == Guest::kReal && !unrestricted) continue;
        Bench bench = make_bench(guest, processor);
        INFO(name << ", guest " << static_cast<int>(guest));
        CHECK(describe(first_failure(bench)) == "accepted");
      }
    }
  }
}

TEST_CASE("VM entry: a real-mode guest on a part without unrestricted guest is refused") {
  for (const char* processor : {"penryn", "nehalem"}) {
    Bench bench = make_bench(Guest::kReal, preset(processor));
    const auto report = first_failure(bench);
    REQUIRE(report);
    CHECK(report->rule->phase == EntryPhase::kControls);
    CHECK(report->violation.field == VmcsField::SECONDARY_CONTROLS);
  }
}

TEST_CASE("VM entry: each violation fails its rule first, and blames field and bits") {
  for (const SpoiledSection& section : all_sections()) {
    for (const SpoiledEntry& entry : section.entries) {
      const EntryRule* rule = named_rule(section, entry.rule);
      INFO(section.section << ": " << entry.rule << ", " << (&entry - section.entries.data()));
      REQUIRE(rule);
      Bench bench = make_bench(entry.guest);
      entry.spoil(bench);
      const auto report = first_failure(bench);
      INFO("found: " << describe(report));
      REQUIRE(report);
      CHECK(same_rule(*report->rule, *rule));
      CHECK(row_of(report->violation.field).name == row_of(entry.field).name);
      CHECK(report->violation.value == bench[entry.field]);
      CHECK(report->violation.bits == entry.bits);
    }
  }
}

TEST_CASE("VM entry: every rule has a violation") {
  std::set<std::string> violated;
  for (const SpoiledSection& section : all_sections()) {
    for (const SpoiledEntry& entry : section.entries) {
      if (const EntryRule* rule = named_rule(section, entry.rule))
        violated.insert(std::string(rule->section) + ": " + std::string(rule->text));
    }
  }
  std::set<std::string> rules;
  for (const EntryRule& rule : entry_rules()) {
    const std::string name = std::string(rule.section) + ": " + std::string(rule.text);
    INFO(name);
    CHECK(rules.insert(name).second);  // no rule stands twice
    CHECK(violated.contains(name));
  }
  CHECK(rules.size() == violated.size());
}

TEST_CASE("VM entry: rules stand in the manual's order of sections") {
  static constexpr std::string_view kOrder[] = {
      "VM-Execution Control Fields",
      "VM-Exit Control Fields",
      "VM-Entry Control Fields",
      "Checks on Host Control Registers, MSRs, and SSP",
      "Checks on Host Segment and Descriptor-Table Registers",
      "Checks Related to Address-Space Size",
      "Checks on Guest Control Registers, Debug Registers, and MSRs",
      "Checks on Guest Segment Registers",
      "Checks on Guest Descriptor-Table Registers",
      "Checks on Guest RIP, RFLAGS, and SSP",
      "Checks on Guest Non-Register State",
      "Checks on Guest Page-Directory-Pointer-Table Entries"};
  std::vector<std::string_view> sections;
  for (const EntryRule& rule : entry_rules()) {
    if (sections.empty() || sections.back() != rule.section) sections.push_back(rule.section);
  }
  CHECK(std::vector<std::string_view>(std::begin(kOrder), std::end(kOrder)) == sections);
}

TEST_CASE("VM entry: exit qualifications of invalid guest state") {
  for (const EntryRule& rule : entry_rules()) {
    INFO(rule.section << ": " << rule.text);
    u64 expected = 0;
    if (rule.section == "Checks on Guest Page-Directory-Pointer-Table Entries") expected = 2;
    if (rule.text == "no blocking by STI if an NMI is injected") expected = 3;
    if (rule.text.find("VMCS link pointer") != rule.text.npos) expected = 4;
    CHECK(rule.qualification == expected);
  }
}

void check_valid(std::span<const ValidEntry> entries) {
  for (const ValidEntry& entry : entries) {
    Bench bench = make_bench(entry.guest);
    entry.change(bench);
    INFO(entry.what);
    CHECK(describe(first_failure(bench)) == "accepted");
  }
}

TEST_CASE("VM entry: controls at the edge of their rules are accepted") {
  check_valid(valid_detail::kControls);
}
TEST_CASE("VM entry: host state at the edge of its rules is accepted") {
  check_valid(valid_detail::kHost);
}
TEST_CASE("VM entry: guest state at the edge of its rules is accepted") {
  check_valid(valid_detail::kGuest);
}

}  // namespace
}  // namespace vtsim::vmx::test
