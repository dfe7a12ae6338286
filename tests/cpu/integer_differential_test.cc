// Everything that user mode can execute, but for vector and x87 instructions, against the host
// processor: the forms come from the instruction table, in 64-bit code, in 32-bit code and in
// 16-bit protected-mode code. Compared are all registers, flags, memory, the exception with its
// error code and CR2; encodings that do not exist must raise #UD on both sides.
//
// VTSIM_TEST_ITERATIONS=n makes n times as many cases, VTSIM_TEST_SEED=n other ones. A case that
// differs is shrunk and printed as a line for kept_cases.txt, which is run first.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <map>

#include "model/cpu/exec/groups.h"
#include "tests/cpu/differential/case_generator.h"
#include "tests/cpu/differential/comparison.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

u64 number_from_environment(const char* name, u64 otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

struct Group {
  const char* name;
  Rows (*rows)();
};
constexpr Group kGroups[] = {
    {"data transfer", data_transfer_rows},
    {"stack", stack_rows},
    {"conditional", conditional_rows},
    {"arithmetic", arithmetic_rows},
    {"logic", logic_rows},
    {"shift", shift_rows},
    {"multiply", multiply_rows},
    {"exchange", exchange_rows},
    {"bit", bit_rows},
    {"BMI and ADX", bmi_rows},
    {"decimal", bcd_rows},
    {"string", string_rows},
    {"flag control", flag_control_rows},
    {"miscellaneous", miscellaneous_rows},
    {"branch", branch_rows},
    {"interrupt flag", interrupt_flag_rows},
    {"interrupt", interrupt_rows},
    {"segment", segment_rows},
    {"descriptor table", descriptor_table_rows},
    {"system call", system_call_rows},
    {"control register", control_register_rows},
    {"processor", processor_rows},
    {"MSR and counter", msr_rows},
    {"I/O", io_rows},
    {"state save", state_save_rows},
    {"VMX", vmx_rows},  // outside VMX operation
};
constexpr const char* kUndefinedGroup = "undefined encodings";

std::string group_of(Mnemonic mnemonic) {
  for (const Group& group : kGroups)
    for (const InstructionRow& row : group.rows())
      if (row.mnemonic == mnemonic) return group.name;
  return kUndefinedGroup;
}

class Campaign {
 public:
  void replay(const std::string& path) {
    std::ifstream file(path);
    REQUIRE(file);
    for (std::string line; std::getline(file, line);) {
      if (line.empty() || line[0] == '#') continue;
      run(from_line(line), "kept");
    }
  }
  void run_forms(const std::vector<UserForm>& forms, u64 cases_of_each) {
    u64 index = 0;
    for (const UserForm& form : forms) {
      ++index;
      if (!comparison.native.obstacle(form.size).empty()) continue;
      CaseGenerator generator(seed * 1'000'003 + index, comparison.native.has_ldt());
      const std::string group = group_of(form.mnemonic);
      ++counts[group].forms;
      for (u64 n = 0; n < cases_of_each; ++n)
        if (const auto c = generator.next(form)) run(*c, group);
    }
  }
  std::string summary() const {
    std::string text;
    for (const auto& [name, count] : counts)
      text += "\n  " + name + ": " + std::to_string(count.forms) + " forms, " +
              std::to_string(count.cases) + " cases";
    return text;
  }

  const u64 seed = number_from_environment("VTSIM_TEST_SEED", 1);
  UserComparison comparison;
  u64 differences = 0;
  std::string report;

 private:
  void run(const UserCase& c, const std::string& group) {
    constexpr u64 kReported = 20;
    const u64 before = comparison.compared();
    const std::string difference = comparison.differs(c);
    counts[group].cases += comparison.compared() - before;
    if (difference.empty() || ++differences > kReported) return;
    const UserCase small =
        shrink(c, [this](const UserCase& other) { return !comparison.differs(other).empty(); });
    report += to_line(small) + "\n   " + comparison.differs(small) + "\n";
  }

  struct Count {
    u64 forms = 0, cases = 0;
  };
  std::map<std::string, Count> counts;
};

// Rows of the lists of known differences that nothing needs, on the processors they were made on.
void check_known_differences(const KnownDifferences& known) {
  if (!known.host_is_amd()) {
    WARN("the lists of known differences have been tried on AMD's processors only");
    return;
  }
  for (std::size_t n = 0; n < amd_differences().size(); ++n) {
    INFO(amd_differences()[n].name);
    CHECK(known.vendor_uses()[n] != 0);
  }
  for (std::size_t n = 0; n < undefined_flags().size(); ++n) {
    const UndefinedFlags& row = undefined_flags()[n];
    INFO(ZydisMnemonicGetString(row.mnemonic)
         << " flags " << row.flags << ": " << known.undefined_uses()[n] << " uses");
    CHECK((known.undefined_uses()[n] != 0) == row.differs_on_amd);
  }
}

}  // namespace

TEST_CASE("user instructions do what the host's do, in 64-, 32- and 16-bit code") {
  Campaign campaign;
  for (CodeSize size : {CodeSize::k64, CodeSize::k32, CodeSize::k16})
    if (const std::string& why = campaign.comparison.native.obstacle(size); !why.empty())
      WARN((size == CodeSize::k64   ? "64-bit"
            : size == CodeSize::k32 ? "32-bit"
                                    : "16-bit")
           << " code is skipped: " << why);
  if (!campaign.comparison.native.obstacle(CodeSize::k64).empty()) return;
  const u64 iterations = number_from_environment("VTSIM_TEST_ITERATIONS", 1);
  const UserForms forms;
  campaign.replay(VTSIM_TEST_DIR "/kept_cases.txt");
  campaign.run_forms(forms.all(), 2 * iterations);
  campaign.run_forms(forms.undefined(), iterations);
  WARN("seed " << campaign.seed << campaign.summary());
  if (!campaign.report.empty()) FAIL_CHECK(campaign.report);
  CHECK(campaign.differences == 0);
  check_known_differences(campaign.comparison.known);
}

TEST_CASE("a case that differs shrinks to what makes it differ") {
  UserCase c = from_line(
      "64 f3486601d8 rax=123456789 rbx=5 rcx=77 rip=20001080 flags=ad7 seed=9 "
      "[20005000:8]=12");
  const UserCase small = shrink(c, [](const UserCase& other) {
    return other.state.gpr[kRbx] != 0 && !other.bytes.empty() && other.bytes.back() == 0xD8;
  });
  CHECK(to_line(small) == "64 d8 rbx=5 rip=20001080 flags=202");
}

TEST_CASE("lines of cases are read as they were written") {
  const std::string line =
      "16 66f30f01 rcx=3 r15=ffffffffffffffff rip=1080 flags=302 cs=f ds=17 gsbase=20 seed=7 "
      "[20005001:2]=abcd";
  CHECK(to_line(from_line(line)) == line);
  CHECK_THROWS_AS(from_line("64 90 rxx=1"), std::invalid_argument);
  CHECK_THROWS_AS(from_line("63 90"), std::invalid_argument);
  CHECK_THROWS_AS(from_line("64 9"), std::invalid_argument);
  CHECK_THROWS_AS(from_line("64 90 rax=xyz"), std::invalid_argument);
}
