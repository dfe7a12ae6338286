#include "sim/firmware_tables/acpi.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "dsdt.hex"
#include "model/base/bits.h"
#include "model/base/check.h"
#include "sim/firmware_tables/aml.h"
#include "sim/firmware_tables/byte_writer.h"

namespace vtsim::firmware_tables {
namespace {

using Part = AcpiImage::Part;

constexpr std::string_view kOemId = "VTSIM ";
constexpr std::string_view kOemTableId = "Q35ICH9 ";
constexpr u32 kHeaderBytes = 36;
constexpr u32 kChecksumOffset = 9;  // in every table with the standard header

// ACPI "Generic Address Structure (GAS)".
enum class AddressSpace : u8 { kMemory = 0, kIo = 1 };
struct GenericAddress {
  AddressSpace space = AddressSpace::kMemory;
  u8 bits = 0;
  u8 access_size = 0;  // 1 byte, 2 word, 3 dword
  u64 address = 0;
};

// Collects tables and what must be resolved when their address is known.
class ImageBuilder {
 public:
  // ACPI "System Description Table Header".
  void begin(std::string_view signature, u8 revision) {
    out_.align(16);
    start_ = offset();
    signature_ = signature;
    out_.text(signature, 4).dword(0).byte(revision).byte(0).text(kOemId, 6).text(kOemTableId, 8);
    out_.dword(1).text("VTSM", 4).dword(1);
  }
  // Returns the table's offset.
  u32 end() {
    const u32 length = offset() - start_;
    out_.patch(start_ + 4, length, 4);
    image_.checksums.push_back({Part::kTables, start_ + kChecksumOffset, start_, length});
    image_.contents.push_back({signature_, start_, length});
    return start_;
  }
  // A finished table whose checksum is right already.
  u32 add(std::string_view signature, std::span<const u8> bytes, u32 alignment) {
    out_.align(alignment);
    const u32 at = offset();
    out_.bytes(bytes);
    image_.contents.push_back({signature, at, offset() - at});
    return at;
  }
  void pointer(u32 target, u8 bytes) {
    image_.pointers.push_back({Part::kTables, offset(), bytes});
    bytes == 8 ? out_.qword(target) : out_.dword(target);
  }
  void address(const GenericAddress& gas) {
    out_.byte(static_cast<u8>(gas.space)).byte(gas.bits).byte(0).byte(gas.access_size);
    out_.qword(gas.address);
  }
  ByteWriter& out() { return out_; }
  u32 offset() const { return static_cast<u32>(out_.size()); }
  AcpiImage finish(ByteWriter rsdp, std::span<const AcpiImage::Pointer> pointers,
                   std::span<const AcpiImage::Checksum> checksums) {
    image_.tables = out_.take();
    image_.rsdp = rsdp.take();
    image_.pointers.insert(image_.pointers.end(), pointers.begin(), pointers.end());
    image_.checksums.insert(image_.checksums.end(), checksums.begin(), checksums.end());
    return std::move(image_);
  }

 private:
  ByteWriter out_;
  AcpiImage image_;
  std::string_view signature_;
  u32 start_ = 0;
};

// ACPI "Firmware ACPI Control Structure (FACS)". Fills a page of its own: it is what an OS must
// keep across S3.
u32 add_facs(ImageBuilder& image) {
  ByteWriter facs;
  facs.text("FACS", 4).dword(64).zeros(24).byte(2).zeros(31);
  const u32 at = image.add("FACS", facs.data(), kPageSize);
  image.out().align(kPageSize);
  return at;
}

struct FadtFlags {
  static constexpr Flag WBINVD{0};
  static constexpr Flag PROC_C1{2};
  static constexpr Flag PWR_BUTTON{4};  // set: no fixed-hardware power button
  static constexpr Flag SLP_BUTTON{5};
  static constexpr Flag RESET_REG_SUP{10};
};
struct IapcBootArch {
  static constexpr Flag LEGACY_DEVICES{0};
  static constexpr Flag HAS_8042{1};
  static constexpr Flag VGA_NOT_PRESENT{2};
};

GenericAddress io_block(u16 port, u8 bytes, u8 access_size) {
  return {AddressSpace::kIo, static_cast<u8>(8 * bytes), access_size, port};
}

// ACPI "Fixed ACPI Description Table (FADT)", revision 6 of ACPI 6.0.
u32 add_fadt(ImageBuilder& image, u32 facs, u32 dsdt) {
  constexpr u8 kPm1EventBytes = 4, kPm1ControlBytes = 2, kPmTimerBytes = 4, kGpe0Bytes = 16;
  constexpr u16 kNoC2 = 0x0fff, kNoC3 = 0x0fff;  // latencies beyond 100 and 1000 us: not offered
  constexpr u8 kCenturyIndex = 0x32;
  image.begin("FACP", 6);
  ByteWriter& out = image.out();
  image.pointer(facs, 4);
  image.pointer(dsdt, 4);
  out.byte(0).byte(1).word(kSciIrq);  // reserved, preferred profile: desktop
  out.dword(kSmiCommandPort).byte(kAcpiEnable).byte(kAcpiDisable).byte(0).byte(0);
  out.dword(kPm1aEvent).dword(0).dword(kPm1aControl).dword(0).dword(0).dword(kPmTimer);
  out.dword(kGpe0).dword(0);
  out.byte(kPm1EventBytes).byte(kPm1ControlBytes).byte(0).byte(kPmTimerBytes);
  out.byte(kGpe0Bytes).byte(0).byte(0).byte(0);
  out.word(kNoC2).word(kNoC3).word(0).word(0).byte(0).byte(0);  // no cache flushing, no duty cycle
  out.byte(0).byte(0).byte(kCenturyIndex);                      // no RTC day or month alarm
  out.word(Reg<IapcBootArch>()
               .with(IapcBootArch::LEGACY_DEVICES, 1)
               .with(IapcBootArch::HAS_8042, 1)
               .with(IapcBootArch::VGA_NOT_PRESENT, 1)
               .value);
  out.byte(0);
  out.dword(Reg<FadtFlags>()
                .with(FadtFlags::WBINVD, 1)
                .with(FadtFlags::PROC_C1, 1)
                .with(FadtFlags::PWR_BUTTON, 1)
                .with(FadtFlags::SLP_BUTTON, 1)
                .with(FadtFlags::RESET_REG_SUP, 1)
                .value);
  image.address(io_block(kResetPort, 1, 1));
  out.byte(kResetValue).word(0).byte(0);  // no Arm boot flags; minor version 0
  out.qword(0);                           // X_FIRMWARE_CTRL: the 32-bit field holds
  image.pointer(dsdt, 8);
  image.address(io_block(kPm1aEvent, kPm1EventBytes, 2));
  image.address({});
  image.address(io_block(kPm1aControl, kPm1ControlBytes, 2));
  image.address({});
  image.address({});
  image.address(io_block(kPmTimer, kPmTimerBytes, 3));
  image.address(io_block(kGpe0, kGpe0Bytes, 1));
  image.address({});
  image.address({});  // no sleep control and status registers: these are for reduced hardware
  image.address({});
  out.qword(0);
  return image.end();
}

// ACPI "Multiple APIC Description Table (MADT) > Interrupt Controller Structure Types".
enum MadtType : u8 {
  kLocalApicEntry = 0,
  kIoApicEntry = 1,
  kSourceOverride = 2,
  kLocalApicNmi = 4,
  kLocalX2ApicEntry = 9,
  kLocalX2ApicNmi = 10,
};

constexpr u32 kFirstX2ApicOnly = 255;  // ids and UIDs from here on do not fit a local APIC entry

bool needs_x2apic(u32 uid, u32 apic_id) {
  return uid >= kFirstX2ApicOnly || apic_id >= kFirstX2ApicOnly;
}

void add_madt_core(ByteWriter& out, u32 uid, u32 apic_id) {
  constexpr u32 kEnabled = 1;
  if (needs_x2apic(uid, apic_id)) {
    out.byte(kLocalX2ApicEntry).byte(16).word(0).dword(apic_id).dword(kEnabled).dword(uid);
  } else {
    out.byte(kLocalApicEntry).byte(8).byte(uid).byte(apic_id).dword(kEnabled);
  }
}

// MPS INTI flags: bits 1:0 polarity, bits 3:2 trigger mode; 0 conforms to the bus (ISA: edge,
// high).
void add_madt_override(ByteWriter& out, u8 irq, u32 gsi, u16 flags) {
  out.byte(kSourceOverride).byte(10).byte(0).byte(irq).dword(gsi).word(flags);
}

u32 add_madt(ImageBuilder& image, const TablesConfig& config) {
  constexpr u16 kActiveHighLevel = 0x000d;
  constexpr u32 kPcatCompat = 1;  // two 8259s exist
  image.begin("APIC", 4);
  ByteWriter& out = image.out();
  out.dword(kLocalApic.value).dword(kPcatCompat);
  bool any_x2apic = false;
  for (u32 uid = 0; uid < config.apic_ids.size(); ++uid) {
    add_madt_core(out, uid, config.apic_ids[uid]);
    any_x2apic |= needs_x2apic(uid, config.apic_ids[uid]);
  }
  out.byte(kIoApicEntry).byte(12).byte(config.io_apic_id).byte(0).dword(kIoApic.value).dword(0);
  add_madt_override(out, 0, 2, 0);
  add_madt_override(out, kSciIrq, kSciIrq, kActiveHighLevel);
  out.byte(kLocalApicNmi).byte(6).byte(0xff).word(0).byte(1);  // all processors, LINT1
  if (any_x2apic) out.byte(kLocalX2ApicNmi).byte(12).word(0).dword(~0u).byte(1).zeros(3);
  return image.end();
}

// IA-PC HPET "The ACPI 2.0 HPET Description Table (HPET)".
u32 add_hpet(ImageBuilder& image, const TablesConfig& config) {
  image.begin("HPET", 1);
  image.out().dword(config.hpet_block_id);
  image.address({AddressSpace::kMemory, 0, 0, kHpet.value});
  image.out().byte(0).word(0).byte(0);
  return image.end();
}

// PCI Firmware Specification "MCFG Table Description".
u32 add_mcfg(ImageBuilder& image) {
  image.begin("MCFG", 1);
  image.out().zeros(8).qword(kEcam.value).word(0).byte(0).byte(255).dword(0);
  return image.end();
}

// One row a pin; ACPI "_PRT (PCI Routing Table)".
enum class PrtKind { kLinkDevices, kGlobalInterrupts };

Aml routing_table(PrtKind kind) {
  static constexpr std::string_view kLinks[] = {"\\_SB.LNKA", "\\_SB.LNKB", "\\_SB.LNKC",
                                                "\\_SB.LNKD", "\\_SB.LNKE", "\\_SB.LNKF",
                                                "\\_SB.LNKG", "\\_SB.LNKH"};
  constexpr u64 kAnyFunction = 0xffff;
  constexpr Field kDevice{31, 16};
  std::vector<Aml> rows;
  for (unsigned device = 0; device < 32; ++device) {
    for (unsigned pin = 0; pin < 4; ++pin) {
      const unsigned pirq = pirq_of(device, pin);
      const bool global = kind == PrtKind::kGlobalInterrupts;
      rows.push_back(aml_package({aml_integer(kDevice.put(kAnyFunction, device)), aml_integer(pin),
                                  global ? aml_integer(0) : aml_path(kLinks[pirq]),
                                  aml_integer(global ? kFirstPirqGsi + pirq : 0)}));
    }
  }
  return aml_package(rows);
}

// The processors, named C000 and up (hexadecimal). UIDs are those of the MADT.
Aml processors(const TablesConfig& config) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  Aml out;
  for (u32 uid = 0; uid < config.apic_ids.size(); ++uid) {
    const char name[] = {'C', kDigits[bits(uid, 11, 8)], kDigits[bits(uid, 7, 4)],
                         kDigits[bits(uid, 3, 0)]};
    const Aml device = aml_device(
        {name, sizeof name},
        aml_join({aml_name("_HID", aml_string("ACPI0007")), aml_name("_UID", aml_integer(uid))}));
    out.insert(out.end(), device.begin(), device.end());
  }
  return out;
}

// Where 64-bit BARs may go: above RAM, within what the cores can address. Empty: nowhere.
Aml high_pci_window(const TablesConfig& config, const MemoryLayout& layout) {
  constexpr u64 kWindowBytes = u64{16} << 30;
  const u64 base = align_up(kFourGiB.value + layout.high_ram_bytes, u64{1} << 30);
  if (base + kWindowBytes > low_mask(config.physical_address_bits) + 1) return {};
  return aml_join(
      {aml_name("W64B", aml_integer(base)), aml_name("W64L", aml_integer(kWindowBytes))});
}

u32 add_ssdt(ImageBuilder& image, const TablesConfig& config, const MemoryLayout& layout) {
  image.begin("SSDT", 2);
  image.out().bytes(aml_scope("\\_SB", processors(config)));
  image.out().bytes(aml_scope(
      "\\_SB.PCI0", aml_join({high_pci_window(config, layout),
                              aml_name("PRTP", routing_table(PrtKind::kLinkDevices)),
                              aml_name("PRTA", routing_table(PrtKind::kGlobalInterrupts))})));
  return image.end();
}

u32 add_root(ImageBuilder& image, std::string_view signature, std::span<const u32> tables) {
  image.begin(signature, 1);
  for (u32 table : tables) image.pointer(table, signature == "XSDT" ? 8 : 4);
  return image.end();
}

// ACPI "Root System Description Pointer (RSDP) Structure".
AcpiImage finish_with_rsdp(ImageBuilder& image, u32 rsdt, u32 xsdt) {
  constexpr u32 kRsdpV1Bytes = 20, kRsdpBytes = 36;
  ByteWriter rsdp;
  rsdp.text("RSD PTR ", 8).byte(0).text(kOemId, 6).byte(2).dword(rsdt);
  rsdp.dword(kRsdpBytes).qword(xsdt).byte(0).zeros(3);
  const AcpiImage::Pointer pointers[] = {{Part::kRsdp, 16, 4}, {Part::kRsdp, 24, 8}};
  const AcpiImage::Checksum checksums[] = {{Part::kRsdp, 8, 0, kRsdpV1Bytes},
                                           {Part::kRsdp, 32, 0, kRsdpBytes}};
  return image.finish(std::move(rsdp), pointers, checksums);
}

}  // namespace

void AcpiImage::link(Hpa base) {
  const auto part = [&](Part which) { return std::span<u8>(which == Part::kRsdp ? rsdp : tables); };
  for (const Pointer& pointer : pointers) {
    const std::span<u8> field = part(pointer.in).subspan(pointer.offset, pointer.bytes);
    store_little_endian(field, load_little_endian(field) + base.value);
  }
  for (const Checksum& sum : checksums) {
    part(sum.in)[sum.offset] = checksum_of(part(sum.in).subspan(sum.start, sum.length));
  }
}

AcpiImage build_acpi(const TablesConfig& config, const MemoryLayout& layout) {
  SIM_CHECK(!config.apic_ids.empty());
  ImageBuilder image;
  const u32 facs = add_facs(image);
  const u32 dsdt = image.add("DSDT", std::span<const u8>(dsdt_aml_code), 16);
  const u32 tables[] = {add_fadt(image, facs, dsdt), add_madt(image, config),
                        add_hpet(image, config), add_mcfg(image), add_ssdt(image, config, layout)};
  const u32 rsdt = add_root(image, "RSDT", tables);
  const u32 xsdt = add_root(image, "XSDT", tables);
  return finish_with_rsdp(image, rsdt, xsdt);
}

Hpa place_acpi(const TablesConfig& config, const MemoryLayout& layout, GuestMemory& memory) {
  AcpiImage image = build_acpi(config, layout);
  SIM_CHECK(image.tables.size() <= kAcpiAreaBytes);
  image.link(layout.acpi_area);
  SIM_CHECK(memory.write(layout.acpi_area, image.tables));
  SIM_CHECK(memory.write(kRsdpArea, image.rsdp));
  return kRsdpArea;
}

// 64BIT_WAKE_SUPPORTED_F is clear in the FACS that is placed, so that no vector is a 64-bit one.
WakingVectors read_waking_vectors(const MemoryLayout& layout, const GuestMemory& memory) {
  std::array<u8, 64> facs{};
  SIM_CHECK(memory.read(layout.acpi_area, facs));
  const std::span<const u8> bytes(facs);
  if (std::string_view(reinterpret_cast<const char*>(facs.data()), 4) != "FACS") return {};
  return {.real_mode = Hpa(load_little_endian(bytes.subspan(12, 4))),
          .protected_mode = Hpa(load_little_endian(bytes.subspan(24, 8)))};
}

}  // namespace vtsim::firmware_tables
