#include "tests/cpu/differential/decoder_differences.h"

namespace vtsim::cpu::test {

namespace {

bool is_near_branch(const Decoded& in) {
  return in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT ||
         in.ins.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR || in.mnemonic() == ZYDIS_MNEMONIC_RET;
}
bool begins(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

constexpr DecoderDifference kDifferences[] = {
    // ---- what only Capstone accepts
    {"LOCK needs a memory destination of certain instructions (SDM 2 \"LOCK\")",
     [](const Encoding& e) { return e.in == nullptr && e.has_prefix({0xF0}); }},
    {"66, F2 and F3 before opcodes that are not defined with them are #UD, before VEX too",
     [](const Encoding& e) {
       return e.in == nullptr && e.has_prefix({0x66, 0xF2, 0xF3});
     }},
    {"MOV to CS and to control and debug registers that do not exist is #UD",
     [](const Encoding& e) { return e.in == nullptr && e.other.name == "mov"; }},
    {"SWAPGS exists in 64-bit mode only",
     [](const Encoding& e) {
       return e.in == nullptr && e.size != CodeSize::k64 && e.other.name == "swapgs";
     }},
    {"gathers that name a register twice are #UD (SDM 2 \"VGATHERDPS\")",
     [](const Encoding& e) { return e.in == nullptr && begins(e.other.name, "vgather"); }},
    {"3DNow! is AMD's",
     [](const Encoding& e) { return e.in == nullptr && e.other.name == "femms"; }},
    // ---- what Capstone 4.0.2 lacks
    {"hint NOPs (SDM 2 \"NOP\", \"Opcode Map\")",
     [](const Encoding& e) {
       return !e.other.valid &&
              e.is({ZYDIS_MNEMONIC_NOP, ZYDIS_MNEMONIC_PREFETCH, ZYDIS_MNEMONIC_PREFETCHWT1});
     }},
    {"RDPKRU", [](const Encoding& e) { return e.is({ZYDIS_MNEMONIC_RDPKRU}); }},
    {"RDPID", [](const Encoding& e) { return e.is({ZYDIS_MNEMONIC_RDPID}); }},
    {"UD0 with prefixes, and the ModRM bytes of UD0 and UD1",
     [](const Encoding& e) {
       return e.is({ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1});
     }},
    {"fences ignore ModRM.rm (SDM 2 \"LFENCE\")",
     [](const Encoding& e) {
       return !e.other.valid && e.is({ZYDIS_MNEMONIC_LFENCE, ZYDIS_MNEMONIC_MFENCE});
     }},
    // ---- other names
    {"SAL is another name of SHL",
     [](const Encoding& e) { return e.is({ZYDIS_MNEMONIC_SHL}) && e.other.name == "sal"; }},
    {"MOVABS is another name of MOV",
     [](const Encoding& e) { return e.is({ZYDIS_MNEMONIC_MOV}) && e.other.name == "movabs"; }},
    {"comparisons named by their predicate",
     [](const Encoding& e) {
       return e.in != nullptr && e.in->length() == e.other.length &&
              (begins(e.other.name, "cmp") || begins(e.other.name, "vcmp")) &&
              (begins(name_of(*e.in), "cmp") || begins(name_of(*e.in), "vcmp"));
     }},
    // ---- where Capstone is wrong, or follows AMD
    {"66 before near branches in 64-bit mode: Intel ignores it",
     [](const Encoding& e) {
       return e.in != nullptr && e.size == CodeSize::k64 && is_near_branch(*e.in) &&
              e.has_prefix({0x66});
     }},
    {"16-bit code: mandatory prefixes are not looked at",
     [](const Encoding& e) {
       return e.in != nullptr && e.size == CodeSize::k16 && e.in->ins.opcode_map != 0;
     }},
    {"16-bit code: names and operands of other widths",
     [](const Encoding& e) {
       return e.in != nullptr && e.size == CodeSize::k16 && e.in->ins.opcode_map == 0 &&
              e.in->length() == e.other.length;
     }},
    {"66 together with F2 or F3: the operand size is lost",
     [](const Encoding& e) {
       return e.in != nullptr && e.has_prefix({0x66}) && e.has_prefix({0xF2, 0xF3});
     }},
    {"66 together with REX.W, which wins",
     [](const Encoding& e) {
       return e.in != nullptr && e.in->ins.raw.rex.W && e.has_prefix({0x66});
     }},
    {"67 before REX is taken for 66",
     [](const Encoding& e) { return e.size == CodeSize::k64 && e.has_prefix({0x67}); }},
    {"REX before PAUSE",
     [](const Encoding& e) { return e.has_rex() && e.is({ZYDIS_MNEMONIC_PAUSE}); }},
    {"LAR and LSL: width of the source",
     [](const Encoding& e) {
       return e.is({ZYDIS_MNEMONIC_LAR, ZYDIS_MNEMONIC_LSL});
     }},
    {"MOVMSKPS, MOVMSKPD: width of the destination with REX.W",
     [](const Encoding& e) {
       return e.is({ZYDIS_MNEMONIC_MOVMSKPS, ZYDIS_MNEMONIC_MOVMSKPD, ZYDIS_MNEMONIC_PMOVMSKB}) &&
              e.in->ins.raw.rex.W;
     }},
    {"MOVD with REX.W is MOVQ",
     [](const Encoding& e) {
       return e.is({ZYDIS_MNEMONIC_MOVQ}) && e.other.name == "movd" && e.in->ins.raw.rex.W;
     }},
    {"XCHG with the accumulator: order of the operands",
     [](const Encoding& e) { return e.is({ZYDIS_MNEMONIC_XCHG}); }},
    {"MOV from and to segment registers: width of the other operand",
     [](const Encoding& e) {
       return e.is({ZYDIS_MNEMONIC_MOV}) && (e.in->ins.opcode == 0x8C || e.in->ins.opcode == 0x8E);
     }},
    {"MOVSXD without REX.W",
     [](const Encoding& e) { return e.is({ZYDIS_MNEMONIC_MOVSXD}) && !e.in->ins.raw.rex.W; }},
};

}  // namespace

std::span<const DecoderDifference> decoder_differences() { return kDifferences; }

}  // namespace vtsim::cpu::test
