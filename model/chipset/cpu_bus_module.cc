#include "model/chipset/cpu_bus_module.h"

#include <algorithm>
#include <cstring>

#include "model/base/bits.h"

namespace vtsim::chipset {
namespace {
constexpr Flag kA20{20};
}

CpuBusModule::CpuBusModule(sc_core::sc_module_name name, u8 core)
    : sc_module(name), socket("socket"), core_(core) {
  socket.register_invalidate_direct_mem_ptr(this, &CpuBusModule::invalidate);
  socket.register_nb_transport_bw(this, &CpuBusModule::snoop);
}

void CpuBusModule::set_a20(bool level) {
  const u64 mask = level ? ~u64{0} : ~kA20.mask();
  if (mask == address_mask_) return;
  address_mask_ = mask;
  if (listener_) listener_->on_map_change();
}

u64 CpuBusModule::masked(Hpa address) const { return address.value & address_mask_; }

u64 CpuBusModule::transfer(BusTransaction::Command command, u64 address, unsigned size, u64 value,
                           const BusInfo& info, Ps now) {
  std::array<u8, 8> bytes;
  std::memcpy(bytes.data(), &value, bytes.size());
  BusTransaction transaction{.command = command,
                             .address = address,
                             .data = std::span(bytes).first(size),
                             .info = info};
  transaction.info.core = core_;
  payload_.send(socket, transaction, now);
  u64 result = 0;
  std::memcpy(&result, bytes.data(), size);
  return result;
}

u64 CpuBusModule::read(Hpa address, unsigned size, const BusAttributes& attributes, Ps now) {
  const BusInfo info{.kind = attributes.kind, .in_smm = attributes.in_smm};
  return transfer(BusTransaction::Command::kRead, masked(address), size, 0, info, now);
}

void CpuBusModule::write(Hpa address, unsigned size, u64 value, const BusAttributes& attributes,
                         Ps now) {
  const BusInfo info{.kind = attributes.kind, .in_smm = attributes.in_smm};
  transfer(BusTransaction::Command::kWrite, masked(address), size, value, info, now);
}

u64 CpuBusModule::port_in(u16 port, unsigned size, Ps now) {
  const BusInfo info{.space = BusSpace::kPort};
  return transfer(BusTransaction::Command::kRead, port, size, 0, info, now);
}

void CpuBusModule::port_out(u16 port, unsigned size, u64 value, Ps now) {
  const BusInfo info{.space = BusSpace::kPort};
  transfer(BusTransaction::Command::kWrite, port, size, value, info, now);
}

u8 CpuBusModule::acknowledge_interrupt(Ps now) {
  const BusInfo info{.space = BusSpace::kInterruptAcknowledge};
  return static_cast<u8>(transfer(BusTransaction::Command::kRead, 0, 1, 0, info, now));
}

HostPage CpuBusModule::host_page(Hpa page, bool in_smm) {
  const u64 first = masked(page.page());
  const u64 last = first + kPageOffsetMask;
  const HostRange& range = granted(first, in_smm ? View::kSmm : View::kNormal);
  if (first < range.first || last > range.last) return {};  // registers on a part of the page
  const u64 inside = first - range.first;
  return {.read = range.read ? range.read + inside : nullptr,
          .write = range.write ? range.write + inside : nullptr};
}

const HostRange& CpuBusModule::granted(u64 page, View view) {
  Grants& grants = grants_[static_cast<std::size_t>(view)];
  const auto holds = [page](const HostRange& r) { return page >= r.first && page <= r.last; };
  if (grants.last_hit < grants.ranges.size() && holds(grants.ranges[grants.last_hit])) {
    return grants.ranges[grants.last_hit];
  }
  auto found = std::find_if(grants.ranges.begin(), grants.ranges.end(), holds);
  if (found == grants.ranges.end()) {
    grants.ranges.push_back(ask_for_grant(page, view));
    found = grants.ranges.end() - 1;
  }
  grants.last_hit = static_cast<std::size_t>(found - grants.ranges.begin());
  return *found;
}

// A DMI descriptor has one pointer; reads and writes may have different ones (PAM), so each is asked
// for, and the grant is where both hold.
HostRange CpuBusModule::ask_for_grant(u64 page, View view) {
  HostRange range;
  narrow(range, BusTransaction::Command::kRead, page, view);
  narrow(range, BusTransaction::Command::kWrite, page, view);
  return range;
}

void CpuBusModule::narrow(HostRange& range, BusTransaction::Command command, u64 page, View view) {
  const BusTransaction question{
      .command = command,
      .address = page,
      .data = {},
      .info = {.core = core_, .in_smm = view == View::kSmm}};
  tlm::tlm_dmi dmi;
  const bool allowed = socket->get_direct_mem_ptr(dmi_payload_.fill(question), dmi);
  const u64 first = std::max<u64>(range.first, dmi.get_start_address());
  const u64 moved = first - range.first;
  if (range.read) range.read += moved;
  range.first = first;
  range.last = std::min<u64>(range.last, dmi.get_end_address());
  if (!allowed) return;
  u8* const host = dmi.get_dmi_ptr() + (range.first - dmi.get_start_address());
  (command == BusTransaction::Command::kWrite ? range.write : range.read) = host;
}

void CpuBusModule::invalidate(sc_dt::uint64 /*first*/, sc_dt::uint64 /*last*/) {
  for (Grants& grants : grants_) grants = {};
  if (listener_) listener_->on_map_change();
}

tlm::tlm_sync_enum CpuBusModule::snoop(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& /*delay*/) {
  if (phase == SNOOP_WRITE && listener_) {
    listener_->on_memory_write(Hpa(payload.get_address()), payload.get_data_length());
  }
  return tlm::TLM_ACCEPTED;
}

}  // namespace vtsim::chipset
