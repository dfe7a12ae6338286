#include "model/device/pci_function.h"

#include <bit>
#include <cstring>

#include "model/base/bits.h"
#include "model/base/check.h"
#include "model/device/pci_registers.h"

namespace vtsim::device {
namespace {

using namespace pci;

u64 load(const u8* from, unsigned bytes) {
  u64 value = 0;
  std::memcpy(&value, from, bytes);
  return value;
}

void store(u8* to, unsigned bytes, u64 value) { std::memcpy(to, &value, bytes); }

constexpr bool is_64_bit(BarKind kind) {
  return kind == BarKind::kMemory64 || kind == BarKind::kPrefetchable64;
}

constexpr unsigned bar_offset(unsigned index) { return kBar0 + 4 * index; }
constexpr unsigned bar_bytes(BarKind kind) { return is_64_bit(kind) ? 8 : 4; }

// The read-only low bits that tell software what kind of BAR it is.
constexpr u64 bar_type_bits(BarKind kind) {
  Reg<Bar> bits;
  if (kind == BarKind::kIo) bits.set(Bar::IO, 1);
  if (is_64_bit(kind)) bits.set(Bar::TYPE, 2);
  if (kind == BarKind::kPrefetchable64) bits.set(Bar::PREFETCHABLE, 1);
  return bits.value;
}

}  // namespace

PciFunction::PciFunction(std::string name, const PciIdentity& id)
    : name_(std::move(name)), interrupt_pin_(id.interrupt_pin) {
  const u64 header_type = id.multifunction ? HeaderType::MULTIFUNCTION.mask() : 0;
  const u64 command_bits = Command::IO.mask() | Command::MEMORY.mask() |
                           Command::BUS_MASTER.mask() | Command::PARITY.mask() |
                           Command::SERR.mask() | Command::INTX_DISABLE.mask();
  const ConfigRow rows[] = {
      {"VID", kVendorId, 2, id.vendor},
      {"DID", kDeviceId, 2, id.device},
      {"CMD", kCommand, 2, 0, command_bits},
      {"STS", kStatus, 2, 0},
      {"RID", kRevision, 1, id.revision},
      {"CC", kClassCode, 1, bits(id.class_code, 7, 0)},
      {"SCC", kClassCode + 1, 2, bits(id.class_code, 23, 8)},
      {"HTYPE", kHeaderType, 1, header_type},
      {"SVID", kSubsystemVendor, 2, id.subsystem_vendor},
      {"SID", kSubsystem, 2, id.subsystem},
      {"INTLN", kInterruptLine, 1, 0, 0xff},
      {"INTPN", kInterruptPin, 1, id.interrupt_pin},
  };
  add_rows(rows);
}

void PciFunction::set_row(const ConfigRow& row) {
  store(&state_.config[row.offset], row.bytes, row.reset);
  store(&rw_[row.offset], row.bytes, row.rw);
  store(&w1c_[row.offset], row.bytes, row.w1c);
}

void PciFunction::add_rows(std::span<const ConfigRow> rows) {
  for (const ConfigRow& row : rows) {
    SIM_CHECK(std::has_single_bit(row.bytes) && row.bytes <= 8, row.name);
    SIM_CHECK(row.offset + row.bytes <= kConfigBytes, row.name);
    rows_.push_back(row);
    set_row(row);
  }
}

void PciFunction::add_bar(const BarDeclaration& bar) {
  const unsigned last = bar.index + (is_64_bit(bar.kind) ? 1 : 0);
  SIM_CHECK(last < kBars && std::has_single_bit(bar.bytes), name_);
  SIM_CHECK(bar.bytes >= (bar.kind == BarKind::kIo ? 4u : 16u), name_);
  bars_[bar.index] = {.target = bar.target, .kind = bar.kind, .bytes = bar.bytes};
  const u64 type = bar_type_bits(bar.kind);
  const ConfigRow row{"BAR", static_cast<u16>(bar_offset(bar.index)),
                      static_cast<u8>(bar_bytes(bar.kind)), type, ~(bar.bytes - 1)};
  add_rows(std::span(&row, 1));
}

void PciFunction::add_capability(u8 id, u8 offset) {
  const unsigned link = last_capability_ == 0 ? kCapabilities : last_capability_;
  const ConfigRow rows[] = {
      {"CAP_PTR", static_cast<u16>(link), 1, offset},
      {"CAP_ID", offset, 1, id},
      {"NXT_PTR", static_cast<u16>(offset + 1), 1, 0},
      {"STS", kStatus, 2, config_get(kStatus, 2) | Status::CAPABILITIES.mask()},
  };
  add_rows(rows);
  last_capability_ = offset + 1u;
}

void PciFunction::add_msi(u8 offset, unsigned vectors) {
  SIM_CHECK(std::has_single_bit(vectors) && vectors <= 32, name_);
  add_capability(kMsiCapability, offset);
  msi_ = offset;
  const u64 control = Reg<msi::Control>()
                          .with(msi::Control::MULTIPLE_CAPABLE, std::bit_width(vectors) - 1u)
                          .with(msi::Control::ADDRESS_64, 1)
                          .with(msi::Control::PER_VECTOR_MASKING, 1)
                          .value;
  const u64 control_rw = msi::Control::ENABLE.mask() | msi::Control::MULTIPLE_ENABLE.mask();
  const auto at = [offset](unsigned within) { return static_cast<u16>(offset + within); };
  const ConfigRow rows[] = {
      {"MSI_CTL", at(msi::kControl), 2, control, control_rw},
      {"MSI_ADDR", at(msi::kAddress), 8, 0, ~u64{3}},
      {"MSI_DATA", at(msi::kData), 2, 0, 0xffff},
      {"MSI_MASK", at(msi::kMask), 4, 0, low_mask(vectors)},
      {"MSI_PENDING", at(msi::kPending), 4, 0},
  };
  add_rows(rows);
}

void PciFunction::add_msix(u8 offset, const MsixGeometry& geometry) {
  SIM_CHECK(geometry.vectors >= 1 && geometry.vectors <= 2048, name_);
  add_capability(kMsixCapability, offset);
  msix_ = offset;
  msix_geometry_ = geometry;
  state_.msix_table.assign(std::size_t{geometry.vectors} * msix::kEntryBytes, 0);
  state_.msix_pending.assign(align_up(geometry.vectors, 64) / 8, 0);
  const u64 control_rw = msix::Control::ENABLE.mask() | msix::Control::FUNCTION_MASK.mask();
  const auto at = [offset](unsigned within) { return static_cast<u16>(offset + within); };
  const ConfigRow rows[] = {
      {"MSIX_CTL", at(msix::kControl), 2, geometry.vectors - 1u, control_rw},
      {"MSIX_TABLE", at(msix::kTable), 4, geometry.table_offset | geometry.bar},
      {"MSIX_PBA", at(msix::kPba), 4, geometry.pba_offset | geometry.bar},
  };
  add_rows(rows);
  for (unsigned v = 0; v < geometry.vectors; ++v) {
    state_.msix_table[msix_entry(v) + msix::kEntryControl] = msix::VectorControl::MASK.mask();
  }
}

void PciFunction::attach(PciFabric& fabric, Bdf where) {
  fabric_ = &fabric;
  bdf_ = where;
}

u64 PciFunction::config_get(unsigned offset, unsigned bytes) const {
  return load(&state_.config[offset], bytes);
}

void PciFunction::config_set(unsigned offset, unsigned bytes, u64 value) {
  store(&state_.config[offset], bytes, value);
}

u32 PciFunction::config_read(unsigned offset, unsigned size, Ps /*now*/) {
  SIM_CHECK(offset + size <= kConfigBytes && size <= 4);
  return static_cast<u32>(config_get(offset, size));
}

bool PciFunction::touches(unsigned offset, unsigned size, unsigned first, unsigned bytes) {
  return offset < first + bytes && first < offset + size;
}

void PciFunction::config_write(unsigned offset, unsigned size, u32 value, Ps now) {
  SIM_CHECK(offset + size <= kConfigBytes && size <= 4);
  const u64 old = config_get(offset, size);
  const u64 rw = load(&rw_[offset], size);
  const u64 w1c = load(&w1c_[offset], size);
  config_set(offset, size, ((old & ~rw) | (value & rw)) & ~(value & w1c));

  const bool command = touches(offset, size, kCommand, 2);
  for (unsigned bar = 0; bar < kBars; ++bar) {
    if (bars_[bar].bytes == 0 || !fabric_) continue;
    if (command || touches(offset, size, bar_offset(bar), bar_bytes(bars_[bar].kind))) {
      fabric_->bar_changed(*this, bar);
    }
  }
  update_intx(now);
  update_pending_messages(now);
  on_config_write(offset, size, now);
}

void PciFunction::on_config_write(unsigned /*offset*/, unsigned /*size*/, Ps /*now*/) {}

void PciFunction::reset(Ps now) {
  for (const ConfigRow& row : rows_) set_row(row);
  for (unsigned v = 0; v < msix_geometry_.vectors; ++v) {
    std::memset(&state_.msix_table[msix_entry(v)], 0, msix::kEntryBytes);
    state_.msix_table[msix_entry(v) + msix::kEntryControl] = msix::VectorControl::MASK.mask();
  }
  std::fill(state_.msix_pending.begin(), state_.msix_pending.end(), u8{0});
  state_.interrupt_level = false;
  update_intx(now);
  bars_changed();
}

void PciFunction::restore(const State& state, Ps now) {
  SIM_CHECK(state.msix_table.size() == state_.msix_table.size(), name_);
  state_ = state;
  update_intx(now);
  bars_changed();
  on_restore(now);
}

void PciFunction::bars_changed() {
  for (unsigned bar = 0; bar < kBars; ++bar) {
    if (bars_[bar].bytes != 0 && fabric_) fabric_->bar_changed(*this, bar);
  }
}

bool PciFunction::memory_enabled() const {
  return Reg<Command>(config_get(kCommand, 2))[Command::MEMORY];
}
bool PciFunction::io_enabled() const { return Reg<Command>(config_get(kCommand, 2))[Command::IO]; }
bool PciFunction::bus_master_enabled() const {
  return Reg<Command>(config_get(kCommand, 2))[Command::BUS_MASTER];
}

// A BAR of all writable bits set is in the middle of being sized, and one of zero was never
// assigned: neither is mapped (PCI 3.0 leaves both to software that has decoding off).
std::optional<BarWindow> PciFunction::bar_window(unsigned index) const {
  const Bar& bar = bars_[index];
  if (bar.bytes == 0) return std::nullopt;
  const bool io = bar.kind == BarKind::kIo;
  if (!(io ? io_enabled() : memory_enabled())) return std::nullopt;
  const unsigned width = bar_bytes(bar.kind);
  const u64 base = config_get(bar_offset(index), width) & ~(bar.bytes - 1);
  const u64 limit = io ? 0xffff : low_mask(8 * width);
  if (base == 0 || bar.bytes - 1 > limit || base > limit - (bar.bytes - 1)) return std::nullopt;
  if (base == (low_mask(8 * width) & ~(bar.bytes - 1))) return std::nullopt;
  return BarWindow{.is_io = io, .base = base, .bytes = bar.bytes};
}

// ---- interrupts -------------------------------------------------------------------------------

bool PciFunction::msi_enabled() const {
  return msi_ != 0 && Reg<msi::Control>(config_get(msi_ + msi::kControl, 2))[msi::Control::ENABLE];
}

bool PciFunction::msix_enabled() const {
  return msix_ != 0 &&
         Reg<msix::Control>(config_get(msix_ + msix::kControl, 2))[msix::Control::ENABLE];
}

void PciFunction::set_interrupt_level(bool asserted, Ps now) {
  if (asserted == state_.interrupt_level) return;
  state_.interrupt_level = asserted;
  update_intx(now);
  if (asserted) send_message(0, now);
}

void PciFunction::update_intx(Ps now) {
  Reg<Status> status(config_get(kStatus, 2));
  status.set(Status::INTERRUPT, state_.interrupt_level);
  config_set(kStatus, 2, status.value);
  const bool disabled = Reg<Command>(config_get(kCommand, 2))[Command::INTX_DISABLE];
  intx_.set(state_.interrupt_level && !disabled && !msi_enabled() && !msix_enabled(), now);
}

void PciFunction::send_message(unsigned vector, Ps now) {
  if (msix_enabled()) {
    send_msix(vector, now);
  } else if (msi_enabled()) {
    send_msi(vector, now);
  }
}

void PciFunction::post(u64 address, u32 data, Ps now) {
  if (!bus_master_enabled() || !dma_) return;
  std::array<u8, 4> bytes;
  std::memcpy(bytes.data(), &data, bytes.size());
  dma_->write(Hpa(address), bytes, now);
}

u32 PciFunction::msi_word(unsigned offset) const {
  return static_cast<u32>(config_get(msi_ + offset, 4));
}

// PCI 3.0 "Per-vector Masking": what is sent while masked stays pending.
void PciFunction::send_msi(unsigned vector, Ps now) {
  if (bit(msi_word(msi::kMask), vector)) {
    config_set(msi_ + msi::kPending, 4, msi_word(msi::kPending) | Flag{vector}.mask());
    return;
  }
  const Reg<msi::Control> control(config_get(msi_ + msi::kControl, 2));
  const unsigned enabled = static_cast<unsigned>(control[msi::Control::MULTIPLE_ENABLE]);
  const u64 data = config_get(msi_ + msi::kData, 2);
  const u64 low = low_mask(enabled);  // the bits of the data that tell vectors apart
  post(config_get(msi_ + msi::kAddress, 8), static_cast<u32>((data & ~low) | (vector & low)), now);
}

bool PciFunction::msix_vector_masked(unsigned vector) const {
  const Reg<msix::Control> control(config_get(msix_ + msix::kControl, 2));
  return control[msix::Control::FUNCTION_MASK] ||
         bit(state_.msix_table[msix_entry(vector) + msix::kEntryControl],
             msix::VectorControl::MASK.position);
}

void PciFunction::send_msix(unsigned vector, Ps now) {
  if (vector >= msix_geometry_.vectors) return;
  if (msix_vector_masked(vector)) {
    state_.msix_pending[vector / 8] = static_cast<u8>(state_.msix_pending[vector / 8] | 1u << vector % 8);
    return;
  }
  const u8* const entry = &state_.msix_table[msix_entry(vector)];
  post(load(entry, 8), static_cast<u32>(load(entry + msix::kEntryData, 4)), now);
}

void PciFunction::update_pending_messages(Ps now) {
  if (msi_enabled()) {
    const u32 due = msi_word(msi::kPending) & ~msi_word(msi::kMask);
    config_set(msi_ + msi::kPending, 4, msi_word(msi::kPending) & ~due);
    for (unsigned v = 0; v < 32; ++v) {
      if (bit(due, v)) send_msi(v, now);
    }
  }
  if (msix_enabled()) {
    for (unsigned v = 0; v < msix_geometry_.vectors; ++v) {
      if (!bit(state_.msix_pending[v / 8], v % 8) || msix_vector_masked(v)) continue;
      state_.msix_pending[v / 8] = static_cast<u8>(state_.msix_pending[v / 8] & ~(1u << v % 8));
      send_msix(v, now);
    }
  }
}

u64 PciFunction::msix_read(u32 bar_offset, unsigned size) const {
  const auto read = [&](const std::vector<u8>& from, u32 base) -> std::optional<u64> {
    if (bar_offset < base || bar_offset - base + size > from.size()) return std::nullopt;
    return load(&from[bar_offset - base], size);
  };
  if (const auto entry = read(state_.msix_table, msix_geometry_.table_offset)) return *entry;
  return read(state_.msix_pending, msix_geometry_.pba_offset).value_or(0);
}

void PciFunction::msix_write(u32 bar_offset, unsigned size, u64 value, Ps now) {
  const u32 base = msix_geometry_.table_offset;
  if (bar_offset < base || bar_offset - base + size > state_.msix_table.size()) return;
  store(&state_.msix_table[bar_offset - base], size, value);
  update_pending_messages(now);
}

}  // namespace vtsim::device
