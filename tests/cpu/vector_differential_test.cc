// Vector instructions against the host processor: every encoding of every row, on registers and
// memory, with random and extreme operands, under many settings of MXCSR. Compared are all
// registers, memory, flags, the x87 state and the exception.
//
// Known differences between processors: the model does what Intel's manual says, hosts may differ.
//   RCPPS, RCPSS, RSQRTPS, RSQRTSS  approximations; see vector_approximation_test.cc. Not compared.
//   instructions on MMX registers   AMD's switch to MMX state (TOP, tags) even if they raise #XM or
//                                   #PF then. The x87 state is not compared after exceptions.
//   CVTPI2PS from memory            does not switch to MMX state on AMD's. The same.
//   MASKMOVQ, MASKMOVDQU            AMD's check bytes that the mask leaves out. Not run at page
//   ends. gathers that fault              AMD's leave the masks of elements behind the fault as
//   they were,
//                                   the manual makes them all ones or zeros. Only signs are
//                                   compared.
//   SHA with misaligned memory      AMD's allow it, the manual has #GP (exceptions type 4). Not
//   run.

#include <catch2/catch.hpp>
#include <cstdio>
#include <random>
#include <set>

#include "tests/cpu/bare_machine.h"
#include "tests/cpu/native_vector.h"
#include "tests/cpu/vector_forms.h"

using namespace vtsim;
using namespace vtsim::cpu;
using namespace vtsim::cpu::test;

namespace {

constexpr u64 kCode = 0x10000, kHandlers = 0x12000, kStack = 0x20000;
constexpr u64 kMiddle = 1024;  // of the page of data: where memory operands lie

// The simulated side: exceptions end at kHandlers + 16 * vector.
class SimulatedVector : public BareMachine {
 public:
  SimulatedVector() {
    enter_long_mode();
    const u64 gdt[3] = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF};
    put(0x6000, gdt, sizeof gdt);
    const u8 hlt = 0xF4;
    for (u64 n = 0; n < 32; ++n) {
      const u64 target = kHandlers + 16 * n;
      const u64 gate[2] = {(target & 0xFFFF) | 8u << 16 | u64{0x8E00} << 32 | (target >> 16) << 48,
                           0};
      put(0x5000 + 16 * n, gate, 16);
      put(target, &hlt, 1);
    }
    // The data lies on one page of 4 KBytes between pages that are not present.
    const u64 pde = 0x7007, pte = NativeVector::kData | 7;
    put(0x3000 + 8 * (NativeVector::kData >> 21), &pde, 8);
    put(0x7000 + 8 * (NativeVector::kData >> 12 & 511), &pte, 8);
    state().idtr = {0x5000, 0xFFF};
    state().gdtr = {0x6000, 23};
  }
  void load(std::span<const u8> instruction) {
    std::vector<u8> bytes(instruction.begin(), instruction.end());
    bytes.push_back(0xF4);
    put(kCode, bytes.data(), bytes.size());
    length_ = instruction.size();
  }
  VectorMachineState run_one(const VectorMachineState& before) {
    CoreState& s = state();
    for (unsigned n = 0; n < 16; ++n) std::memcpy(s.vector.reg[n], before.vector[n].data(), 32);
    for (unsigned n = 0; n < 8; ++n) std::memcpy(s.x87.reg[n], before.x87[n].data(), 10);
    s.vector.mxcsr = before.mxcsr;
    s.x87.status = before.x87_status;
    s.x87.empty = static_cast<u8>(~before.x87_valid);
    for (unsigned n : kComparedGprs) s.gpr[n] = before.gpr[n];
    s.gpr[kRsp] = kStack;
    set_arithmetic_flags(s.lazy, before.flags);
    s.rip = kCode;
    s.activity = Activity::kActive;
    run(4);
    VectorMachineState after;
    for (unsigned n = 0; n < 16; ++n) std::memcpy(after.vector[n].data(), s.vector.reg[n], 32);
    for (unsigned n = 0; n < 8; ++n) std::memcpy(after.x87[n].data(), s.x87.reg[n], 10);
    after.mxcsr = s.vector.mxcsr;
    after.x87_status = s.x87.status;
    after.x87_valid = static_cast<u8>(~s.x87.empty);
    for (unsigned n : kComparedGprs) after.gpr[n] = s.gpr[n];
    after.flags = (read_rflags(s) & Rflags::kArithmetic) | 2;
    after.vector_raised = s.rip == kCode + length_ + 1 ? -1
                          : s.activity == Activity::kHalted
                              ? static_cast<int>((s.rip - kHandlers) / 16)
                              : 999;
    return after;
  }

 private:
  u64 length_ = 0;
};

// ---- operands

class Operands {
 public:
  explicit Operands(u64 seed) : random_(seed) {}
  u64 number() { return random_(); }
  u64 below(u64 n) { return random_() % n; }

  void fill(u8* bytes, std::size_t size) {
    switch (below(6)) {
      case 0:
        fill_with<u64>(bytes, size, [&] { return number(); });
        break;
      case 1:
      case 2:
        fill_with<u32>(bytes, size, [&] { return single(); });
        break;
      case 3:
      case 4:
        fill_with<u64>(bytes, size, [&] { return double_value(); });
        break;
      default:
        fill_with<u8>(bytes, size, [&] { return small(); });
        break;
    }
  }

  u32 single() {
    static constexpr u32 kValues[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F7FFFFF,
                                      0xFF7FFFFF, 0x00800000, 0x80800000, 1,          0x80000001,
                                      0x007FFFFF, 0x7F800000, 0xFF800000, 0x7FC00001, 0xFFC12345,
                                      0x7F800001, 0xFFA00000, 0x4F000000, 0xCF000000, 0x4EFFFFFF,
                                      0x5F000000, 0x477FF000, 0x477FEFFF, 0x33000000, 0x38800000,
                                      0x387FE000, 0x3F000000, 0x3FC00000, 0x40200000, 0x3F7FFFFF};
    switch (below(4)) {
      case 0:
        return kValues[below(std::size(kValues))];
      case 1:
        return static_cast<u32>(number());
      case 2:
        return static_cast<u32>((number() & 0x80FFFFFF) | (60 + below(40)) << 24);  // moderate
      default:
        return static_cast<u32>((number() & 0x807FFFFF) | (below(2) ? below(60) : 200 + below(54))
                                                              << 23);
    }
  }
  u64 double_value() {
    static constexpr u64 kValues[] = {0,
                                      u64{1} << 63,
                                      0x3FF0000000000000,
                                      0xBFF0000000000000,
                                      0x7FEFFFFFFFFFFFFF,
                                      0xFFEFFFFFFFFFFFFF,
                                      0x0010000000000000,
                                      0x8010000000000000,
                                      1,
                                      0x8000000000000001,
                                      0x000FFFFFFFFFFFFF,
                                      0x7FF0000000000000,
                                      0xFFF0000000000000,
                                      0x7FF8000000000001,
                                      0xFFF8123456789ABC,
                                      0x7FF0000000000001,
                                      0xFFF4000000000000,
                                      0x41E0000000000000,
                                      0xC1E0000000000000,
                                      0x41DFFFFFFFC00000,
                                      0x43E0000000000000,
                                      0xC3E0000000000000,
                                      0x41DFFFFFFFE00000,
                                      0x47EFFFFFE0000000,
                                      0x47EFFFFFF0000000,
                                      0x3810000000000000,
                                      0x380FFFFFFFFFFFFF,
                                      0x36A0000000000000,
                                      0x3FE0000000000000,
                                      0x3FF8000000000000,
                                      0x4004000000000000};
    switch (below(4)) {
      case 0:
        return kValues[below(std::size(kValues))];
      case 1:
        return number();
      case 2:
        return (number() & 0x800FFFFFFFFFFFFF) | (0x3C0 + below(0x60)) << 52;
      default:
        return (number() & 0x800FFFFFFFFFFFFF) | (below(2) ? below(0x40) : 0x7A0 + below(0x5F))
                                                     << 52;
    }
  }
  u8 small() {
    static constexpr u8 kValues[] = {0, 1, 2, 3, 0x7F, 0x80, 0xFF, 'a', 'b', 'c'};
    return kValues[below(std::size(kValues))];
  }

 private:
  template <class T, class Make>
  static void fill_with(u8* bytes, std::size_t size, Make make) {
    for (std::size_t at = 0; at + sizeof(T) <= size; at += sizeof(T)) {
      const T value = static_cast<T>(make());
      std::memcpy(bytes + at, &value, sizeof value);
    }
  }
  std::mt19937_64 random_;
};

VectorMachineState random_state(Operands& operands) {
  VectorMachineState s;
  for (auto& reg : s.vector) operands.fill(reg.data(), reg.size());
  if (operands.below(4) == 0) s.vector[2] = s.vector[1];  // equal operands
  for (auto& reg : s.x87) operands.fill(reg.data(), 8);
  for (auto& reg : s.x87) reg[8] = reg[9] = static_cast<u8>(operands.number());
  s.x87_status = static_cast<u16>(operands.below(8) << 11);
  s.x87_valid = static_cast<u8>(operands.number());
  for (unsigned n : kComparedGprs) {
    s.gpr[n] = operands.below(2) ? operands.number() : operands.below(40) - 20;
  }
  s.flags = (operands.number() & 0x8D5) | 2;
  return s;
}

constexpr u32 kMxcsrSettings[] = {
    0x1F80, 0x1F80, 0x1F80, 0x1FBF, 0x3F80, 0x5F80, 0x7F80,  // defaults, roundings
    0x1FC0, 0x9F80, 0x9FC0, 0xFFC0, 0xBF80,                  // DAZ, FTZ
    0x0000, 0x1F00, 0x1E80, 0x1D80, 0x1B80, 0x1780, 0x0F80,  // unmasked: all, one by one
    0x9780, 0x37C0, 0x6B80, 0x1380,
};

bool host_has(ZydisISASet isa) {
  switch (isa) {
    case ZYDIS_ISA_SET_SSE3:
      return __builtin_cpu_supports("sse3");
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
      return __builtin_cpu_supports("ssse3");
    case ZYDIS_ISA_SET_SSE4:
      return __builtin_cpu_supports("sse4.1");
    case ZYDIS_ISA_SET_SSE42:
      return __builtin_cpu_supports("sse4.2");
    case ZYDIS_ISA_SET_AES:
      return __builtin_cpu_supports("aes");
    case ZYDIS_ISA_SET_PCLMULQDQ:
      return __builtin_cpu_supports("pclmul");
    case ZYDIS_ISA_SET_AVX:
      return __builtin_cpu_supports("avx");
    case ZYDIS_ISA_SET_AVXAES:
      return __builtin_cpu_supports("avx") && __builtin_cpu_supports("aes");
    case ZYDIS_ISA_SET_AVX2:
    case ZYDIS_ISA_SET_AVX2GATHER:
      return __builtin_cpu_supports("avx2");
    case ZYDIS_ISA_SET_FMA:
      return __builtin_cpu_supports("fma");
    case ZYDIS_ISA_SET_F16C: {
      unsigned a, b, c, d;
      asm("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
      return c >> 29 & 1;
    }
    case ZYDIS_ISA_SET_SHA: {
      unsigned a, b, c, d;
      asm("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
      return b >> 29 & 1;
    }
    default:
      return true;
  }
}

// Indices of gathers stay within the page of data.
void limit_gather_indices(const VectorForm& form, VectorMachineState& s) {
  const std::string name = ZydisMnemonicGetString(form.mnemonic);
  const auto at = name.find("gather");
  if (at == std::string::npos) return;
  const bool quadwords = name[at + 6] == 'q';
  for (unsigned n = 0; n < 8; ++n) {
    const int index = static_cast<int>(s.vector[5][4 * n] % 64) - 32;
    if (quadwords && n % 2 == 0) {
      const i64 wide = index;
      std::memcpy(s.vector[5].data() + 4 * n, &wide, 8);
    } else if (!quadwords) {
      std::memcpy(s.vector[5].data() + 4 * n, &index, 4);
    }
  }
}

bool starts_with(const VectorForm& form, std::string_view prefix) {
  return std::string_view(form.name).substr(0, prefix.size()) == prefix;
}
bool is_gather(const VectorForm& form) { return form.name.find("gather") != std::string::npos; }
bool may_lie_anywhere(const VectorForm& form) {
  return !starts_with(form, "maskmov") && !starts_with(form, "vmaskmovdqu") &&
         form.isa != ZYDIS_ISA_SET_SHA;
}

// Takes what is known to differ out of the host's result.
void forgive(const VectorForm& form, VectorMachineState& host, const VectorMachineState& model) {
  const bool faulted = host.vector_raised >= 0 && host.vector_raised == model.vector_raised;
  const bool mmx = form.name.find(" mm") != std::string::npos;
  if ((mmx && faulted) || (starts_with(form, "cvtpi2ps") && form.memory)) {
    host.x87_status = model.x87_status;
    host.x87_valid = model.x87_valid;
  }
  if (!is_gather(form) || !faulted) return;
  const auto mask = static_cast<unsigned>(std::stoul(form.name.substr(form.name.rfind("mm") + 2)));
  for (unsigned n = 0; n < 32; n += form.memory_bytes) {
    u8* const element = host.vector[mask].data() + n;
    const bool in_use = std::memcmp(element, model.vector[mask].data() + n, form.memory_bytes) != 0;
    if (in_use)
      std::memset(element, element[form.memory_bytes - 1] & 0x80 ? 0xFF : 0, form.memory_bytes);
  }
}

std::string hex(const u8* bytes, std::size_t size) {
  std::string text;
  char part[4];
  for (std::size_t n = size; n-- > 0;) {
    std::snprintf(part, sizeof part, "%02x", bytes[n]);
    text += part;
    if (n % 8 == 0 && n != 0) text += "_";
  }
  return text;
}

// What differs, or an empty string.
std::string difference(const VectorMachineState& host, const VectorMachineState& model) {
  std::string text;
  const auto number = [](u64 value) {
    char buffer[24];
    std::snprintf(buffer, sizeof buffer, "%llx", static_cast<unsigned long long>(value));
    return std::string(buffer);
  };
  if (host.vector_raised != model.vector_raised)
    text += " exception: host " + std::to_string(host.vector_raised) + " model " +
            std::to_string(model.vector_raised);
  for (unsigned n = 0; n < 16; ++n)
    if (host.vector[n] != model.vector[n])
      text += "\n  ymm" + std::to_string(n) + " host " + hex(host.vector[n].data(), 32) +
              "\n       model " + hex(model.vector[n].data(), 32);
  if (host.mxcsr != model.mxcsr)
    text += "\n  mxcsr host " + number(host.mxcsr) + " model " + number(model.mxcsr);
  for (unsigned n : kComparedGprs)
    if (host.gpr[n] != model.gpr[n])
      text += "\n  gpr" + std::to_string(n) + " host " + number(host.gpr[n]) + " model " +
              number(model.gpr[n]);
  if (host.flags != model.flags)
    text += "\n  flags host " + number(host.flags) + " model " + number(model.flags);
  if (host.x87 != model.x87 || host.x87_status != model.x87_status ||
      host.x87_valid != model.x87_valid) {
    text += "\n  x87 status host " + number(host.x87_status) + " model " +
            number(model.x87_status) + " valid host " + number(host.x87_valid) + " model " +
            number(model.x87_valid);
    for (unsigned n = 0; n < 8; ++n)
      if (host.x87[n] != model.x87[n])
        text += "\n  R" + std::to_string(n) + " host " + hex(host.x87[n].data(), 10) + " model " +
                hex(model.x87[n].data(), 10);
  }
  return text;
}

std::string describe(const VectorForm& form, const VectorMachineState& s) {
  std::string text = form.name + " [";
  for (u8 byte : form.bytes) text += hex(&byte, 1) + " ";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "] mxcsr %x", s.mxcsr);
  text += buffer;
  for (unsigned n : {0u, 1u, 2u, 3u, 4u, 5u, 9u, 10u, 11u})
    text += "\n  in ymm" + std::to_string(n) + " " + hex(s.vector[n].data(), 32);
  return text;
}

class Comparison {
 public:
  // One case, the memory operand at `offset` within the page of data.
  void compare(VectorForm& form, Operands& operands, u32 mxcsr, u64 offset) {
    VectorMachineState before = random_state(operands);
    before.mxcsr = mxcsr;
    limit_gather_indices(form, before);
    const u64 first = offset - 256, size = std::min<u64>(NativeVector::kDataBytes - first, 512);
    u8 memory[512];
    for (u64 at = 0; at < size; at += 128)
      operands.fill(memory + at, std::min<u64>(128, size - at));
    before.gpr[7] = NativeVector::kData + offset;
    if (form.immediate_at >= 0) {
      form.bytes[static_cast<unsigned>(form.immediate_at)] = static_cast<u8>(operands.number());
      load(form);
    }
    u8* const simulated_data = simulated.ram(NativeVector::kData + first);
    std::memcpy(native.data() + first, memory, size);
    std::memcpy(simulated_data, memory, size);
    VectorMachineState host = native.run(before);
    const VectorMachineState model = simulated.run_one(before);
    forgive(form, host, model);
    std::string text = difference(host, model);
    if (std::memcmp(native.data() + first, simulated_data, size) != 0) text += "\n  memory differs";
    ++cases;
    if (text.empty()) return;
    ++differences;
    if (reported.insert(form.name).second && reported.size() <= 40)
      report += describe(form, before) + text + "\n";
  }
  void load(const VectorForm& form) {
    native.load(form.bytes);
    simulated.load(form.bytes);
  }

  NativeVector native;
  SimulatedVector simulated;
  u64 cases = 0, differences = 0;
  std::set<std::string> reported;  // encodings
  std::string report;              // their first differences
};

}  // namespace

TEST_CASE("vector instructions do what the host's do, under every MXCSR") {
  if (!__builtin_cpu_supports("avx")) {
    WARN("the harness needs a host with AVX: skipped");
    return;
  }
  constexpr u64 kSeed = 20240607;
  VectorForms forms;
  Comparison comparison;
  std::set<ZydisISASet> skipped;
  for (VectorForm form : forms.all()) {
    if (is_approximation(form.mnemonic)) continue;
    if (!host_has(form.isa)) {
      if (skipped.insert(form.isa).second)
        WARN("host without " << ZydisISASetGetString(form.isa) << ": skipped");
      continue;
    }
    Operands operands(kSeed + form.mnemonic);
    comparison.load(form);
    for (u32 mxcsr : kMxcsrSettings)
      for (unsigned n = 0; n < (form.variant ? 1 : 4); ++n)
        comparison.compare(form, operands, mxcsr, kMiddle);
    if (!form.memory || !may_lie_anywhere(form)) continue;
    for (u64 offset : {kMiddle + 1, kMiddle + 8, kMiddle + 16, u64{4096 - 1}, u64{4096 - 4},
                       u64{4096 - 8}, u64{4096 - 12}, u64{4096 - 16}, u64{4096 - 24}})
      for (unsigned n = 0; n < 3; ++n) comparison.compare(form, operands, 0x1F80, offset);
  }
  WARN(comparison.cases << " cases of " << forms.all().size() << " encodings, seed " << kSeed);
  if (!comparison.report.empty()) FAIL_CHECK(comparison.report);
  CHECK(comparison.differences == 0);
}

TEST_CASE("every row of a vector instruction is reached by an encoding") {
  VectorForms forms;
  std::set<Mnemonic> reached;
  for (const VectorForm& form : forms.all()) reached.insert(form.mnemonic);
  for (const InstructionRow& row : all_rows()) {
    if (row.timing != Timing::kSimd) continue;
    INFO(ZydisMnemonicGetString(row.mnemonic));
    CHECK(reached.count(row.mnemonic) == 1);
  }
}
