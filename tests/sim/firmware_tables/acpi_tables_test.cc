#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

#include "model/base/check.h"
#include "sim/firmware_tables/acpi.h"
#include "sim/firmware_tables/aml.h"
#include "sim/firmware_tables/fw_cfg_files.h"
#include "tests/sim/firmware_tables/plain_memory.h"

namespace vtsim::firmware_tables {
namespace {

using test::PlainMemory;

constexpr u64 kRam = u64{64} << 20;

unsigned sum(std::span<const u8> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), 0u) & 0xff;
}

// What an operating system does: from the RSDP on, every table found by following pointers.
struct FoundTables {
  std::map<std::string, u64> address;  // by signature
  std::map<std::string, u64> length;
};

FoundTables follow(const PlainMemory& memory, Hpa rsdp) {
  FoundTables found;
  const auto note = [&](u64 at) {
    const std::string signature = memory.text(at, 4);
    found.address[signature] = at;
    found.length[signature] = memory.number(at + 4, 4);
  };
  const u64 xsdt = memory.number(rsdp.value + 24, 8);
  note(memory.number(rsdp.value + 16, 4));
  note(xsdt);
  for (u64 at = xsdt + 36; at < xsdt + found.length["XSDT"]; at += 8) note(memory.number(at, 8));
  note(memory.number(found.address["FACP"] + 36, 4));
  note(memory.number(found.address["FACP"] + 140, 8));
  return found;
}

struct Placed {
  PlainMemory memory{kRam};
  MemoryLayout layout = q35_memory_layout(kRam);
  Hpa rsdp;
  FoundTables found;

  explicit Placed(const TablesConfig& config = {}) {
    rsdp = place_acpi(config, layout, memory);
    found = follow(memory, rsdp);
  }
  // All entries of one MADT type, as the addresses where they stand.
  std::vector<u64> madt_entries(u8 type) const {
    std::vector<u64> out;
    const u64 start = found.address.at("APIC");
    for (u64 at = start + 44; at < start + found.length.at("APIC");
         at += memory.number(at + 1, 1)) {
      if (memory.number(at, 1) == type) out.push_back(at);
    }
    return out;
  }
};

std::vector<u32> ids(u32 count, u32 step = 1) {
  std::vector<u32> out(count);
  for (u32 i = 0; i < count; ++i) out[i] = i * step;
  return out;
}

TEST_CASE("ACPI: the RSDP stands on a 16-byte boundary of E0000-FFFFF and both its sums are zero") {
  const Placed machine;
  CHECK(machine.rsdp.value >= 0xe0000);
  CHECK(machine.rsdp.value % 16 == 0);
  CHECK(machine.memory.text(machine.rsdp.value, 8) == "RSD PTR ");
  CHECK(sum(machine.memory.view(machine.rsdp.value, 20)) == 0);
  CHECK(sum(machine.memory.view(machine.rsdp.value, 36)) == 0);
}

TEST_CASE("ACPI: every table but the FACS sums to zero and lies in the layout's table range") {
  const Placed machine({.apic_ids = ids(300)});
  for (const char* name :
       {"RSDT", "XSDT", "FACP", "FACS", "DSDT", "APIC", "HPET", "MCFG", "SSDT"}) {
    INFO(name);
    REQUIRE(machine.found.address.count(name) == 1);
    const u64 at = machine.found.address.at(name);
    const u64 length = machine.found.length.at(name);
    const bool facs = std::string(name) == "FACS";
    if (!facs) CHECK(sum(machine.memory.view(at, length)) == 0);
    const RangeType wanted = facs ? RangeType::kAcpiNvs : RangeType::kAcpiTables;
    bool inside = false;
    for (const MemoryRange& range : machine.layout.ranges) {
      inside |= range.type == wanted && range.contains(Hpa(at), length);
    }
    CHECK(inside);
  }
}

TEST_CASE("ACPI: the FACS is 64 bytes on a 64-byte boundary") {
  const Placed machine;
  CHECK(machine.found.address.at("FACS") % 64 == 0);
  CHECK(machine.found.length.at("FACS") == 64);
}

TEST_CASE("FACS: the waking vectors stand at offsets 12 and 24, and are none at first") {
  PlainMemory memory(kRam);
  const auto layout = q35_memory_layout(kRam);
  place_acpi({}, layout, memory);
  CHECK(read_waking_vectors(layout, memory).real_mode == Hpa(0));
  CHECK(read_waking_vectors(layout, memory).protected_mode == Hpa(0));
  const u8 real_mode[] = {0x45, 0x23, 0x01, 0x00};
  const u8 protected_mode[] = {0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0};
  memory.write(layout.acpi_area + 12, real_mode);
  memory.write(layout.acpi_area + 24, protected_mode);
  CHECK(read_waking_vectors(layout, memory).real_mode == Hpa(0x12345));
  CHECK(read_waking_vectors(layout, memory).protected_mode == Hpa(0x12345678));
}

TEST_CASE("ACPI: RSDT and XSDT list the same tables") {
  const Placed machine;
  const u64 rsdt = machine.found.address.at("RSDT"), xsdt = machine.found.address.at("XSDT");
  const u64 count = (machine.found.length.at("XSDT") - 36) / 8;
  REQUIRE((machine.found.length.at("RSDT") - 36) / 4 == count);
  CHECK(count == 5);
  for (u64 i = 0; i < count; ++i) {
    CHECK(machine.memory.number(rsdt + 36 + 4 * i, 4) ==
          machine.memory.number(xsdt + 36 + 8 * i, 8));
  }
}

TEST_CASE("FADT: fields stand at the specification's offsets") {
  const Placed machine;
  const u64 fadt = machine.found.address.at("FACP");
  struct Row {
    u64 offset;
    unsigned size;
    u64 value;
  };
  // ACPI "FADT Format", offset by offset.
  static constexpr Row kRows[] = {
      {8, 1, 6},            // revision
      {46, 2, 9},           // SCI_INT
      {48, 4, 0xb2},        // SMI_CMD
      {52, 1, 2},           // ACPI_ENABLE
      {53, 1, 3},           // ACPI_DISABLE
      {56, 4, 0x600},       // PM1a_EVT_BLK
      {64, 4, 0x604},       // PM1a_CNT_BLK
      {76, 4, 0x608},       // PM_TMR_BLK
      {80, 4, 0x620},       // GPE0_BLK
      {88, 1, 4},           // PM1_EVT_LEN
      {89, 1, 2},           // PM1_CNT_LEN
      {91, 1, 4},           // PM_TMR_LEN
      {92, 1, 16},          // GPE0_BLK_LEN
      {96, 2, 0xfff},       // P_LVL2_LAT: not supported
      {98, 2, 0xfff},       // P_LVL3_LAT: not supported
      {108, 1, 0x32},       // CENTURY
      {109, 2, 0x7},        // IAPC_BOOT_ARCH
      {112, 4, 0x435},      // Flags
      {116, 1, 1},          // RESET_REG: I/O space
      {120, 8, 0xcf9},      // its address
      {128, 1, 0x06},       // RESET_VALUE
      {149, 1, 32},         // X_PM1a_EVT_BLK: width
      {152, 8, 0x600},      // its address
      {172 + 4, 8, 0x604},  // X_PM1a_CNT_BLK
      {208 + 4, 8, 0x608},  // X_PM_TMR_BLK
      {220 + 4, 8, 0x620},  // X_GPE0_BLK
  };
  CHECK(machine.found.length.at("FACP") == 276);
  for (const Row& row : kRows) {
    INFO("offset " << row.offset);
    CHECK(machine.memory.number(fadt + row.offset, row.size) == row.value);
  }
  CHECK(machine.memory.number(fadt + 40, 4) == machine.memory.number(fadt + 140, 8));
}

TEST_CASE("MADT: one local APIC entry a core, in order, all enabled") {
  const Placed machine({.apic_ids = ids(4, 2)});
  const auto entries = machine.madt_entries(0);
  REQUIRE(entries.size() == 4);
  for (u64 i = 0; i < 4; ++i) {
    CHECK(machine.memory.number(entries[i] + 2, 1) == i);
    CHECK(machine.memory.number(entries[i] + 3, 1) == 2 * i);
    CHECK(machine.memory.number(entries[i] + 4, 4) == 1);
  }
  CHECK(machine.madt_entries(9).empty());
  CHECK(machine.madt_entries(10).empty());
}

TEST_CASE("MADT: APIC ids from 255 on take x2APIC entries") {
  const Placed machine({.apic_ids = ids(300)});
  CHECK(machine.madt_entries(0).size() == 255);
  const auto entries = machine.madt_entries(9);
  REQUIRE(entries.size() == 45);
  CHECK(machine.memory.number(entries[0] + 4, 4) == 255);
  CHECK(machine.memory.number(entries[0] + 12, 4) == 255);
  CHECK(machine.madt_entries(10).size() == 1);
}

TEST_CASE("MADT: I/O APIC, overrides of IRQ 0 and of the SCI, NMI on LINT1") {
  const Placed machine;
  const auto io_apics = machine.madt_entries(1);
  REQUIRE(io_apics.size() == 1);
  CHECK(machine.memory.number(io_apics[0] + 4, 4) == 0xfec00000);
  CHECK(machine.memory.number(io_apics[0] + 8, 4) == 0);
  const auto overrides = machine.madt_entries(2);
  REQUIRE(overrides.size() == 2);
  CHECK(machine.memory.number(overrides[0] + 3, 1) == 0);
  CHECK(machine.memory.number(overrides[0] + 4, 4) == 2);
  CHECK(machine.memory.number(overrides[0] + 8, 2) == 0);
  CHECK(machine.memory.number(overrides[1] + 3, 1) == 9);
  CHECK(machine.memory.number(overrides[1] + 4, 4) == 9);
  CHECK(machine.memory.number(overrides[1] + 8, 2) == 0xd);
  const auto nmi = machine.madt_entries(4);
  REQUIRE(nmi.size() == 1);
  CHECK(machine.memory.number(nmi[0] + 5, 1) == 1);
}

TEST_CASE("MCFG and HPET name the machine's addresses") {
  const Placed machine;
  const u64 mcfg = machine.found.address.at("MCFG"), hpet = machine.found.address.at("HPET");
  CHECK(machine.found.length.at("MCFG") == 60);
  CHECK(machine.memory.number(mcfg + 44, 8) == 0xb0000000);
  CHECK(machine.memory.number(mcfg + 55, 1) == 255);
  CHECK(machine.found.length.at("HPET") == 56);
  CHECK(machine.memory.number(hpet + 44, 8) == 0xfed00000);
}

TEST_CASE("AML: package lengths take the shortest form at each boundary") {
  // ACPI "Package Length Encoding": one byte up to 63, then 4 bits and a byte each.
  struct Row {
    std::size_t string_bytes;  // of a package that holds one string
    std::vector<u8> length;
  };
  const Row rows[] = {
      {59, {0x3f}}, {60, {0x41, 0x04}}, {4090, {0x4f, 0xff}}, {4091, {0x81, 0x00, 0x01}}};
  for (const Row& row : rows) {
    INFO(row.string_bytes);
    const Aml package = aml_package({aml_string(std::string(row.string_bytes, 'x'))});
    REQUIRE(package.size() > 4);
    CHECK(Aml(package.begin() + 1,
              package.begin() + 1 + static_cast<std::ptrdiff_t>(row.length.size())) == row.length);
  }
}

TEST_CASE("AML: integers take the shortest constant, names the shortest prefix") {
  CHECK(aml_integer(0) == Aml{0x00});
  CHECK(aml_integer(1) == Aml{0x01});
  CHECK(aml_integer(0xff) == Aml{0x0a, 0xff});
  CHECK(aml_integer(0x100) == Aml{0x0b, 0x00, 0x01});
  CHECK(aml_integer(0x10000) == Aml{0x0c, 0x00, 0x00, 0x01, 0x00});
  CHECK(aml_integer(u64{1} << 32) == Aml{0x0e, 0, 0, 0, 0, 1, 0, 0, 0});
  CHECK(aml_path("\\_SB") == Aml{'\\', '_', 'S', 'B', '_'});
  CHECK(aml_path("\\_SB.PCI0") == Aml{'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'});
  CHECK(aml_path("AAAA.B.CC") ==
        Aml{0x2f, 3, 'A', 'A', 'A', 'A', 'B', '_', '_', '_', 'C', 'C', '_', '_'});
}

TEST_CASE("Interrupt routing: neighbours rotate over PIRQE-H, the southbridge's own take PIRQA-D") {
  CHECK(pirq_of(0, 0) == 4);
  CHECK(pirq_of(1, 0) == 5);
  CHECK(pirq_of(1, 3) == 4);
  CHECK(pirq_of(24, 1) == 5);
  CHECK(pirq_of(25, 0) == 0);
  CHECK(pirq_of(31, 3) == 3);
}

// --- iasl as the second reader -------------------------------------------------------------------

struct CommandResult {
  int status;
  std::string output;
};

CommandResult run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> buffer;
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  return {WEXITSTATUS(pclose(pipe)), output};
}

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vtsim-acpi-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

TEST_CASE("ACPI: iasl disassembles each table and finds nothing wrong with it") {
  if (run("command -v iasl").status != 0) {
    WARN("skipped: iasl is not installed");
    return;
  }
  const Placed machine({.apic_ids = ids(300)});
  const Scratch scratch;
  for (const auto& [name, address] : machine.found.address) {
    INFO(name);
    const auto bytes = machine.memory.view(address, machine.found.length.at(name));
    std::ofstream(scratch.file(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    const CommandResult result = run("cd " + scratch.file("") + " && iasl -d " + name);
    INFO(result.output);
    CHECK(result.status == 0);
    CHECK(result.output.find("rror") == std::string::npos);
    CHECK(result.output.find("nvalid") == std::string::npos);
    const std::string source = slurp(scratch.file(name + ".dsl"));
    CHECK(source.size() > 100);
    CHECK(source.find("nvalid") == std::string::npos);
    CHECK(source.find("rror") == std::string::npos);
    CHECK(source.find("ncorrect checksum") == std::string::npos);
  }
}

TEST_CASE("ACPI: DSDT and SSDT compile again together from their disassembly") {
  if (run("command -v iasl").status != 0) {
    WARN("skipped: iasl is not installed");
    return;
  }
  const Placed machine({.apic_ids = ids(17)});
  const Scratch scratch;
  for (const char* name : {"DSDT", "SSDT"}) {
    const auto bytes =
        machine.memory.view(machine.found.address.at(name), machine.found.length.at(name));
    std::ofstream(scratch.file(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  for (const char* command : {"iasl -e SSDT -d DSDT", "iasl -e DSDT -d SSDT",
                              "iasl -we -p D2 DSDT.dsl", "iasl -we -p S2 SSDT.dsl"}) {
    const CommandResult result = run("cd " + scratch.file("") + " && " + command);
    INFO(command << "\n" << result.output);
    REQUIRE(result.status == 0);
  }
  const std::string ssdt = slurp(scratch.file("SSDT.dsl"));
  CHECK(count(ssdt, "\"ACPI0007\"") == 17);
  CHECK(count(ssdt, "Package (0x04)") == 2 * 32 * 4);
  CHECK(count(ssdt, "LNKE, \n") == 25);  // each of devices 0-24 has one pin there
}

// --- fw_cfg --------------------------------------------------------------------------------------

// Runs the loader script as firmware does, with the files at the given addresses.
void run_linker(std::map<std::string, std::vector<u8>>& files, const std::vector<u8>& script,
                const std::map<std::string, u64>& address) {
  const auto number = [&](std::size_t at, unsigned size) {
    u64 value = 0;
    for (unsigned i = size; i-- > 0;) value = (value << 8) | script.at(at + i);
    return value;
  };
  const auto name = [&](std::size_t at) {
    return std::string(reinterpret_cast<const char*>(script.data() + at));
  };
  REQUIRE(script.size() % 128 == 0);
  for (std::size_t at = 0; at < script.size(); at += 128) {
    std::vector<u8>& file = files.at(name(at + 4));
    const u64 a = number(at + 60, 4), b = number(at + 64, 4), c = number(at + 68, 4);
    if (number(at, 4) == 1) {
      CHECK(address.at(name(at + 4)) % a == 0);
    } else if (number(at, 4) == 2) {
      const u64 offset = number(at + 116, 4), size = number(at + 120, 1);
      u64 value = address.at(name(at + 60));
      for (u64 i = 0; i < size; ++i) {
        value += file.at(offset + i);
        file.at(offset + i) = static_cast<u8>(value);
        value >>= 8;
      }
    } else {
      REQUIRE(number(at, 4) == 3);
      file.at(a) = static_cast<u8>(0u - sum(std::span<const u8>(file).subspan(b, c)));
    }
  }
}

TEST_CASE("fw_cfg: the linker script yields what linking in place yields") {
  const MemoryLayout layout = q35_memory_layout(kRam);
  const TablesConfig config{.apic_ids = ids(2)};
  const Hpa base{0x123000};
  AcpiImage image = build_acpi(config, layout);
  const auto exported = acpi_fw_cfg_files(image);
  image.link(base);
  std::map<std::string, std::vector<u8>> files;
  for (const FwCfgFile& file : exported) files[file.name] = file.bytes;
  run_linker(files, files.at("etc/table-loader"),
             {{"etc/acpi/tables", base.value}, {"etc/acpi/rsdp", 0xf0010}});
  CHECK(files.at("etc/acpi/tables") == image.tables);
  CHECK(files.at("etc/acpi/rsdp") == image.rsdp);
}

TEST_CASE("ACPI: the 64-bit PCI window is absent where the cores cannot address it") {
  const MemoryLayout layout = q35_memory_layout(kRam);
  const auto mentions_window = [&](unsigned physical_bits) {
    const AcpiImage image = build_acpi({.physical_address_bits = physical_bits}, layout);
    const std::string text(image.tables.begin(), image.tables.end());
    const auto ssdt = std::find_if(image.contents.begin(), image.contents.end(),
                                   [](const auto& table) { return table.signature == "SSDT"; });
    REQUIRE(ssdt != image.contents.end());
    return text.substr(ssdt->offset, ssdt->length).find("W64B") != std::string::npos;
  };
  CHECK(mentions_window(36));
  CHECK_FALSE(mentions_window(34));
}

}  // namespace
}  // namespace vtsim::firmware_tables
