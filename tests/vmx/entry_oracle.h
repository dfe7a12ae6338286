#pragma once
// A second opinion on VM entry, written from the manual's text: SDM 3C "VM Entries". One function
// after the other, no table; fields by their encodings, bits by their numbers. Shares nothing with
// the rules but the types of their input.

#include "model/vmx/entry_checks.h"

namespace vtsim::vmx::test {

class EntryOracle {
 public:
  explicit EntryOracle(const EntryContext& context) : c_(context) {}

  // Title of the first section, in the manual's order, with a check that fails; empty: entry
  // succeeds.
  std::string_view failing_section() {
    if (!execution_controls()) return "VM-Execution Control Fields";
    if (!exit_controls()) return "VM-Exit Control Fields";
    if (!entry_controls()) return "VM-Entry Control Fields";
    if (!host_registers()) return "Checks on Host Control Registers, MSRs, and SSP";
    if (!host_segments()) return "Checks on Host Segment and Descriptor-Table Registers";
    if (!address_space()) return "Checks Related to Address-Space Size";
    if (!guest_registers()) return "Checks on Guest Control Registers, Debug Registers, and MSRs";
    if (!guest_segments()) return "Checks on Guest Segment Registers";
    if (!guest_tables()) return "Checks on Guest Descriptor-Table Registers";
    if (!guest_flow()) return "Checks on Guest RIP, RFLAGS, and SSP";
    if (!activity() || !interruptibility() || !pending_debug() || !link_pointer())
      return "Checks on Guest Non-Register State";
    if (!pdptes()) return "Checks on Guest Page-Directory-Pointer-Table Entries";
    return {};
  }

 private:
  // ---- reading
  u64 v(u32 encoding) const { return c_.vmcs[find_field(encoding)->field]; }
  bool is(u32 encoding, int n) const { return (v(encoding) >> n) & 1; }
  static u64 part(u64 x, int hi, int lo) { return (x << (63 - hi)) >> (63 - hi + lo); }
  u64 msr(u32 number) const {
    u64 value = 0;
    return c_.capabilities.read(number, value) ? value : 0;
  }
  bool has_msr(u32 number) const {
    u64 value = 0;
    return c_.capabilities.read(number, value);
  }
  template <class T>
  T memory(u64 address) const {
    T value;
    c_.memory.read(Hpa(address), &value, sizeof value, RefKind::kData);
    return value;
  }

  bool pin(int n) const { return is(0x4000, n); }
  bool primary(int n) const { return is(0x4002, n); }
  bool secondary(int n) const { return primary(31) && is(0x401E, n); }
  bool vm_exit(int n) const { return is(0x400C, n); }
  bool vm_entry(int n) const { return is(0x4012, n); }
  bool urg() const { return secondary(7); }
  bool ia32e() const { return vm_entry(9); }

  // Low half of the MSR: bits that must be 1; high half: bits that may be.
  bool allowed(u64 controls, u32 true_msr, u32 plain_msr) const {
    const u64 m = has_msr(true_msr) ? msr(true_msr) : msr(plain_msr);
    for (int n = 0; n < 32; ++n) {
      const bool on = (controls >> n) & 1, must = (m >> n) & 1, may = (m >> (32 + n)) & 1;
      if ((must && !on) || (on && !may)) return false;
    }
    return true;
  }
  unsigned address_bits() const { return (msr(0x480) >> 48) & 1 ? 32 : c_.physical_width; }
  bool address_fits(u64 address) const { return (address >> address_bits()) == 0; }
  bool page(u32 encoding) const { return v(encoding) % 4096 == 0 && address_fits(v(encoding)); }
  static bool canonical_for(u64 address, unsigned width) {
    const u64 top = address >> (width - 1);
    return top == 0 || top == (~u64{0} >> (width - 1));
  }
  bool canonical(u32 encoding) const { return canonical_for(v(encoding), c_.linear_width); }

  // ---- "VM-Execution Control Fields"
  bool execution_controls() const {
    return allowed(v(0x4000), 0x48D, 0x481) && allowed(v(0x4002), 0x48E, 0x482) &&
           (!primary(31) || allowed(v(0x401E), 0x48B, 0x48B)) &&
           v(0x400A) <= part(msr(0x485), 24, 16) && bitmaps() && tpr_shadow() && nmis() && apic() &&
           posting() && (!secondary(5) || v(0x0000) != 0) && ept() && pml() && vm_functions() &&
           shadowing() && (!secondary(25) || v(0x2032) != 0);
  }
  bool bitmaps() const {
    if (primary(25) && !(page(0x2000) && page(0x2002))) return false;
    return !primary(28) || page(0x2004);
  }
  bool tpr_shadow() const {
    if (!primary(21)) return true;
    if (!page(0x2012)) return false;
    if (secondary(9)) return true;
    if (v(0x401C) > 15) return false;
    return secondary(0) || v(0x401C) <= memory<u8>(v(0x2012) + 0x80) / 16u;
  }
  bool nmis() const {
    if (pin(5) && !pin(3)) return false;
    return pin(5) || !primary(22);
  }
  bool apic() const {
    if (secondary(0) && !page(0x2014)) return false;
    if (!primary(21) && (secondary(4) || secondary(8) || secondary(9))) return false;
    if (secondary(4) && secondary(0)) return false;
    return !secondary(9) || pin(0);
  }
  bool posting() const {
    if (!pin(7)) return true;
    return secondary(9) && vm_exit(15) && v(0x0002) < 256 && v(0x2016) % 64 == 0 &&
           address_fits(v(0x2016));
  }
  bool ept() const {
    if (!secondary(1)) return !(secondary(7) || secondary(22));
    const u64 eptp = v(0x201A), cap = msr(0x48C);
    switch (eptp & 7) {
      case 0:
        if (!((cap >> 8) & 1)) return false;
        break;
      case 6:
        if (!((cap >> 14) & 1)) return false;
        break;
      default:
        return false;
    }
    switch ((eptp >> 3) & 7) {
      case 3:
        if (!((cap >> 6) & 1)) return false;
        break;
      case 4:
        if (!((cap >> 7) & 1)) return false;
        break;
      default:
        return false;
    }
    if ((eptp >> 6) & 1 && !((cap >> 21) & 1)) return false;
    return part(eptp, 11, 7) == 0 && (eptp >> c_.physical_width) == 0;
  }
  bool pml() const { return !secondary(17) || (secondary(1) && page(0x200E)); }
  bool vm_functions() const {
    if (!secondary(13)) return true;
    if (v(0x2018) & ~msr(0x491)) return false;
    return !is(0x2018, 0) || (secondary(1) && page(0x2024));
  }
  bool shadowing() const {
    if (secondary(14) && !(page(0x2026) && page(0x2028))) return false;
    return !secondary(18) || page(0x202A);
  }

  // ---- "VM-Exit Control Fields"
  bool msr_area(u32 count, u32 address) const {
    if (v(count) == 0) return true;
    return v(address) % 16 == 0 && address_fits(v(address)) &&
           address_fits(v(address) + v(count) * 16 - 1);
  }
  bool exit_controls() const {
    return allowed(v(0x400C), 0x48F, 0x483) && (pin(6) || !vm_exit(22)) &&
           msr_area(0x400E, 0x2006) && msr_area(0x4010, 0x2008);
  }

  // ---- "VM-Entry Control Fields"
  bool entry_controls() const {
    if (!allowed(v(0x4012), 0x490, 0x484) || !event() || !msr_area(0x4014, 0x200A)) return false;
    if (!c_.in_smm && (vm_entry(10) || vm_entry(11))) return false;
    return !(vm_entry(10) && vm_entry(11));
  }
  bool event_valid() const { return is(0x4016, 31); }
  u64 event_type() const { return part(v(0x4016), 10, 8); }
  u64 event_vector() const { return part(v(0x4016), 7, 0); }
  bool event() const {
    if (!event_valid()) return true;
    if (!event_error_code()) return false;
    if (part(v(0x4016), 30, 12) != 0) return false;
    if (is(0x4016, 11) && v(0x4018) > 0xFFFF) return false;
    switch (event_type()) {
      case 0:
        return true;
      case 1:
        return false;
      case 2:
        return event_vector() == 2;
      case 3:
        return event_vector() <= 31;
      case 7: {
        const u64 controls = has_msr(0x48E) ? msr(0x48E) : msr(0x482);
        return (controls >> (32 + 27)) & 1 && event_vector() == 0;
      }
      default:
        break;
    }
    return v(0x401A) <= 15 && (v(0x401A) != 0 || (msr(0x485) >> 30) & 1);
  }
  bool event_error_code() const {
    const bool given = is(0x4016, 11);
    if (event_type() != 3) return !given;
    if (urg() && !is(0x6800, 0)) return !given;
    if ((msr(0x480) >> 56) & 1) return true;
    switch (event_vector()) {
      case 8:
      case 10:
      case 11:
      case 12:
      case 13:
      case 14:
      case 17:
        return given;
      default:
        return !given;
    }
  }

  // ---- "Checks on Host Control Registers, MSRs, and SSP"
  // Bits of `value` that differ from what both fixed MSRs say, apart from `ignored`.
  bool fixed(u64 value, u32 fixed0, u32 fixed1, u64 ignored) const {
    for (int n = 0; n < 64; ++n) {
      if ((ignored >> n) & 1) continue;
      const bool on = (value >> n) & 1;
      if (!on && (msr(fixed0) >> n) & 1) return false;
      if (on && !((msr(fixed1) >> n) & 1)) return false;
    }
    return true;
  }
  bool pat(u32 encoding) const {
    for (int n = 0; n < 8; ++n) {
      const u64 type = part(v(encoding), 8 * n + 7, 8 * n);
      if (type > 7 || type == 2 || type == 3) return false;
    }
    return true;
  }
  bool host_registers() const {
    if (!fixed(v(0x6C00), 0x486, 0x487, u64{3} << 29)) return false;
    if (!fixed(v(0x6C04), 0x488, 0x489, 0)) return false;
    if (v(0x6C02) >> c_.physical_width) return false;
    if (!canonical(0x6C10) || !canonical(0x6C12)) return false;
    if (vm_exit(12) && v(0x2C04) & ~c_.perf_global_bits) return false;
    if (vm_exit(19) && !pat(0x2C00)) return false;
    if (!vm_exit(21)) return true;
    return !(v(0x2C02) & ~c_.efer_bits) && is(0x2C02, 10) == vm_exit(9) &&
           is(0x2C02, 8) == vm_exit(9);
  }

  // ---- "Checks on Host Segment and Descriptor-Table Registers"
  bool host_segments() const {
    for (u32 selector = 0x0C00; selector <= 0x0C0C; selector += 2) {
      if (v(selector) % 8 != 0) return false;
    }
    if (v(0x0C02) == 0 || v(0x0C0C) == 0) return false;
    if (v(0x0C04) == 0 && !vm_exit(9)) return false;
    for (u32 base = 0x6C06; base <= 0x6C0E; base += 2) {
      if (!canonical(base)) return false;
    }
    return true;
  }

  // ---- "Checks Related to Address-Space Size"
  bool address_space() const {
    const bool guest64 = vm_entry(9), host64 = vm_exit(9);
    if (!c_.ia32e_host && (guest64 || host64)) return false;
    if (c_.ia32e_host && !host64) return false;
    if (!host64) return !guest64 && !is(0x6C04, 17) && v(0x6C16) <= 0xFFFF'FFFF;
    return is(0x6C04, 5) && canonical_for(v(0x6C16), is(0x6C04, 12) ? 57 : 48);
  }

  // ---- "Checks on Guest Control Registers, Debug Registers, and MSRs"
  bool guest_registers() const {
    const u64 pe_and_pg = 0x8000'0001;
    if (!fixed(v(0x6800), 0x486, 0x487, (u64{3} << 29) | (urg() ? pe_and_pg : 0))) return false;
    if (is(0x6800, 31) && !is(0x6800, 0)) return false;
    if (!fixed(v(0x6804), 0x488, 0x489, 0)) return false;
    if (vm_entry(2) && v(0x2802) & ~c_.debugctl_bits) return false;
    if (ia32e() && !(is(0x6800, 31) && is(0x6804, 5))) return false;
    if (!ia32e() && is(0x6804, 17)) return false;
    if (v(0x6802) >> c_.physical_width) return false;
    if (vm_entry(2) && v(0x681A) > 0xFFFF'FFFF) return false;
    if (!canonical(0x6824) || !canonical(0x6826)) return false;
    if (vm_entry(13) && v(0x2808) & ~c_.perf_global_bits) return false;
    if (vm_entry(14) && !pat(0x2804)) return false;
    if (!vm_entry(15)) return true;
    if (v(0x2806) & ~c_.efer_bits || is(0x2806, 10) != ia32e()) return false;
    return !is(0x6800, 31) || is(0x2806, 10) == is(0x2806, 8);
  }

  // ---- "Checks on Guest Segment Registers": n = 0..7: ES, CS, SS, DS, FS, GS, LDTR, TR
  u64 selector(u32 n) const { return v(0x0800 + 2 * n); }
  u64 limit(u32 n) const { return v(0x4800 + 2 * n); }
  u64 base(u32 n) const { return v(0x6806 + 2 * n); }
  u64 rights(u32 n) const { return v(0x4814 + 2 * n); }
  u64 type(u32 n) const { return rights(n) & 15; }
  u64 dpl(u32 n) const { return (rights(n) >> 5) & 3; }
  bool right(u32 n, int b) const { return (rights(n) >> b) & 1; }
  bool usable(u32 n) const { return !right(n, 16); }
  static constexpr u32 kCs = 1, kSs = 2, kFs = 4, kGs = 5, kLdtr = 6, kTr = 7;

  bool guest_segments() const {
    const bool v86 = is(0x6820, 17);
    if (selector(kTr) & 4 || (usable(kLdtr) && selector(kLdtr) & 4)) return false;
    if (!v86 && !urg() && (selector(kSs) & 3) != (selector(kCs) & 3)) return false;
    if (!segment_bases()) return false;
    for (u32 n = 0; n < 6; ++n) {
      if (v86 && !v86_segment(n)) return false;
      if (!v86 && (n == kCs || usable(n)) && !any_segment(n)) return false;
    }
    if (!v86 && !(code_segment() && stack_segment())) return false;
    return system_segment(kTr) && (!usable(kLdtr) || system_segment(kLdtr));
  }
  bool segment_bases() const {
    for (const u32 n : {kTr, kFs, kGs}) {
      if (!canonical_for(base(n), c_.linear_width)) return false;
    }
    if (usable(kLdtr) && !canonical_for(base(kLdtr), c_.linear_width)) return false;
    for (const u32 n : {0u, 1u, 2u, 3u}) {
      if ((n == kCs || usable(n)) && base(n) > 0xFFFF'FFFF) return false;
    }
    return true;
  }
  bool v86_segment(u32 n) const {
    return base(n) == selector(n) * 16 && limit(n) == 0xFFFF && rights(n) == 0xF3;
  }
  bool granularity(u32 n) const {
    const bool g = right(n, 15);
    if (limit(n) % 4096 != 4095 && g) return false;
    return limit(n) < 0x10'0000 || g;
  }
  // What holds for CS and for every usable register.
  bool any_segment(u32 n) const {
    if (!right(n, 4) || !right(n, 7) || part(rights(n), 11, 8) || part(rights(n), 31, 17))
      return false;
    if (!granularity(n)) return false;
    if (n == kCs || n == kSs) return true;
    if (type(n) % 2 == 0) return false;
    if (type(n) == 9 || type(n) == 13) return false;  // execute-only
    return urg() || type(n) > 11 || dpl(n) >= (selector(n) & 3);
  }
  bool code_segment() const {
    if (right(kCs, 14) && right(kCs, 13) && ia32e()) return false;
    switch (type(kCs)) {
      case 3:
        return urg() && dpl(kCs) == 0;
      case 9:
      case 11:
        return dpl(kCs) == dpl(kSs);
      case 13:
      case 15:
        return dpl(kCs) <= dpl(kSs);
      default:
        return false;
    }
  }
  bool stack_segment() const {
    if (usable(kSs) && type(kSs) != 3 && type(kSs) != 7) return false;
    if (!urg() && dpl(kSs) != (selector(kSs) & 3)) return false;
    return dpl(kSs) == 0 || (type(kCs) != 3 && is(0x6800, 0));
  }
  bool system_segment(u32 n) const {
    if (right(n, 4) || !right(n, 7) || part(rights(n), 11, 8) || part(rights(n), 31, 16))
      return false;
    if (!granularity(n)) return false;
    if (n == kLdtr) return type(n) == 2;
    return type(n) == 11 || (type(n) == 3 && !ia32e());
  }

  // ---- "Checks on Guest Descriptor-Table Registers"
  bool guest_tables() const {
    return canonical(0x6816) && canonical(0x6818) && v(0x4810) < 0x1'0000 && v(0x4812) < 0x1'0000;
  }

  // ---- "Checks on Guest RIP, RFLAGS, and SSP"
  bool guest_flow() const {
    const u64 rip = v(0x681E), rflags = v(0x6820);
    if (ia32e() && right(kCs, 13)) {
      const u64 above = rip >> c_.linear_width;
      if (above != 0 && above != (~u64{0} >> c_.linear_width)) return false;
    } else if (rip >> 32) {
      return false;
    }
    if (rflags >> 22 || is(0x6820, 15) || is(0x6820, 5) || is(0x6820, 3) || !is(0x6820, 1))
      return false;
    if (is(0x6820, 17) && (ia32e() || !is(0x6800, 0))) return false;
    return is(0x6820, 9) || !(event_valid() && event_type() == 0);
  }

  // ---- "Checks on Guest Non-Register State"
  bool activity() const {
    const u64 state = v(0x4826);
    if (state > 3 || (state != 0 && !((msr(0x485) >> (5 + state)) & 1))) return false;
    if (state == 1 && dpl(kSs) != 0) return false;
    if (state != 0 && v(0x4824) & 3) return false;
    if (state == 3 && vm_entry(10)) return false;
    if (!event_valid() || state == 0) return true;
    const u64 t = event_type(), n = event_vector();
    if (state == 1) return t == 0 || t == 2 || (t == 3 && (n == 1 || n == 18)) || t == 7;
    return state == 2 && (t == 2 || (t == 3 && n == 18));
  }
  bool interruptibility() const {
    const bool sti = is(0x4824, 0), mov_ss = is(0x4824, 1), smi = is(0x4824, 2);
    const bool nmi = is(0x4824, 3), enclave = is(0x4824, 4);
    if (v(0x4824) > 31 || (sti && mov_ss) || (sti && !is(0x6820, 9))) return false;
    if (event_valid() && event_type() == 0 && (sti || mov_ss)) return false;
    if (event_valid() && event_type() == 2 && (sti || mov_ss || (nmi && pin(5)))) return false;
    if (smi && !c_.in_smm) return false;
    if (!smi && vm_entry(10)) return false;
    return !enclave || (!mov_ss && c_.sgx);
  }
  bool pending_debug() const {
    const u64 p = v(0x6822);
    if (part(p, 11, 4) || is(0x6822, 13) || is(0x6822, 15) || p >> 17) return false;
    if (v(0x4824) & 3 || v(0x4826) == 1) {
      const bool steps = is(0x6820, 8) && !is(0x2802, 1);
      if (is(0x6822, 14) != steps) return false;
    }
    if (!is(0x6822, 16)) return true;
    return p == 0x1'1000 && c_.rtm && !is(0x4824, 1);
  }
  bool link_pointer() const {
    const u64 link = v(0x2800);
    if (link == ~u64{0}) return true;
    if (!page(0x2800)) return false;
    const u32 word = memory<u32>(link);
    if ((word & 0x7FFF'FFFF) != (msr(0x480) & 0x7FFF'FFFF)) return false;
    if (bool(word >> 31) != secondary(14)) return false;
    if (!c_.in_smm || vm_entry(10)) return link != c_.current_vmcs;
    return link != v(0x200C);
  }

  // ---- "Checks on Guest Page-Directory-Pointer-Table Entries". SDM 3A "PDPTE Registers"
  bool pdptes() const {
    if (!is(0x6800, 31) || !is(0x6804, 5) || ia32e()) return true;
    for (u32 n = 0; n < 4; ++n) {
      const u64 entry =
          secondary(1) ? v(0x280A + 2 * n) : memory<u64>((v(0x6802) & 0xFFFF'FFE0) + 8 * n);
      if (!(entry & 1)) continue;
      if (part(entry, 2, 1) || part(entry, 8, 5) || entry >> c_.physical_width) return false;
    }
    return true;
  }

  const EntryContext& c_;
};

}  // namespace vtsim::vmx::test
