// SDM 3D "Field Encoding in VMCS", SDM 3C "Virtual Machine Control Structures"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "tests/vmx/presets.h"

namespace vtsim::vmx::test {
namespace {

using F = VmcsField;

const VmcsFieldRow& row(F field) { return row_of(field); }
bool has(const char* processor, F field) {
  return preset(processor).capabilities().has_field(row_of(field));
}

TEST_CASE("VMCS fields: every encoding of 16 bits names its field or none") {
  std::map<u64, unsigned> known;
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) known[kVmcsFields[n].encoding] = n;
  for (u64 encoding = 0; encoding < 0x1'0000; ++encoding) {
    const u64 full = encoding & ~u64{1};
    const bool high = encoding & 1;
    const bool is_64_bit = (encoding & 0x6000) == 0x2000;
    const bool exists = known.contains(full) && (!high || is_64_bit);
    const std::optional<FieldReference> found = find_field(encoding);
    INFO(std::hex << encoding);
    REQUIRE(found.has_value() == exists);
    if (!found) continue;
    REQUIRE(static_cast<unsigned>(found->field) == known[full]);
    REQUIRE(found->high == high);
  }
}

TEST_CASE("VMCS fields: bits 63:15 and bit 12 of an encoding are 0") {
  for (const VmcsFieldRow& field : kVmcsFields) {
    for (unsigned n = 15; n < 64; ++n) CHECK_FALSE(find_field(field.encoding | u64{1} << n));
    CHECK_FALSE(find_field(field.encoding | 0x1000));
  }
}

TEST_CASE("VMCS fields: gaps name nothing") {
  for (const u64 gap :
       {0x0006, 0x0814, 0x0C0E, 0x202E, 0x2030, 0x2034, 0x2402, 0x2812, 0x2C06, 0x4024, 0x4410,
        0x482C, 0x4830, 0x4C02, 0x6010, 0x640C, 0x6828, 0x6C18, 0x0400})
    CHECK_FALSE(find_field(gap));
}

TEST_CASE("VMCS fields: encodings as the manual's tables give them") {
  // A sample of each width and class.
  static constexpr std::pair<u64, F> kSample[] = {{0x0000, F::VPID},
                                                  {0x0810, F::GUEST_INTERRUPT_STATUS},
                                                  {0x0C0C, F::HOST_TR_SELECTOR},
                                                  {0x2000, F::IO_BITMAP_A},
                                                  {0x200E, F::PML_ADDRESS},
                                                  {0x201A, F::EPT_POINTER},
                                                  {0x2032, F::TSC_MULTIPLIER},
                                                  {0x2400, F::GUEST_PHYSICAL_ADDRESS},
                                                  {0x2800, F::VMCS_LINK_POINTER},
                                                  {0x2C02, F::HOST_EFER},
                                                  {0x4000, F::PIN_BASED_CONTROLS},
                                                  {0x401E, F::SECONDARY_CONTROLS},
                                                  {0x4400, F::INSTRUCTION_ERROR},
                                                  {0x440E, F::EXIT_INSTRUCTION_INFO},
                                                  {0x4826, F::GUEST_ACTIVITY_STATE},
                                                  {0x482E, F::PREEMPTION_TIMER_VALUE},
                                                  {0x4C00, F::HOST_SYSENTER_CS},
                                                  {0x6000, F::CR0_MASK},
                                                  {0x6400, F::EXIT_QUALIFICATION},
                                                  {0x640A, F::GUEST_LINEAR_ADDRESS},
                                                  {0x6800, F::GUEST_CR0},
                                                  {0x681E, F::GUEST_RIP},
                                                  {0x6826, F::GUEST_SYSENTER_EIP},
                                                  {0x6C00, F::HOST_CR0},
                                                  {0x6C16, F::HOST_RIP}};
  for (const auto& [encoding, field] : kSample) CHECK(row(field).encoding == encoding);
}

TEST_CASE("VMCS fields: width, class and index follow from the encoding") {
  CHECK(row(F::VPID).width() == FieldWidth::k16);
  CHECK(row(F::EPT_POINTER).width() == FieldWidth::k64);
  CHECK(row(F::EXIT_REASON).width() == FieldWidth::k32);
  CHECK(row(F::HOST_RIP).width() == FieldWidth::kNatural);
  CHECK(row(F::CR0_MASK).type() == FieldClass::kControl);
  CHECK(row(F::EXIT_REASON).type() == FieldClass::kReadOnly);
  CHECK(row(F::GUEST_RIP).type() == FieldClass::kGuest);
  CHECK(row(F::HOST_RIP).type() == FieldClass::kHost);
  CHECK(row(F::GUEST_RIP).index() == 15);
  CHECK(row(F::TSC_MULTIPLIER).index() == 25);
}

TEST_CASE("VMCS: a field keeps the bits of its width") {
  static constexpr u64 kMask[] = {0xFFFF, ~u64{0}, 0xFFFF'FFFF, ~u64{0}};
  Vmcs vmcs;
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) vmcs.set(static_cast<F>(n), ~u64{0});
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) {
    INFO(kVmcsFields[n].name);
    CHECK(vmcs[static_cast<F>(n)] == kMask[kVmcsFields[n].encoding >> 13 & 3]);
  }
}

TEST_CASE("VMCS: secondary controls count as 0 until they are activated") {
  Vmcs vmcs;
  vmcs.set(F::SECONDARY_CONTROLS, 0xFF);
  CHECK(vmcs.secondary().value == 0);
  vmcs.set(F::PRIMARY_CONTROLS, 0x8000'0000);
  CHECK(vmcs.secondary().value == 0xFF);
}

TEST_CASE("VMCS region: each field has bytes of its own, within what IA32_VMX_BASIC reports") {
  std::set<u32> taken;
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) {
    const u32 offset = VmcsRegion::offset_of(static_cast<F>(n));
    INFO(kVmcsFields[n].name);
    CHECK(offset % kVmcsFields[n].bytes() == 0);
    for (u32 byte = offset; byte < offset + kVmcsFields[n].bytes(); ++byte)
      CHECK(taken.insert(byte).second);
  }
  CHECK(*taken.begin() >= VmcsRegion::kFieldsOffset);
  for (const char* processor : kPresetNames)
    CHECK(*taken.rbegin() <
          preset(processor).capabilities().basic()[BasicInformation::REGION_BYTES]);
}

TEST_CASE("VMCS region: what is written is what is read, each field at its offset") {
  std::mt19937_64 random(4);
  Vmcs vmcs;
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) vmcs.set(static_cast<F>(n), random());
  const Vmcs::Image image = vmcs.image();
  Vmcs read;
  read.load(image);
  for (unsigned n = 0; n < kVmcsFieldCount; ++n) {
    const F field = static_cast<F>(n);
    u64 at_offset = 0;
    std::memcpy(&at_offset, &image[VmcsRegion::offset_of(field) - VmcsRegion::kFieldsOffset],
                kVmcsFields[n].bytes());
    INFO(kVmcsFields[n].name);
    CHECK(read[field] == vmcs[field]);
    CHECK(at_offset == vmcs[field]);
  }
}

// ---- what each preset has
TEST_CASE(
    "VMCS fields: the silicon of Penryn has TPR shadow and no EPT, VPID, EFER, PAT or preemption "
    "timer") {
  for (const F field : {F::VIRTUAL_APIC_ADDRESS, F::TPR_THRESHOLD, F::APIC_ACCESS_ADDRESS,
                        F::MSR_BITMAP, F::IO_BITMAP_A, F::SECONDARY_CONTROLS, F::GUEST_RIP}) {
    INFO(row(field).name);
    CHECK(has("penryn", field));
  }
  for (const F field :
       {F::EPT_POINTER, F::GUEST_PHYSICAL_ADDRESS, F::GUEST_PDPTE0, F::GUEST_PDPTE3, F::VPID,
        F::PREEMPTION_TIMER_VALUE, F::POSTED_INTERRUPT_VECTOR, F::VM_FUNCTION_CONTROLS,
        F::EPTP_LIST_ADDRESS, F::VMREAD_BITMAP, F::PML_INDEX, F::TSC_MULTIPLIER,
        F::XSS_EXITING_BITMAP, F::EOI_EXIT_BITMAP_3, F::GUEST_INTERRUPT_STATUS, F::PLE_GAP,
        F::GUEST_EFER, F::HOST_EFER}) {
    INFO(row(field).name);
    CHECK_FALSE(has("penryn", field));
  }
}

TEST_CASE("VMCS fields: Nehalem adds EPT, VPID, EFER, PAT and the preemption timer") {
  for (const F field : {F::EPT_POINTER, F::GUEST_PHYSICAL_ADDRESS, F::GUEST_PDPTE2, F::VPID,
                        F::PREEMPTION_TIMER_VALUE, F::GUEST_EFER, F::HOST_PAT}) {
    INFO(row(field).name);
    CHECK(has("nehalem", field));
  }
  for (const F field : {F::GUEST_INTERRUPT_STATUS, F::POSTED_INTERRUPT_DESCRIPTOR, F::PLE_WINDOW,
                        F::VM_FUNCTION_CONTROLS, F::VMWRITE_BITMAP, F::EPTP_INDEX}) {
    INFO(row(field).name);
    CHECK_FALSE(has("nehalem", field));
  }
}

TEST_CASE("VMCS fields: Haswell adds APIC virtualization, VM functions, shadowing") {
  for (const F field :
       {F::GUEST_INTERRUPT_STATUS, F::EOI_EXIT_BITMAP_0, F::POSTED_INTERRUPT_DESCRIPTOR, F::PLE_GAP,
        F::VM_FUNCTION_CONTROLS, F::EPTP_LIST_ADDRESS, F::VMREAD_BITMAP}) {
    INFO(row(field).name);
    CHECK(has("haswell", field));
  }
  for (const F field : {F::PML_ADDRESS, F::PML_INDEX, F::TSC_MULTIPLIER, F::XSS_EXITING_BITMAP,
                        F::VE_INFORMATION_ADDRESS, F::EPTP_INDEX}) {
    INFO(row(field).name);
    CHECK_FALSE(has("haswell", field));
  }
}

TEST_CASE("VMCS fields: Skylake-SP and Ice Lake-SP have them all") {
  for (const char* processor : {"skylake-sp", "icelake-sp"}) {
    for (const VmcsFieldRow& field : kVmcsFields) {
      INFO(processor << ' ' << field.name);
      CHECK(preset(processor).capabilities().has_field(field));
    }
  }
}

TEST_CASE("VMCS fields: a processor without VMX has only those without a gate") {
  const Capabilities none;
  CHECK_FALSE(none.present());
  for (const VmcsFieldRow& field : kVmcsFields)
    CHECK(none.has_field(field) == (field.gate == FieldGate::kAlways));
}

// ---- what is offered of the silicon
TEST_CASE("VMX capabilities: what is not modelled is not offered") {
  for (const char* processor : kPresetNames) {
    const Capabilities c = preset(processor).offered().capabilities();
    INFO(processor);
    CHECK(c.present());
    CHECK_FALSE(c.basic()[BasicInformation::DUAL_MONITOR]);
    for (const Flag control : {Secondary::ENCLS_EXITING, Secondary::PT_GUEST_PHYSICAL,
                               Secondary::CONCEAL_FROM_PT, Secondary::SUB_PAGE_PERMISSIONS})
      CHECK_FALSE(c.secondary().may(control));
    CHECK_FALSE(c.entry().may(EntryControls::LOAD_BNDCFGS));
    CHECK_FALSE(c.exit().may(ExitControls::CLEAR_BNDCFGS));
    CHECK_FALSE(c.misc()[MiscData::PT_IN_VMX]);
    CHECK((c[CapabilityMsr::kVmFunc] & ~u64{1}) == 0);
  }
}

TEST_CASE("VMX capabilities: what must be 1 may be 1, of the silicon and of what is offered") {
  for (const char* processor : kPresetNames) {
    for (const Preset& part : {preset(processor), preset(processor).offered()}) {
      const Capabilities c = part.capabilities();
      for (const AllowedSettings& each :
           {c.pin(), c.primary(), c.secondary(), c.exit(), c.entry()}) {
        INFO(processor);
        CHECK((each.must_be_1 & ~each.may_be_1) == 0);
        CHECK(each.violations(each.must_be_1) == 0);
        CHECK(each.violations(each.may_be_1) == 0);
      }
    }
  }
}

TEST_CASE("VMX capabilities: RDMSR reads what the part has and faults on the rest") {
  u64 value = 0;
  const Capabilities penryn = preset("penryn").capabilities();
  CHECK(penryn.read(0x480, value));
  CHECK((value & 0x7FFF'FFFF) == 0xD);
  CHECK(penryn.read(0x48B, value));
  CHECK(value == 0x0000'0041'0000'0000);
  for (u32 msr = 0x48C; msr <= 0x491; ++msr) CHECK_FALSE(penryn.read(msr, value));
  CHECK_FALSE(penryn.read(0x47F, value));
  CHECK_FALSE(penryn.read(0x492, value));
  CHECK(preset("nehalem").capabilities().read(0x48C, value));
  CHECK_FALSE(preset("nehalem").capabilities().read(0x491, value));
  CHECK(preset("haswell").capabilities().read(0x491, value));
}

TEST_CASE("VMX capabilities: TRUE registers count where there are some") {
  CHECK(preset("penryn").capabilities().exit().must_be_1 == 0x36DFF);
  CHECK(preset("haswell").capabilities().exit().must_be_1 == 0x36DFB);
}

TEST_CASE("VMX capabilities: CR4 bits that the processor lacks are not allowed") {
  const Preset icelake = preset("icelake-sp");
  const Capabilities c(icelake.silicon, ~u64{0x1000});
  CHECK(c.cr4_violations(0x3020) == 0x1000);
  CHECK(c.cr4_violations(0x0020) == 0x2000);
  CHECK(c.cr0_violations(0x8000'0021) == 0);
  CHECK(c.cr0_violations(0x1'0000'0000) == 0x1'8000'0021);
}

}  // namespace
}  // namespace vtsim::vmx::test
