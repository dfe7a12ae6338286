// Random VMCS contents, processors and memory: the rules against the oracle, section by section.
// VTSIM_VMX_CAMPAIGN sets the number of trials, VTSIM_VMX_SEED the seed.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/vmx/bench.h"
#include "tests/vmx/entry_oracle.h"

namespace vtsim::vmx::test {
namespace {

using F = VmcsField;

u64 environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

// One after the other, valid VMCSs with all that goes with their controls, and then some damage.
class Spoiler {
 public:
  explicit Spoiler(u64 seed) : random_(seed) {}

  Bench make() {
    const char* processor = kPresetNames[below(kPresetNames.size())];
    guest_ = kGuests[below(kGuests.size())];
    const bool unrestricted =
        preset(processor).capabilities().secondary().may(Secondary::UNRESTRICTED_GUEST);
    if (guest_ == Guest::kReal && !unrestricted && below(8)) guest_ = Guest::k32;
    Bench bench = make_bench(guest_, preset(processor));
    const u64 extras = below(5);
    for (u64 n = 0; n < extras; ++n) enrich(bench);
    const u64 faults = below(4);
    for (u64 n = 0; n < faults; ++n) damage(bench);
    return bench;
  }
  Guest guest() const { return guest_; }

 private:
  u64 below(u64 bound) { return random_() % bound; }
  u64 one_bit(unsigned width) { return u64{1} << below(width); }

  // ---- controls that go together; some fail on processors that lack them
  void enrich(Bench& b) {
    switch (below(14)) {
      case 0:
        b.primary(Primary::IO_BITMAPS, Primary::MSR_BITMAPS);
        break;
      case 1:
        b.pin(PinBased::NMI_EXITING, PinBased::VIRTUAL_NMIS);
        b.primary(Primary::NMI_WINDOW_EXITING);
        break;
      case 2:
        b.primary(Primary::TPR_SHADOW);
        b.set(F::TPR_THRESHOLD, below(6));
        break;
      case 3:
        b.pin(PinBased::EXTERNAL_INTERRUPT_EXITING, PinBased::POSTED_INTERRUPTS);
        b.primary(Primary::TPR_SHADOW);
        b.secondary(Secondary::APIC_REGISTER_VIRTUALIZATION, Secondary::VIRTUAL_INTERRUPT_DELIVERY,
                    below(2) ? Secondary::VIRTUALIZE_X2APIC : Secondary::VIRTUALIZE_APIC_ACCESSES);
        b.exit(ExitControls::ACKNOWLEDGE_INTERRUPT);
        break;
      case 4:
        b.secondary(Secondary::EPT, Secondary::VPID);
        break;
      case 5:
        b.secondary(Secondary::EPT, Secondary::UNRESTRICTED_GUEST);
        break;
      case 6:
        b.secondary(Secondary::EPT, Secondary::PML, Secondary::MODE_BASED_EXECUTE);
        break;
      case 7:
        b.secondary(Secondary::EPT, Secondary::VM_FUNCTIONS);
        b.set(F::VM_FUNCTION_CONTROLS, 1);
        break;
      case 8:
        b.secondary(Secondary::VMCS_SHADOWING);
        b.set(F::VMCS_LINK_POINTER, Bench::kShadow);
        break;
      case 9:
        b.secondary(Secondary::EPT_VIOLATION_VE, Secondary::TSC_SCALING);
        break;
      case 10:
        b.exit(ExitControls::LOAD_EFER, ExitControls::LOAD_PAT,
               ExitControls::LOAD_PERF_GLOBAL_CTRL);
        break;
      case 11:
        b.entry(EntryControls::LOAD_EFER, EntryControls::LOAD_PAT,
                EntryControls::LOAD_DEBUG_CONTROLS);
        break;
      case 12:
        for (const F count :
             {F::EXIT_MSR_STORE_COUNT, F::EXIT_MSR_LOAD_COUNT, F::ENTRY_MSR_LOAD_COUNT})
          b.set(count, below(8));
        break;
      default:
        inject(b);
        break;
    }
  }

  void inject(Bench& b) {
    static constexpr u32 kEvents[] = {0x030, 0x0FF, 0x202, 0x301, 0x306, 0xB0D, 0xB0E, 0x312,
                                      0x480, 0x501, 0x603, 0x700, 0x30D, 0x308, 0xB0B, 0x280};
    u32 event = kEvents[below(std::size(kEvents))];
    if (below(6) == 0) event = static_cast<u32>(below(0x1000));
    b.set(F::ENTRY_INTERRUPTION_INFO, 0x8000'0000 | event);
    b.set(F::ENTRY_INSTRUCTION_LENGTH, below(17));
    if (below(4) == 0) b.set(F::ENTRY_ERROR_CODE, one_bit(20));
  }

  // ---- damage
  void damage(Bench& b) {
    switch (below(13)) {
      case 0:
        flip_field(b);
        break;
      case 1:
        replace_field(b);
        break;
      case 2:
        flip_control(b);
        break;
      case 3:
        inject(b);
        break;
      case 4:
      case 5:
        change_segment(b);
        break;
      case 6:
        change_memory(b);
        break;
      case 7:
        change_processor(b);
        break;
      case 8:
        change_circumstances(b);
        break;
      case 9:
        change_activity(b);
        break;
      case 10:
        change_registers(b);
        break;
      case 11:
        change_tables(b);
        break;
      default:
        change_links(b);
        break;
    }
  }

  F any_field() { return static_cast<F>(below(kVmcsFieldCount)); }
  void flip_field(Bench& b) {
    const F field = any_field();
    b.set(field, b[field] ^ one_bit(64));
  }
  void replace_field(Bench& b) {
    const u64 values[] = {0,
                          1,
                          ~u64{0},
                          random_(),
                          u64{1} << 32,
                          u64{1} << 36,
                          u64{1} << 46,
                          u64{1} << 47,
                          u64{1} << 56,
                          u64{1} << 63,
                          0x00FF'8000'0000'0000,
                          ~u64{0} << 47,
                          ~u64{0} << 48,
                          0x1000,
                          b[any_field()],
                          below(64)};
    b.set(any_field(), values[below(std::size(values))]);
  }
  void flip_control(Bench& b) {
    static constexpr F kControls[] = {
        F::PIN_BASED_CONTROLS, F::PRIMARY_CONTROLS,   F::SECONDARY_CONTROLS,   F::EXIT_CONTROLS,
        F::ENTRY_CONTROLS,     F::SECONDARY_CONTROLS, F::VM_FUNCTION_CONTROLS, F::EPT_POINTER};
    const F field = kControls[below(std::size(kControls))];
    b.set(field, b[field] ^ one_bit(field == F::PIN_BASED_CONTROLS ? 8 : 28));
    if (field == F::SECONDARY_CONTROLS) b.primary(Primary::SECONDARY_CONTROLS);
  }
  void change_segment(Bench& b) {
    const unsigned n = static_cast<unsigned>(below(8));
    const F rights = F::GUEST_ES_RIGHTS + n;
    switch (below(9)) {
      case 0:
        b.set(rights, (b[rights] & ~u64{15}) | below(16));
        break;
      case 1:
        b.set(rights, (b[rights] & ~u64{0x60}) | below(4) << 5);
        break;
      case 2:
        b.set(rights, b[rights] ^ one_bit(18));
        break;
      case 3:
        b.set(rights, b[rights] | 0x1'0000);
        break;
      case 4:
        b.set(F::GUEST_ES_SELECTOR + n, (b[F::GUEST_ES_SELECTOR + n] & ~u64{7}) | below(8));
        break;
      case 5:
        b.set(F::GUEST_ES_LIMIT + n, b[F::GUEST_ES_LIMIT + n] ^ one_bit(32));
        break;
      case 6:
        b.set(F::GUEST_ES_LIMIT + n, below(2) ? below(0x20'0000) : below(0x800) << 21 | 0xFFF);
        break;
      case 7:
        b.set(F::GUEST_ES_BASE + n, b[F::GUEST_ES_BASE + n] ^ one_bit(64));
        break;
      default:  // a consistent privilege level
        b.set(F::GUEST_CS_SELECTOR, b[F::GUEST_CS_SELECTOR] | 3);
        b.set(F::GUEST_SS_SELECTOR, b[F::GUEST_SS_SELECTOR] | 3);
        b.set(F::GUEST_CS_RIGHTS, b[F::GUEST_CS_RIGHTS] | 0x60);
        b.set(F::GUEST_SS_RIGHTS, b[F::GUEST_SS_RIGHTS] | 0x60);
    }
  }
  void change_memory(Bench& b) {
    switch (below(4)) {
      case 0:
        b.ram.put32(Bench::kVirtualApic + 0x80, static_cast<u32>(random_()));
        break;
      case 1:
        b.ram.put64(Bench::kGuestCr3 + 8 * below(4), 0xE001 ^ one_bit(64));
        break;
      case 2:
        b.set(F::GUEST_PDPTE0 + static_cast<unsigned>(below(4)), 0xE001 ^ one_bit(64));
        break;
      default:
        b.ram.put32(below(2) ? Bench::kShadow : Bench::kOrdinary,
                    b.processor.capabilities().revision() ^ static_cast<u32>(one_bit(32)));
    }
  }
  void change_processor(Bench& b) {
    if (below(2)) {
      u64& value = b.processor.silicon[below(b.processor.silicon.size())].value;
      value ^= one_bit(64);
      return;
    }
    switch (below(4)) {
      case 0:
        b.processor.linear_width = below(2) ? 48 : 57;
        break;
      case 1:
        b.processor.physical_width = 36 + static_cast<unsigned>(below(17));
        break;
      case 2:
        b.give(CapabilityMsr::kBasic, u64{1} << (below(2) ? 48 : 56));
        break;
      default:
        b.take(CapabilityMsr::kMisc, u64{1} << (below(2) ? 30 : 6 + below(3)));
        break;
    }
  }
  void change_circumstances(Bench& b) {
    switch (below(5)) {
      case 0:
        b.ia32e_host = !b.ia32e_host;
        break;
      case 1:
        b.in_smm = true;
        if (below(2)) b.entry(EntryControls::ENTRY_TO_SMM);
        if (below(4) == 0) b.entry(EntryControls::DEACTIVATE_DUAL_MONITOR);
        if (below(2)) b.or_in(F::GUEST_INTERRUPTIBILITY, 4);
        break;
      case 2:
        b.rtm = true;
        b.set(F::GUEST_PENDING_DEBUG, 0x1'1000);
        break;
      case 3:
        b.sgx = true;
        b.or_in(F::GUEST_INTERRUPTIBILITY, 0x10);
        break;
      default:
        b.exit(ExitControls::HOST_ADDRESS_SPACE_SIZE);
        break;
    }
  }
  void change_activity(Bench& b) {
    switch (below(4)) {
      case 0:
        b.set(F::GUEST_ACTIVITY_STATE, below(5));
        break;
      case 1:
        b.set(F::GUEST_INTERRUPTIBILITY, below(5) ? one_bit(5) : below(32));
        break;
      case 2:
        b.set(F::GUEST_PENDING_DEBUG, b[F::GUEST_PENDING_DEBUG] ^ one_bit(18));
        break;
      default:
        b.set(F::GUEST_PENDING_DEBUG, below(2) ? 0x4000 : 0x1'1000);
        break;
    }
  }
  void change_registers(Bench& b) {
    static constexpr u64 kFlags[] = {0x2, 0x100, 0x200, 0x300, 0x2'0000, 0x4000};
    switch (below(8)) {
      case 0:
      case 1:
        b.set(F::GUEST_RFLAGS, b[F::GUEST_RFLAGS] ^ kFlags[below(std::size(kFlags))]);
        break;
      case 2:
        b.set(F::GUEST_CR0, b[F::GUEST_CR0] ^ (below(2) ? 0x8000'0001 : one_bit(32)));
        break;
      case 3:
        b.set(F::GUEST_CR4, b[F::GUEST_CR4] ^ one_bit(24));
        break;
      case 4:
        b.set(F::GUEST_EFER, b[F::GUEST_EFER] ^ (below(2) ? 0x500 : one_bit(12)));
        break;
      case 5:
        b.set(F::GUEST_DEBUGCTL, below(8));
        break;
      case 6:
        b.set(F::HOST_CR4, b[F::HOST_CR4] ^ one_bit(24));
        break;
      default:
        b.set(F::HOST_CR0, b[F::HOST_CR0] ^ one_bit(32));
        break;
    }
  }
  void change_tables(Bench& b) {
    if (guest_ == Guest::kPae) {
      const unsigned n = static_cast<unsigned>(below(4));
      const u64 pdpte = 0xE001 ^ one_bit(64);
      b.set(F::GUEST_PDPTE0 + n, pdpte);
      b.ram.put64(Bench::kGuestCr3 + 8 * n, pdpte);
      return;
    }
    static constexpr F kFields[] = {F::GUEST_GDTR_BASE, F::GUEST_IDTR_BASE, F::GUEST_GDTR_LIMIT,
                                    F::GUEST_IDTR_LIMIT};
    const F field = kFields[below(std::size(kFields))];
    b.set(field, b[field] ^ one_bit(64));
  }
  void change_links(Bench& b) {
    const u64 kPointers[] = {~u64{0},          Bench::kCurrent, Bench::kShadow,
                             Bench::kOrdinary, Bench::kHostCr3, Bench::kShadow + below(0x1000)};
    b.set(F::VMCS_LINK_POINTER, kPointers[below(std::size(kPointers))]);
    b.set(F::EXECUTIVE_VMCS_POINTER, kPointers[below(std::size(kPointers))]);
  }

  std::mt19937_64 random_;
  Guest guest_ = Guest::k64;
};

std::string differences(const Bench& bench, Guest guest) {
  std::ostringstream out;
  out << bench.processor.name << ", guest " << static_cast<int>(guest) << ", widths "
      << bench.processor.physical_width << ' ' << bench.processor.linear_width << ", IA-32e host "
      << bench.ia32e_host << ", SMM " << bench.in_smm << ", RTM " << bench.rtm << ", SGX "
      << bench.sgx << std::hex;
  const Bench valid = make_bench(guest, preset(bench.processor.name));
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) {
    const F field = static_cast<F>(n);
    if (bench[field] != valid[field])
      out << '\n' << row_of(field).name << " = " << bench[field] << " instead of " << valid[field];
  }
  return out.str();
}

TEST_CASE("VM entry: the rules and an independent oracle agree on random VMCSs") {
  const u64 seed = environment("VTSIM_VMX_SEED", 20261122);
  const u64 trials = environment("VTSIM_VMX_CAMPAIGN", 200'000);
  INFO("VTSIM_VMX_SEED=" << seed);
  Spoiler spoiler(seed);
  std::map<std::string_view, u64> seen;
  std::set<const EntryRule*> rules;
  for (u64 trial = 0; trial < trials; ++trial) {
    Bench bench = spoiler.make();
    const std::optional<EntryReport> report = first_failure(bench);
    const Capabilities capabilities = bench.processor.capabilities();
    const std::string_view want = EntryOracle(bench.context(capabilities)).failing_section();
    const std::string_view got = report ? report->rule->section : std::string_view{};
    if (got != want) {
      INFO("trial " << trial << ": " << differences(bench, spoiler.guest()));
      INFO("rule: " << (report ? report->rule->text : "none"));
      REQUIRE(got == want);
    }
    ++seen[got];
    if (report) rules.insert(report->rule);
  }
  CHECK(seen.size() == 13);  // every section, and success
  for (const auto& [section, count] : seen) {
    INFO(section << ": " << count);
    CHECK(count * 500 > trials);
  }
  INFO(rules.size() << " of " << entry_rules().size() << " rules");
  CHECK(rules.size() * 100 > entry_rules().size() * 95);
}

}  // namespace
}  // namespace vtsim::vmx::test
