// SDM 3C "VM Entries > Checks on Guest Segment Registers"

#include "model/cpu/state/registers.h"
#include "model/cpu/state/segment.h"
#include "model/vmx/entry_checks_internal.h"

namespace vtsim::vmx::checks {

namespace {

using F = VmcsField;
using cpu::SegmentName;
using cpu::SegmentRights;
using enum cpu::SegmentName;

constexpr EntryRule segment(std::string_view text, Check check) {
  return {EntryPhase::kGuestState, "Checks on Guest Segment Registers", text, check};
}

// The four fields of a register, and what they say.
struct Segment {
  SegmentName name;
  const Vmcs& vmcs;

  F selector_field() const { return F::GUEST_ES_SELECTOR + name; }
  F base_field() const { return F::GUEST_ES_BASE + name; }
  F limit_field() const { return F::GUEST_ES_LIMIT + name; }
  F rights_field() const { return F::GUEST_ES_RIGHTS + name; }

  Reg<Selector> selector() const { return vmcs.reg<Selector>(selector_field()); }
  u64 base() const { return vmcs[base_field()]; }
  u64 limit() const { return vmcs[limit_field()]; }
  Reg<SegmentRights> rights() const { return vmcs.reg<SegmentRights>(rights_field()); }

  bool usable() const { return !rights()[SegmentRights::UNUSABLE]; }
  bool usable_or_cs() const { return name == kCs || usable(); }
  u64 type() const { return rights()[SegmentRights::TYPE]; }
  u64 dpl() const { return rights()[SegmentRights::DPL]; }
  u64 rpl() const { return selector()[Selector::RPL]; }
};
static_assert(F::GUEST_ES_SELECTOR + kTr == F::GUEST_TR_SELECTOR &&
              F::GUEST_ES_BASE + kTr == F::GUEST_TR_BASE &&
              F::GUEST_ES_LIMIT + kTr == F::GUEST_TR_LIMIT &&
              F::GUEST_ES_RIGHTS + kTr == F::GUEST_TR_RIGHTS);

Segment at(Context c, SegmentName name) { return Segment{name, c.vmcs}; }

bool virtual_8086(Context c) { return c.vmcs.reg<cpu::Rflags>(F::GUEST_RFLAGS)[cpu::Rflags::VM]; }

// ---- which registers a rule looks at: the first finding counts
using Names = std::initializer_list<SegmentName>;
constexpr Names kCodeAndData = {kCs, kSs, kDs, kEs, kFs, kGs};
constexpr Names kDataOnly = {kDs, kEs, kFs, kGs};

using SegmentCheck = Finding (*)(Context, const Segment&);

Finding first_segment(Context c, Names names, SegmentCheck check) {
  for (const SegmentName name : names) {
    if (Finding finding = check(c, at(c, name))) return finding;
  }
  return std::nullopt;
}

// CS, SS, DS, ES, FS, GS of a virtual-8086 guest.
template <SegmentCheck kCheck>
Finding each_of_v86(Context c) {
  return virtual_8086(c) ? first_segment(c, kCodeAndData, kCheck) : Finding{};
}
// CS, and the others that are usable, of any other guest.
template <SegmentCheck kCheck>
Finding each_usable(Context c) {
  if (virtual_8086(c)) return std::nullopt;
  return first_segment(c, kCodeAndData, [](Context context, const Segment& s) {
    return s.usable_or_cs() ? kCheck(context, s) : Finding{};
  });
}
// DS, ES, FS and GS that are usable, of any other guest.
template <SegmentCheck kCheck>
Finding each_usable_data(Context c) {
  if (virtual_8086(c)) return std::nullopt;
  return first_segment(c, kDataOnly, [](Context context, const Segment& s) {
    return s.usable() ? kCheck(context, s) : Finding{};
  });
}
template <SegmentName kName, SegmentCheck kCheck>
Finding not_v86(Context c) {
  return virtual_8086(c) ? Finding{} : kCheck(c, at(c, kName));
}
template <SegmentCheck kCheck>
Finding task_register(Context c) {
  return kCheck(c, at(c, kTr));
}
template <SegmentCheck kCheck>
Finding usable_ldtr(Context c) {
  return at(c, kLdtr).usable() ? kCheck(c, at(c, kLdtr)) : Finding{};
}

// ---- access rights, bit by bit
constexpr Field kReservedLow{11, 8}, kReservedHigh{31, 17};
constexpr Field kLimitLow{11, 0}, kLimitHigh{31, 20};

template <Flag kFlag>
Finding is_1(Context c, const Segment& s) {
  return must_be_1(c, s.rights_field(), kFlag.mask());
}
template <Flag kFlag>
Finding is_0(Context c, const Segment& s) {
  return must_be_0(c, s.rights_field(), kFlag.mask());
}
Finding low_reserved(Context c, const Segment& s) {
  return must_be_0(c, s.rights_field(), kReservedLow.mask());
}
Finding high_reserved(Context c, const Segment& s) {
  return must_be_0(c, s.rights_field(), kReservedHigh.mask());
}
Finding bytes_if_low_0(Context c, const Segment& s) {
  const bool bytes = (s.limit() & kLimitLow.mask()) != kLimitLow.mask();
  return must_be_0(c, s.rights_field(), bytes ? SegmentRights::G.mask() : 0);
}
Finding pages_if_high_1(Context c, const Segment& s) {
  const bool pages = (s.limit() & kLimitHigh.mask()) != 0;
  return must_be_1(c, s.rights_field(), pages ? SegmentRights::G.mask() : 0);
}

Finding wrong_type(Context c, const Segment& s, bool wrong) {
  return faulty(c, s.rights_field(), wrong ? SegmentRights::TYPE.mask() : 0);
}
Finding wrong_dpl(Context c, const Segment& s, bool wrong) {
  return faulty(c, s.rights_field(), wrong ? SegmentRights::DPL.mask() : 0);
}

// ---- types. SDM 3A "Code- and Data-Segment Descriptor Types"
constexpr u64 kReadWriteAccessed = 3;

bool accessed_code(u64 type) {
  constexpr u64 kMask = SegmentRights::CODE.mask() | SegmentRights::ACCESSED.mask();
  return (type & kMask) == kMask;
}
bool conforming(u64 type) { return accessed_code(type) && type & SegmentRights::CONFORMING.mask(); }

Finding cs_type(Context c, const Segment& s) {
  const bool data = s.type() == kReadWriteAccessed && unrestricted(c);
  return wrong_type(c, s, !accessed_code(s.type()) && !data);
}
Finding ss_type(Context c, const Segment& s) {
  constexpr u64 kExpandDown = kReadWriteAccessed | SegmentRights::EXPAND_DOWN.mask();
  return wrong_type(c, s, s.usable() && s.type() != kReadWriteAccessed && s.type() != kExpandDown);
}
Finding data_readable(Context c, const Segment& s) {
  const bool code = s.type() & SegmentRights::CODE.mask();
  return must_be_1(c, s.rights_field(), code ? SegmentRights::READABLE.mask() : 0);
}

// ---- privilege levels
Finding ss_rpl(Context c, const Segment& s) {
  const bool wrong = !unrestricted(c) && s.rpl() != at(c, kCs).rpl();
  return faulty(c, s.selector_field(), wrong ? Selector::RPL.mask() : 0);
}
Finding cs_data_dpl(Context c, const Segment& s) {
  return wrong_dpl(c, s, s.type() == kReadWriteAccessed && s.dpl() != 0);
}
Finding cs_nonconforming_dpl(Context c, const Segment& s) {
  const bool applies = accessed_code(s.type()) && !conforming(s.type());
  return wrong_dpl(c, s, applies && s.dpl() != at(c, kSs).dpl());
}
Finding cs_conforming_dpl(Context c, const Segment& s) {
  return wrong_dpl(c, s, conforming(s.type()) && s.dpl() > at(c, kSs).dpl());
}
Finding ss_dpl_is_rpl(Context c, const Segment& s) {
  return wrong_dpl(c, s, !unrestricted(c) && s.dpl() != s.rpl());
}
Finding ss_dpl_is_0(Context c, const Segment& s) {
  const bool real_mode = !c.vmcs.reg<cpu::Cr0>(F::GUEST_CR0)[cpu::Cr0::PE];
  const bool applies = real_mode || at(c, kCs).type() == kReadWriteAccessed;
  return wrong_dpl(c, s, applies && s.dpl() != 0);
}
Finding data_dpl(Context c, const Segment& s) {
  const bool applies = !unrestricted(c) && !conforming(s.type());
  return wrong_dpl(c, s, applies && s.dpl() < s.rpl());
}

// ---- base addresses
Finding base_is_canonical(Context c, const Segment& s) {
  return canonical(c, s.base_field(), c.linear_width);
}
Finding base_of_v86(Context c, const Segment& s) {
  constexpr u64 kParagraph = 16;
  return wrong_if(c, s.base_field(), s.base() != s.selector().value * kParagraph);
}
Finding base_below_4g(Context c, const Segment& s) {
  return must_be_0(c, s.base_field(), s.usable_or_cs() ? kUpperHalf : 0);
}

// ---- TR. SDM 3A "TSS Descriptor"
Finding tr_type_legacy(Context c, const Segment& s) {
  const bool busy = s.type() == cpu::kTss16Busy || s.type() == cpu::kTssBusy;
  return wrong_type(c, s, !ia32e_guest(c) && !busy);
}
Finding tr_type_ia32e(Context c, const Segment& s) {
  return wrong_type(c, s, ia32e_guest(c) && s.type() != cpu::kTssBusy);
}

constexpr EntryRule kRules[] = {
    segment("TI of the TR selector is 0",
            [](Context c) { return must_be_0(c, F::GUEST_TR_SELECTOR, Selector::TI.mask()); }),
    segment("TI of the LDTR selector is 0 if LDTR is usable",
            usable_ldtr<[](Context c, const Segment& s) {
              return must_be_0(c, s.selector_field(), Selector::TI.mask());
            }>),
    segment("RPL of the SS selector equals RPL of the CS selector, unless virtual-8086 or with "
            "'unrestricted guest'",
            not_v86<kSs, ss_rpl>),

    segment("the base address is the selector times 16 in a virtual-8086 guest",
            each_of_v86<base_of_v86>),
    segment("the base addresses of TR, FS and GS are canonical",
            [](Context c) {
              return first_segment(c, {kTr, kFs, kGs}, base_is_canonical);
            }),
    segment("the base address of LDTR is canonical if LDTR is usable",
            usable_ldtr<base_is_canonical>),
    segment("bits 63:32 of the base address of CS are 0",
            [](Context c) { return base_below_4g(c, at(c, kCs)); }),
    segment("bits 63:32 of the base address of SS, DS and ES are 0 if usable",
            [](Context c) {
              return first_segment(c, {kSs, kDs, kEs}, base_below_4g);
            }),

    segment("the limit is FFFFH in a virtual-8086 guest",
            each_of_v86<[](Context c, const Segment& s) {
              constexpr u64 kLimit = 0xFFFF;
              return wrong_if(c, s.limit_field(), s.limit() != kLimit);
            }>),
    segment("the access rights are F3H in a virtual-8086 guest",
            each_of_v86<[](Context c, const Segment& s) {
              constexpr u64 kRights = 0xF3;
              return faulty(c, s.rights_field(), s.rights().value ^ kRights);
            }>),

    segment("the type of CS is accessed code, or 3 with 'unrestricted guest'",
            not_v86<kCs, cs_type>),
    segment("the type of SS is 3 or 7 if usable", not_v86<kSs, ss_type>),
    segment("DS, ES, FS and GS are accessed if usable",
            each_usable_data<is_1<SegmentRights::ACCESSED>>),
    segment("DS, ES, FS and GS are readable if usable code segments",
            each_usable_data<data_readable>),
    segment("S is 1 for CS and usable segments", each_usable<is_1<SegmentRights::S>>),
    segment("DPL of CS is 0 if its type is 3", not_v86<kCs, cs_data_dpl>),
    segment("DPL of CS equals DPL of SS if CS is non-conforming",
            not_v86<kCs, cs_nonconforming_dpl>),
    segment("DPL of CS is at most DPL of SS if CS is conforming", not_v86<kCs, cs_conforming_dpl>),
    segment("DPL of SS equals RPL of SS without 'unrestricted guest'", not_v86<kSs, ss_dpl_is_rpl>),
    segment("DPL of SS is 0 if the type of CS is 3 or PE of the CR0 field is 0",
            not_v86<kSs, ss_dpl_is_0>),
    segment("DPL of DS, ES, FS and GS is at least RPL if usable, not conforming, and without "
            "'unrestricted guest'",
            each_usable_data<data_dpl>),
    segment("P is 1 for CS and usable segments", each_usable<is_1<SegmentRights::P>>),
    segment("bits 11:8 of the access rights are 0 for CS and usable segments",
            each_usable<low_reserved>),
    segment("D/B of CS is 0 in 64-bit mode",
            not_v86<kCs,
                    [](Context c, const Segment& s) {
                      const bool applies = ia32e_guest(c) && s.rights()[SegmentRights::L];
                      return must_be_0(c, s.rights_field(), applies ? SegmentRights::DB.mask() : 0);
                    }>),
    segment("G is 0 if a bit of the limit's bits 11:0 is 0, for CS and usable segments",
            each_usable<bytes_if_low_0>),
    segment("G is 1 if a bit of the limit's bits 31:20 is 1, for CS and usable segments",
            each_usable<pages_if_high_1>),
    segment("bits 31:17 of the access rights are 0 for CS and usable segments",
            each_usable<high_reserved>),

    segment("the type of TR is 3 or 11 without 'IA-32e mode guest'", task_register<tr_type_legacy>),
    segment("the type of TR is 11 with 'IA-32e mode guest'", task_register<tr_type_ia32e>),
    segment("S of TR is 0", task_register<is_0<SegmentRights::S>>),
    segment("P of TR is 1", task_register<is_1<SegmentRights::P>>),
    segment("bits 11:8 of the access rights of TR are 0", task_register<low_reserved>),
    segment("G of TR is 0 if a bit of the limit's bits 11:0 is 0", task_register<bytes_if_low_0>),
    segment("G of TR is 1 if a bit of the limit's bits 31:20 is 1", task_register<pages_if_high_1>),
    segment("TR is usable", task_register<is_0<SegmentRights::UNUSABLE>>),
    segment("bits 31:17 of the access rights of TR are 0", task_register<high_reserved>),

    segment("the type of LDTR is 2 if usable", usable_ldtr<[](Context c, const Segment& s) {
              return wrong_type(c, s, s.type() != cpu::kLdt);
            }>),
    segment("S of LDTR is 0 if usable", usable_ldtr<is_0<SegmentRights::S>>),
    segment("P of LDTR is 1 if usable", usable_ldtr<is_1<SegmentRights::P>>),
    segment("bits 11:8 of the access rights of LDTR are 0 if usable", usable_ldtr<low_reserved>),
    segment("G of LDTR is 0 if usable and a bit of the limit's bits 11:0 is 0",
            usable_ldtr<bytes_if_low_0>),
    segment("G of LDTR is 1 if usable and a bit of the limit's bits 31:20 is 1",
            usable_ldtr<pages_if_high_1>),
    segment("bits 31:17 of the access rights of LDTR are 0 if usable", usable_ldtr<high_reserved>),
};

}  // namespace

std::span<const EntryRule> guest_segment_rules() { return kRules; }

}  // namespace vtsim::vmx::checks
