#include "model/chipset/fw_cfg.h"

#include <algorithm>
#include <array>

#include "model/base/check.h"

namespace vtsim::chipset {
namespace {

constexpr u64 kSelector = 0, kData = 1, kDmaHigh = 4, kDmaLow = 8;
constexpr u64 kDmaSignature = 0x5145'4d55'2043'4647;  // "QEMU CFG", first letter highest
constexpr u32 kTraditionalAndDma = 3;
constexpr unsigned kDescriptorBytes = 16;

struct DmaControl {
  static constexpr Field SELECTOR{31, 16};
  static constexpr Flag WRITE{4};
  static constexpr Flag SELECT{3};
  static constexpr Flag SKIP{2};
  static constexpr Flag READ{1};
  static constexpr Flag ERROR{0};
};
constexpr Field kLow{31, 0}, kHigh{63, 32};

u64 from_big_endian(std::span<const u8> bytes) {
  u64 value = 0;
  for (const u8 byte : bytes) value = value << 8 | byte;
  return value;
}

void append_big_endian(std::vector<u8>& out, u64 value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) {
    out.push_back(static_cast<u8>(bits(value, 8 * i + 7, 8 * i)));
  }
}

// A guest's port access is little-endian, the device's registers are big-endian.
u32 swap_bytes(u64 value) { return __builtin_bswap32(static_cast<u32>(value)); }

}  // namespace

FwCfg::FwCfg(MemoryPort& memory) : memory_(memory) {
  add_item(kSignature, {'Q', 'E', 'M', 'U'});
  add_item(kInterfaceVersion, {kTraditionalAndDma, 0, 0, 0});
  rebuild_directory();
}

void FwCfg::add_item(u16 key, std::vector<u8> bytes) {
  SIM_CHECK(!items_.contains(key));
  items_[key].bytes = std::move(bytes);
}

u16 FwCfg::add_file(const std::string& name, std::vector<u8> bytes) {
  SIM_CHECK(name.size() <= kMaxName && file_names_.size() <= kLastFile - kFirstFile, name);
  SIM_CHECK(std::find(file_names_.begin(), file_names_.end(), name) == file_names_.end(), name);
  const u16 key = static_cast<u16>(kFirstFile + file_names_.size());
  file_names_.push_back(name);
  add_item(key, std::move(bytes));
  rebuild_directory();
  return key;
}

u16 FwCfg::add_writable_file(const std::string& name, std::vector<u8> bytes,
                             WriteListener listener) {
  const u16 key = add_file(name, std::move(bytes));
  items_[key].writable = true;
  items_[key].listener = std::move(listener);
  return key;
}

// Directory: count; then for each file its size, key, two reserved bytes and its name of 56 bytes.
void FwCfg::rebuild_directory() {
  std::vector<u8> bytes;
  append_big_endian(bytes, file_names_.size(), 4);
  for (std::size_t i = 0; i < file_names_.size(); ++i) {
    const u16 key = static_cast<u16>(kFirstFile + i);
    append_big_endian(bytes, items_[key].bytes.size(), 4);
    append_big_endian(bytes, key, 2);
    append_big_endian(bytes, 0, 2);
    const std::string& name = file_names_[i];
    bytes.insert(bytes.end(), name.begin(), name.end());
    bytes.resize(bytes.size() + kMaxName + 1 - name.size());
  }
  items_[kDirectory].bytes = std::move(bytes);
}

void FwCfg::select(u16 key) {
  selected_ = key;
  position_ = 0;
}

u8 FwCfg::next_byte() {
  const auto item = items_.find(selected_);
  if (item == items_.end() || position_ >= item->second.bytes.size()) return 0;
  return item->second.bytes[position_++];
}

u64 FwCfg::read(u64 offset, unsigned size, Ps /*now*/) {
  if (offset == kData && size == 1) return next_byte();
  if (offset < kDmaHigh) return low_mask(8 * size);
  u64 value = 0;  // the signature's bytes in the order of their ports
  for (unsigned i = 0; i < size; ++i) {
    const unsigned low = static_cast<unsigned>(8 * (7 - (offset - kDmaHigh + i)));
    value = Field{8 * i + 7, 8 * i}.put(value, bits(kDmaSignature, low + 7, low));
  }
  return value;
}

void FwCfg::write(u64 offset, unsigned size, u64 value, Ps now) {
  if (offset == kSelector && size == 2) select(static_cast<u16>(value));
  if (size != 4) return;
  if (offset == kDmaHigh) dma_address_ = kHigh.put(dma_address_, swap_bytes(value));
  if (offset == kDmaLow) {
    dma_address_ = kLow.put(dma_address_, swap_bytes(value));
    run_dma(now);
    dma_address_ = 0;
  }
}

void FwCfg::run_dma(Ps now) {
  const Hpa descriptor(dma_address_);
  std::array<u8, kDescriptorBytes> bytes;
  if (!memory_.read(descriptor, bytes, now)) return;
  const std::span<const u8> all(bytes);
  const u32 control = static_cast<u32>(from_big_endian(all.first(4)));
  const u32 length = static_cast<u32>(from_big_endian(all.subspan(4, 4)));
  const bool done = transfer(control, length, Hpa(from_big_endian(all.last(8))), now);
  std::vector<u8> result;
  append_big_endian(result, done ? 0 : DmaControl::ERROR.mask(), 4);
  memory_.write(descriptor, result, now);
}

bool FwCfg::transfer(u32 control_value, u32 length, Hpa address, Ps now) {
  const Reg<DmaControl> control(control_value);
  if (control[DmaControl::SELECT]) select(static_cast<u16>(control[DmaControl::SELECTOR]));
  if (control[DmaControl::READ]) return copy_out(length, address, now);
  if (control[DmaControl::WRITE]) return copy_in(length, address, now);
  if (control[DmaControl::SKIP]) {
    const u64 end = u64{position_} + length;
    position_ = static_cast<u32>(std::min<u64>(end, ~u32{0}));
  }
  return true;
}

// What lies behind the item's end is read as zeros. In pieces: a guest names any length.
bool FwCfg::copy_out(u32 length, Hpa address, Ps now) {
  static constexpr u32 kPiece = 0x1'0000;
  const auto item = items_.find(selected_);
  static const std::vector<u8> kNothing;
  const std::vector<u8>& bytes = item == items_.end() ? kNothing : item->second.bytes;
  std::vector<u8> piece;
  while (length != 0) {
    const u32 size = std::min(length, kPiece);
    const std::size_t from = std::min<std::size_t>(position_, bytes.size());
    const std::size_t present = std::min<std::size_t>(size, bytes.size() - from);
    piece.assign(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                 bytes.begin() + static_cast<std::ptrdiff_t>(from + present));
    piece.resize(size);
    if (!memory_.write(address, piece, now)) return false;
    position_ = static_cast<u32>(from + present);
    address += size;
    length -= size;
  }
  return true;
}

// Within a writable file only: it keeps its size.
bool FwCfg::copy_in(u32 length, Hpa address, Ps now) {
  const auto found = items_.find(selected_);
  if (found == items_.end() || !found->second.writable) return false;
  Item& item = found->second;
  if (position_ > item.bytes.size() || length > item.bytes.size() - position_) return false;
  if (!memory_.read(address, std::span(item.bytes).subspan(position_, length), now)) return false;
  position_ += length;
  if (item.listener) item.listener(item.bytes, now);
  return true;
}

void FwCfg::reset(Ps /*now*/) {
  select(0);
  dma_address_ = 0;
}

FwCfg::State FwCfg::state() const {
  State state{.selected = selected_, .position = position_, .dma_address = dma_address_,
              .writable = {}};
  for (const auto& [key, item] : items_) {
    if (item.writable) state.writable[key] = item.bytes;
  }
  return state;
}

void FwCfg::restore(const State& state) {
  selected_ = state.selected;
  position_ = state.position;
  dma_address_ = state.dma_address;
  for (const auto& [key, bytes] : state.writable) {
    SIM_CHECK(items_.contains(key) && items_[key].writable);
    items_[key].bytes = bytes;
  }
}

}  // namespace vtsim::chipset
