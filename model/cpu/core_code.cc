// From RIP to blocks: fetch translations, lookup, building, and the chains between blocks.

#include "model/base/check.h"
#include "model/cpu/core.h"
#include "model/cpu/engine/block_builder.h"
#include "model/cpu/engine/paging.h"
#include "model/cpu/environment.h"
#include "model/cpu/exec/exec.h"

namespace vtsim::cpu {

namespace {

u64 linear_of_rip(const CoreState& state, u64 rip) {
  return state.mode64() ? rip : (rip + state.seg[kCs].base) & 0xFFFFFFFF;
}

}  // namespace

u64 Core::linear_rip() const { return linear_of_rip(state, state.rip); }

// The host-physical page of an instruction fetch; false: raised.
bool Core::translate_fetch(u64 lin, u64& hpa_page) {
  const FetchEntry& entry = tlb->fetch[HostTlb::fetch_index(lin)];
  if (entry.tag == (lin & ~kPageOffsetMask)) {
    hpa_page = entry.hpa;
    return true;
  }
  if (!check_canonical(nullptr, lin, 1)) return false;
  const mmu::WalkResult result =
      walk(lin, paging_->access(mmu::AccessKind::kFetch));
  if (!result) return raise_walk_fault(nullptr, result.fault());
  hpa_page = result.translation().at(Lin(lin)).page().value;
  // Closed arrays stay empty: invalidations don't reach them.
  if (!arrays_closed()) tlb->fill_fetch(lin, hpa_page, result.translation().page_shift);
  return true;
}

Block* Core::find_block(Mode wanted) {
  const u64 lin = linear_of_rip(state, state.rip);
  const u64 cs_bytes = wanted[ModeBits::CODE_SIZE] == static_cast<u64>(CodeSize::k64)
                           ? ~u64{0}
                           : state.seg[kCs].limit + u64{1} - state.rip;
  if (wanted[ModeBits::CODE_SIZE] != static_cast<u64>(CodeSize::k64) &&
      state.rip > state.seg[kCs].limit) {
    raise(kGp, 0);
    return nullptr;
  }
  u64 page = 0;
  if (!translate_fetch(lin, page)) return nullptr;
  const BlockCache::Key key{
      .hpa = page | (lin & kPageOffsetMask), .lin = lin, .rip = state.rip, .mode = wanted};
  if (Block* found = environment_.shared.blocks.find(key)) {
    const bool within_limit = found->bytes <= cs_bytes;
    if (found->second_page == ~u64{0} && within_limit) return found;
    u64 second = 0;
    if (within_limit) {
      if (!translate_fetch((lin | kPageOffsetMask) + 1, second)) return nullptr;
      if (second == found->second_page) return found;
    }
    environment_.shared.blocks.drop(key.hpa, 1);
  }
  return build_block(key, cs_bytes);
}

// The instruction at RIP as a block of its own, by the table of recent targets.
Block* Core::find_block_alone() {
  const Mode wanted = mode.with(ModeBits::ALONE, 1);
  const u64 lin = linear_rip();
  Block* const known = tlb->jumps[HostTlb::jump_index(lin)];
  if (known != nullptr && known->lin == lin && known->rip == state.rip && known->mode == wanted)
    return known;
  Block* found = find_block(wanted);
  if (found != nullptr && !mode[ModeBits::CS_LIMITED] && found->second_page == ~u64{0})
    tlb->remember_jump(lin, found);
  return found;
}

Block* Core::build_block(const BlockCache::Key& key, u64 cs_bytes) {
  const auto page_bytes = [&](u64 hpa_page, std::array<u8, kPageSize>& copy) -> const u8* {
    const HostPage host = environment_.bus.host_page(Hpa(hpa_page), state.in_smm);
    if (host.read != nullptr) return host.read;
    for (unsigned at = 0; at < kPageSize; at += 8)  // code in a device's memory
      read_physical(Hpa(hpa_page + at), copy.data() + at, 8, RefKind::kCode);
    return copy.data();
  };
  std::array<u8, kPageSize> copies[2];
  const unsigned offset = static_cast<unsigned>(key.hpa & kPageOffsetMask);
  const CodeBytes code{page_bytes(key.hpa & ~kPageOffsetMask, copies[0]) + offset,
                       static_cast<unsigned>(kPageSize) - offset};
  auto result = builder_->build(*this, key, code, nullptr, cs_bytes);
  if (result.status == BlockBuilder::Status::kNeedsNextPage) {
    CodeBytes::NextPage next;
    if (!translate_fetch((key.lin | kPageOffsetMask) + 1, next.hpa)) return nullptr;
    next.bytes = page_bytes(next.hpa, copies[1]);
    result = builder_->build(*this, key, code, &next, cs_bytes);
  }
  environment_.shared.blocks.insert(result.block);
  return result.block;
}

// ---- ends of chains (exec/exec.h)

namespace {

// Enters `next`, which has been looked up for the current RIP.
inline Next enter(Core* core, Block* next) {
  core->block = next;
  core->budget -= next->instructions;
  if (core->budget < 0) VTSIM_END_CHAIN;
  VTSIM_DISPATCH(core, next->ops);
}

Next leave_at_rip(Core* core, ChainEnd why) {
  core->chain_end = why;
  VTSIM_END_CHAIN;
}

// Enters the block at state.rip, and hands it to `remember` first. At the end of the budget run() looks
// at events before the next instruction is fetched, which may fault: interrupts come first (SDM 3A
// "Priority Among Concurrent Events").
template <class Remember>
inline Next look_up(Core* core, Remember remember) {
  if (core->budget <= 0) return leave_at_rip(core, ChainEnd::kSynchronize);
  Block* next = core->find_block_at_rip();
  if (next == nullptr) VTSIM_END_CHAIN;  // as recorded
  remember(next);
  return enter(core, next);
}

// Goes to state.rip, which lies on any page, by the table of recent targets.
Next jump(Core* core) {
  const u64 rip = core->state.rip;
  const bool code64 = core->mode[ModeBits::CODE_SIZE] == static_cast<u64>(CodeSize::k64);
  const u64 lin = code64 ? rip : linear_of_rip(core->state, rip);
  Block* const known = core->tlb->jumps[HostTlb::jump_index(lin)];
  if (known != nullptr && known->lin == lin && known->rip == rip && known->mode == core->mode) [[likely]]
    return enter(core, known);
  return look_up(core, [&](Block* next) {
    if (!core->mode[ModeBits::CS_LIMITED] && next->second_page == ~u64{0})
      core->tlb->remember_jump(lin, next);
  });
}

}  // namespace

Next leave_on_fault(Core* core, const Op* op) {
  core->charge_until(*op);
  core->state.rip = core->rip_of(*op);
  VTSIM_END_CHAIN;
}

// The rest of the block is not run: it may have been decoded for another mode.
Next leave_synchronized(Core* core, const Op* op) {
  core->charge_until(op[1]);
  core->state.rip = core->next_rip(*op);
  return leave_at_rip(core, ChainEnd::kSynchronize);
}

Next leave_synchronized_at_rip(Core* core, const Op* op) {
  core->charge_until(op[1]);
  return leave_at_rip(core, ChainEnd::kSynchronize);
}

Next jump_to_rip(Core* core, const Op*) {
  if (core->block->mode[ModeBits::ALONE]) return leave_at_rip(core, ChainEnd::kSynchronize);
  return jump(core);
}

Next enter_far_link(Core* core, const Op*, unsigned taken) {
  Block* from = core->block;
  core->state.rip = from->successor[taken];
  // Blocks that run alone, that were dropped while they ran, or whose code is limited by CS.
  if (from->mode[ModeBits::ALONE] || from->hpa == ~u64{0})
    return leave_at_rip(core, ChainEnd::kSynchronize);
  const u64 lin = from->lin + (from->successor[taken] - from->rip);
  const bool same_page = ((lin ^ from->lin) & ~kPageOffsetMask) == 0;
  if (from->mode[ModeBits::CS_LIMITED] || !same_page) return jump(core);
  return look_up(core, [&](Block* next) {
    if (next->second_page == ~u64{0}) from->link[taken] = next;
  });
}

}  // namespace vtsim::cpu
