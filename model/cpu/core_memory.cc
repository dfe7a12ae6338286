// The slow half of a core's memory accesses: everything that the host-pointer arrays don't hold.

#include <algorithm>
#include <cstring>

#include "model/cpu/apic/local_apic.h"
#include "model/cpu/core.h"
#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/vmx.h"
#include "model/cpu/interrupts.h"

namespace vtsim::cpu {

bool Core::raise_walk_fault(const Op* op, const mmu::WalkFault& fault) {
  if (fault.stage == mmu::Stage::kStage2) {
    raise_stage2_fault(*this, op, fault);
    return false;
  }
  raise(Event{.vector = kPf,
              .has_error_code = true,
              .error_code = mmu::pf_error_code(fault),
              .cr2 = fault.linear.value});
  return false;
}

// The way through store and walker, announced when it led to memory.
mmu::WalkResult Core::walk(u64 lin, mmu::Access access) {
  const u64 references = paging_->table_reads();
  const mmu::WalkResult result = paging_->translate(Lin(lin), access);
  const Probe<WalkEvent>& probe = environment_.shared.probes.walk;
  if (!probe || paging_->table_reads() == references) return result;
  constexpr std::string_view kKinds[] = {"read", "write", "fetch"};
  WalkEvent event{.stamp = stamp(),
                  .linear = lin,
                  .access = kKinds[static_cast<unsigned>(access.kind)],
                  .is_user = access.is_user(),
                  .faulted = !result,
                  .references = static_cast<u32>(paging_->table_reads() - references)};
  if (result) {
    event.physical = result.translation().at(Lin(lin)).value;
    event.page_shift = result.translation().page_shift;
  }
  probe.emit(event);
  return result;
}

// ---- devices

bool Core::is_apic_page(Hpa address) const { return environment_.apic.claims(address.page()); }

// Only reached between instructions or by an instruction that runs alone.
u64 Core::now_cycle() const {
  return in_chain_ ? target_cycle_ - static_cast<u64>(budget) - block->instructions : cycle_;
}

namespace {

void announce_access(Core& core, bool is_write, Hpa address, unsigned size, u64 value) {
  const Probe<BusAccessEvent>& probe = core.environment().shared.probes.bus_access;
  if (probe)
    probe.emit({.stamp = core.stamp(), .space = "mmio", .is_write = is_write,
                .address = address.value, .size = size, .value = value, .rip = core.state.rip});
}

}  // namespace

u64 Core::device_read(Hpa address, unsigned size) {
  const Ps now = time_of_cycle(now_cycle());
  request_sync();
  const u64 value = is_apic_page(address)
                        ? environment_.apic.read(address.page_offset(), size, now)
                        : environment_.bus.read(address, size, {.in_smm = state.in_smm}, now);
  announce_access(*this, false, address, size, value);
  return value;
}

void Core::device_write(Hpa address, unsigned size, u64 value) {
  const Ps now = time_of_cycle(now_cycle());
  request_sync();
  if (is_apic_page(address)) {
    environment_.apic.write(address.page_offset(), size, value, now);
  } else {
    environment_.bus.write(address, size, value, {.in_smm = state.in_smm}, now);
  }
  announce_access(*this, true, address, size, value);
}

// Instructions that reach devices or change their own code run as blocks of one, so that what they
// cause is looked at right after them, and so that time is exact.
bool Core::needs_to_run_alone() {
  if (!in_chain_ || block->mode[ModeBits::ALONE] || block->instructions == 1) return false;
  raised = {};
  chain_end = ChainEnd::kAlone;
  return true;
}

// ---- one page

namespace {

// Splits what no bus transaction carries in one: odd sizes and unaligned accesses.
unsigned largest_transaction(u64 address, unsigned size) {
  unsigned piece = 8;
  while (piece > size || (address & (piece - 1)) != 0) piece /= 2;
  return piece;
}

}  // namespace

bool Core::read_page_piece(const Op* op, const mmu::Translation& t, u64 lin, u8* out,
                           unsigned size) {
  const Hpa hpa = t.at(Lin(lin));
  const HostPage page = is_apic_page(hpa) ? HostPage{} : environment_.bus.host_page(hpa.page(), state.in_smm);
  if (page.read != nullptr) {
    std::memcpy(out, page.read + hpa.page_offset(), size);
    return true;
  }
  if (op != nullptr && needs_to_run_alone()) return false;
  for (unsigned done = 0; done < size;) {
    const unsigned piece = largest_transaction(hpa.value + done, size - done);
    const u64 value = device_read(hpa + done, piece);
    std::memcpy(out + done, &value, piece);
    done += piece;
  }
  return true;
}

bool Core::write_page_piece(const Op* op, const mmu::Translation& t, u64 lin, const u8* in,
                            unsigned size) {
  const Hpa hpa = t.at(Lin(lin));
  const HostPage page = is_apic_page(hpa) ? HostPage{} : environment_.bus.host_page(hpa.page(), state.in_smm);
  if (page.write != nullptr) {
    BlockCache& blocks = environment_.shared.blocks;
    if (blocks.page_is_watched(hpa.page().value)) {
      const bool own_code = op != nullptr && BlockCache::covers(*block, hpa.value, size);
      if (own_code && needs_to_run_alone()) return false;
      if (own_code) request_sync();
      environment_.shared.before_write(hpa.value, size);
    }
    std::memcpy(page.write + hpa.page_offset(), in, size);
    return true;
  }
  if (op != nullptr && needs_to_run_alone()) return false;
  for (unsigned done = 0; done < size;) {
    const unsigned piece = largest_transaction(hpa.value + done, size - done);
    u64 value = 0;
    std::memcpy(&value, in + done, piece);
    device_write(hpa + done, piece, value);
    done += piece;
  }
  return true;
}

// ---- linear accesses

namespace {

// Linear addresses have 32 bits outside 64-bit mode, but the processor's own accesses to tables and to
// the stacks of interrupts (no op) have 64 in all of IA-32e mode.
u64 wrapped(const CoreState& state, const Op* op, u64 lin) {
  return state.mode64() || (op == nullptr && state.long_mode()) ? lin : lin & low_mask(32);
}

bool misaligned(u64 lin, unsigned size) {
  return size <= 8 && (size & (size - 1)) == 0 && (lin & (size - 1)) != 0;
}

}  // namespace

// The access as a whole is checked before any byte moves; with neither buffer none does.
bool Core::access_bytes(const Op* op, u64 lin, u8* read_into, const u8* write_from, unsigned size,
                        mmu::Access access) {
  const unsigned first = static_cast<unsigned>(
      std::min<u64>(size, kPageSize - (lin & kPageOffsetMask)));
  const mmu::WalkResult head = walk(lin, access);
  if (!head) return raise_walk_fault(op, head.fault());
  const mmu::Translation head_page = head.translation();
  mmu::Translation tail_page;
  const u64 tail_lin = wrapped(state, op, lin + first);
  if (first < size) {
    const mmu::WalkResult tail = walk(tail_lin, access);
    if (!tail) return raise_walk_fault(op, tail.fault());
    tail_page = tail.translation();
  }
  if (read_into == nullptr && write_from == nullptr) return true;
  if (read_into != nullptr) {
    return read_page_piece(op, head_page, lin, read_into, first) &&
           (first == size || read_page_piece(op, tail_page, tail_lin, read_into + first, size - first));
  }
  const bool written =
      write_page_piece(op, head_page, lin, write_from, first) &&
      (first == size || write_page_piece(op, tail_page, tail_lin, write_from + first, size - first));
  if (written && observe_) environment_.observer.on_store(*this, lin, {write_from, size});
  return written;
}

// Non-canonical addresses of accesses that handlers form without segmentation_to_linear.
bool Core::check_canonical(const Op* op, u64 lin, unsigned size) {
  const unsigned width = state.cr4[Cr4::LA57] ? 57 : 48;
  const bool wide = state.mode64() || (op == nullptr && state.long_mode());
  if (!wide || (is_canonical(lin, width) && is_canonical(lin + size - 1, width))) return true;
  raise(op != nullptr && op->mem.segment() == kSs ? kSs_ : kGp, 0);
  return false;
}

// The arrays find an entry by an access's first byte and compare its tag with the page of the last one:
// a page that shares its entry with the page below stays out, lest an access across their border find it.
namespace {

bool may_be_cached(u64 lin) { return HostTlb::index(lin) != HostTlb::index(lin - kPageSize); }

}  // namespace

const u8* Core::slow_read(const Op& op, u64 lin, unsigned size) {
  if (!check_canonical(&op, lin, size)) return nullptr;
  if (alignment_checks_on() && misaligned(lin, size)) {
    raise(kAc, 0);
    return nullptr;
  }
  const mmu::Access access = paging_->access(mmu::AccessKind::kRead);
  if ((lin & kPageOffsetMask) + size <= kPageSize && !arrays_closed()) {
    const mmu::WalkResult result = walk(lin, access);
    if (!result) {
      raise_walk_fault(&op, result.fault());
      return nullptr;
    }
    const mmu::Translation& t = result.translation();
    const Hpa hpa = t.at(Lin(lin));
    const HostPage page =
        is_apic_page(hpa) ? HostPage{} : environment_.bus.host_page(hpa.page(), state.in_smm);
    if (page.read != nullptr) {
      if (may_be_cached(lin)) tlb->fill_read(lin, page.read, t.page_shift);
      return page.read + hpa.page_offset();
    }
  }
  if (!access_bytes(&op, lin, scratch, nullptr, size, access)) return nullptr;
  note_data_breakpoint(*this, lin, size, false);
  return scratch;
}

// A store to a page that the arrays hold for observed runs.
bool Core::store_observed(u64 lin, unsigned size, const u8* data) {
  u8* host = tlb->observed_write(lin, size);
  if (host == nullptr) return false;
  std::memcpy(host, data, size);
  environment_.observer.on_store(*this, lin, {data, size});
  return true;
}

bool Core::slow_write(const Op& op, u64 lin, unsigned size, const u8* data) {
  if (observe_ && store_observed(lin, size, data)) return true;
  if (!check_canonical(&op, lin, size)) return false;
  if (alignment_checks_on() && misaligned(lin, size)) {
    raise(kAc, 0);
    return false;
  }
  const mmu::Access access = paging_->access(mmu::AccessKind::kWrite);
  if ((lin & kPageOffsetMask) + size <= kPageSize && !arrays_closed()) {
    const mmu::WalkResult result = walk(lin, access);
    if (!result) return raise_walk_fault(&op, result.fault());
    const mmu::Translation& t = result.translation();
    const Hpa hpa = t.at(Lin(lin));
    const HostPage page =
        is_apic_page(hpa) ? HostPage{} : environment_.bus.host_page(hpa.page(), state.in_smm);
    if (page.write != nullptr && !environment_.shared.blocks.page_is_watched(hpa.page().value)) {
      if (may_be_cached(lin)) {
        observe_ ? tlb->fill_observed_write(lin, page.write, t.page_shift)
                 : tlb->fill_write(lin, page.write, t.page_shift);
      }
      std::memcpy(page.write + hpa.page_offset(), data, size);
      if (observe_) environment_.observer.on_store(*this, lin, {data, size});
      return true;
    }
  }
  if (!access_bytes(&op, lin, nullptr, data, size, access)) return false;
  note_data_breakpoint(*this, lin, size, true);
  return true;
}

bool Core::probe_write(const Op& op, u64 lin, unsigned size) {
  if (observe_ && tlb->observed_write(lin, size) != nullptr) return true;
  if (!check_canonical(&op, lin, size)) return false;
  if (alignment_checks_on() && misaligned(lin, size)) {
    raise(kAc, 0);
    return false;
  }
  const mmu::Access access = paging_->access(mmu::AccessKind::kWrite);
  const mmu::WalkResult head = walk(lin, access);
  if (!head) return raise_walk_fault(&op, head.fault());
  const u64 last = lin + size - 1;
  mmu::Translation pages[2] = {head.translation(), head.translation()};
  if ((lin ^ last) & ~kPageOffsetMask) {
    // CR2 is to be the lowest byte on the second page.
    const u64 second = align_down(last, kPageSize);
    const mmu::WalkResult tail = walk(wrapped(state, &op, second), access);
    if (!tail) return raise_walk_fault(&op, tail.fault());
    pages[1] = tail.translation();
  }
  // What will make the write run alone must do so before the read.
  const u64 ends[2] = {lin, last};
  for (unsigned n = 0; n < 2; ++n) {
    const Hpa hpa = pages[n].at(Lin(ends[n]));
    const bool device = is_apic_page(hpa) ||
                        environment_.bus.host_page(hpa.page(), state.in_smm).write == nullptr;
    const bool own_code = !device && BlockCache::covers(*block, hpa.value, 1);
    if ((device || own_code) && needs_to_run_alone()) return false;
  }
  return true;
}

bool Core::read_system(const Op*, u64 lin, void* out, unsigned size) {
  if (!check_canonical(nullptr, lin, size)) return false;
  const mmu::Access access{.kind = mmu::AccessKind::kRead,
                           .privilege = mmu::Privilege::kImplicitSupervisor};
  return access_bytes(nullptr, lin, static_cast<u8*>(out), nullptr, size, access);
}

// Without data the write is only checked.
bool Core::write_system(const Op*, u64 lin, const void* data, unsigned size) {
  if (!check_canonical(nullptr, lin, size)) return false;
  const mmu::Access access{.kind = mmu::AccessKind::kWrite,
                           .privilege = mmu::Privilege::kImplicitSupervisor};
  return access_bytes(nullptr, lin, nullptr, static_cast<const u8*>(data), size, access);
}

namespace {

mmu::Access access_as(const CoreState& state, unsigned cpl, mmu::AccessKind kind) {
  return {.kind = kind,
          .privilege = cpl == 3 ? mmu::Privilege::kUser : mmu::Privilege::kSupervisor,
          .ac = (state.rflags_other & Rflags::AC.mask()) != 0};
}

}  // namespace

// SDM 3A "Alignment Check Exception (#AC)": pushes to and pops from an inner stack are made at that
// stack's level, which is never checked.
bool Core::read_as(unsigned cpl, u64 lin, void* out, unsigned size) {
  if (cpl == 3 && alignment_checks_on() && misaligned(lin, size)) {
    raise(kAc, 0);
    return false;
  }
  if (!access_bytes(nullptr, lin, static_cast<u8*>(out), nullptr, size,
                    access_as(state, cpl, mmu::AccessKind::kRead)))
    return false;
  note_data_breakpoint(*this, lin, size, false);
  return true;
}

// Without data the write is only checked.
bool Core::write_as(unsigned cpl, u64 lin, const void* data, unsigned size) {
  if (cpl == 3 && alignment_checks_on() && misaligned(lin, size)) {
    raise(kAc, 0);
    return false;
  }
  if (!access_bytes(nullptr, lin, nullptr, static_cast<const u8*>(data), size,
                    access_as(state, cpl, mmu::AccessKind::kWrite)))
    return false;
  if (data != nullptr) note_data_breakpoint(*this, lin, size, true);
  return true;
}

bool Core::translate(u64 lin, Hpa& out) {
  if (!check_canonical(nullptr, lin, 1)) return false;
  const mmu::WalkResult result =
      walk(lin, paging_->access(mmu::AccessKind::kRead));
  if (!result) return raise_walk_fault(nullptr, result.fault());
  out = result.translation().at(Lin(lin));
  return true;
}

// ---- physical accesses

void Core::read_physical(Hpa address, void* out, unsigned size, RefKind kind) {
  auto* bytes = static_cast<u8*>(out);
  for (unsigned done = 0; done < size;) {
    const Hpa at = address + done;
    const unsigned piece = largest_transaction(at.value, size - done);
    const HostPage page = environment_.bus.host_page(at.page(), state.in_smm);
    const u64 value = page.read != nullptr ? 0
                                           : environment_.bus.read(at, piece,
                                                                   {.kind = kind, .in_smm = state.in_smm},
                                                                   time_of_cycle(now_cycle()));
    std::memcpy(bytes + done, page.read != nullptr ? page.read + at.page_offset()
                                                   : reinterpret_cast<const u8*>(&value), piece);
    done += piece;
  }
}

void Core::write_physical(Hpa address, const void* data, unsigned size, RefKind kind) {
  const auto* bytes = static_cast<const u8*>(data);
  for (unsigned done = 0; done < size;) {
    const Hpa at = address + done;
    const unsigned piece = largest_transaction(at.value, size - done);
    const HostPage page = environment_.bus.host_page(at.page(), state.in_smm);
    if (page.write != nullptr) {
      environment_.shared.before_write(at.value, piece);
      std::memcpy(page.write + at.page_offset(), bytes + done, piece);
    } else {
      u64 value = 0;
      std::memcpy(&value, bytes + done, piece);
      environment_.bus.write(at, piece, value, {.kind = kind, .in_smm = state.in_smm},
                             time_of_cycle(now_cycle()));
    }
    done += piece;
  }
}

}  // namespace vtsim::cpu

// Called by engine/thunks.S.
extern "C" const vtsim::u8* vtsim_slow_read(vtsim::cpu::Core* core, const vtsim::cpu::Op* op,
                                            vtsim::u64 lin, unsigned size) {
  return core->slow_read(*op, lin, size);
}

extern "C" vtsim::u64 vtsim_slow_store(vtsim::cpu::Core* core, const vtsim::cpu::Op* op,
                                       vtsim::u64 lin, unsigned size, vtsim::u64 value) {
  vtsim::u8 bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  return core->slow_write(*op, lin, size, bytes);
}

extern "C" vtsim::u64 vtsim_probe_write(vtsim::cpu::Core* core, const vtsim::cpu::Op* op,
                                        vtsim::u64 lin, unsigned size) {
  return core->probe_write(*op, lin, size);
}
