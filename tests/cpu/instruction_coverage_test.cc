// Every row of the instruction table is compared with the host processor by one of three suites, or
// is in the list of what is tested elsewhere.

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/cpu/differential/comparison.h"
#include "tests/cpu/differential/user_forms.h"
#include "tests/cpu/vector_forms.h"
#include "tests/cpu/x87_forms.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

struct TestedElsewhere {
  Mnemonic mnemonic;
  const char* test;  // a file of this folder, which names the instruction
};
constexpr TestedElsewhere kTestedElsewhere[] = {
    {ZYDIS_MNEMONIC_RCPPS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_RCPSS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_RSQRTPS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_RSQRTSS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_VRCPPS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_VRCPSS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_VRSQRTPS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_VRSQRTSS, "vector_approximation_test.cc"},
    {ZYDIS_MNEMONIC_F2XM1, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FYL2X, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FYL2XP1, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FPATAN, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FSIN, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FCOS, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FSINCOS, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FPTAN, "x87_transcendental_test.cc"},
    {ZYDIS_MNEMONIC_FBLD, "x87_environment_test.cc"},
    {ZYDIS_MNEMONIC_FWAIT, "x87_environment_test.cc"},
    {ZYDIS_MNEMONIC_FNSTENV, "x87_environment_test.cc"},
    {ZYDIS_MNEMONIC_FLDENV, "x87_environment_test.cc"},
    {ZYDIS_MNEMONIC_FNSAVE, "x87_environment_test.cc"},
    {ZYDIS_MNEMONIC_FRSTOR, "x87_environment_test.cc"},
    {ZYDIS_MNEMONIC_CPUID, "cpuid_test.cc"},
    {ZYDIS_MNEMONIC_SYSCALL, "system_test.cc"},
    {ZYDIS_MNEMONIC_SYSENTER, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_VMCALL, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDRAND, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDSEED, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_SLDT, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_STR, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_SGDT, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_SIDT, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_SMSW, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XGETBV, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDPKRU, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_WRPKRU, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDTSC, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDTSCP, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDPMC, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_RDPID, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_LDMXCSR, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_VLDMXCSR, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_VSTMXCSR, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_FXSAVE, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_FXSAVE64, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_FXRSTOR, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_FXRSTOR64, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XSAVE, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XSAVE64, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XSAVEOPT, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XSAVEOPT64, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XSAVEC, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XSAVEC64, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XRSTOR, "processor_state_test.cc"},
    {ZYDIS_MNEMONIC_XRSTOR64, "processor_state_test.cc"},
};

std::set<Mnemonic> compared_with_the_host() {
  std::set<Mnemonic> covered;
  const UserForms user_forms;
  const VectorForms vector_forms;
  for (const UserForm& form : user_forms.all()) {
    Decoded in{};
    in.ins.mnemonic = form.mnemonic;
    if (reason_not_to_run(in).empty()) covered.insert(form.mnemonic);
  }
  for (const VectorForm& form : vector_forms.all())
    if (!is_approximation(form.mnemonic)) covered.insert(form.mnemonic);
  for (unsigned first = 0xD8; first <= 0xDF; ++first)
    for (unsigned modrm = 0; modrm < 256; ++modrm) {
      const auto mnemonic = x87_instruction(static_cast<u8>(first), static_cast<u8>(modrm));
      if (mnemonic && is_exact_x87(static_cast<u8>(first), static_cast<u8>(modrm)))
        covered.insert(*mnemonic);
    }
  return covered;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

}  // namespace

TEST_CASE("every row of the instruction table is tested") {
  const std::set<Mnemonic> covered = compared_with_the_host();
  std::set<Mnemonic> elsewhere;
  for (const TestedElsewhere& entry : kTestedElsewhere) {
    const std::string name = upper(ZydisMnemonicGetString(entry.mnemonic));
    INFO(name << " in " << entry.test);
    CHECK(covered.count(entry.mnemonic) == 0);  // else the entry is superfluous
    CHECK(find_row(entry.mnemonic) != nullptr);
    CHECK(elsewhere.insert(entry.mnemonic).second);
    std::ifstream file(std::string(VTSIM_TEST_DIR "/") + entry.test);
    std::stringstream text;
    text << file.rdbuf();
    CHECK(upper(text.str()).find(name) != std::string::npos);
  }
  for (const InstructionRow& row : all_rows()) {
    const char* const name = ZydisMnemonicGetString(row.mnemonic);
    INFO((name != nullptr ? name : "MOVSD or CMPSD"));
    CHECK((covered.count(row.mnemonic) != 0 || elsewhere.count(row.mnemonic) != 0));
  }
}
