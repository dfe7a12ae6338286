#include "model/cpu/exec/isa.h"

namespace vtsim::cpu {

IsaRequirement required_feature(const Decoded& decoded) {
  const auto needs = [](Feature f) { return IsaRequirement{false, f}; };
  switch (decoded.mnemonic()) {  // finer than Zydis' sets
    case ZYDIS_MNEMONIC_POPCNT: return needs(Feature::kPopcnt);
    case ZYDIS_MNEMONIC_SYSCALL:
    case ZYDIS_MNEMONIC_SYSRET: return needs(Feature::kSyscall);
    case ZYDIS_MNEMONIC_XSAVES:
    case ZYDIS_MNEMONIC_XSAVES64:
    case ZYDIS_MNEMONIC_XRSTORS:
    case ZYDIS_MNEMONIC_XRSTORS64: return needs(Feature::kXsaves);
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64: return needs(Feature::kXsavec);
    case ZYDIS_MNEMONIC_CMPXCHG16B: return needs(Feature::kCx16);
    default: break;
  }
  switch (decoded.ins.meta.isa_set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_LONGMODE:
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_PREFETCH_NOP:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_SMX:  // GETSEC has a row of its own
    case ZYDIS_ISA_SET_MPX:  // NOPs where MPX is absent
    case ZYDIS_ISA_SET_CET:  // likewise
      return {};
    case ZYDIS_ISA_SET_CMOV: return needs(Feature::kCmov);
    case ZYDIS_ISA_SET_RDPMC: return {};
    case ZYDIS_ISA_SET_LAHF: return {};
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH: return needs(Feature::kSse);
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX: return needs(Feature::kSse2);
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSE3X87: return needs(Feature::kSse3);
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX: return needs(Feature::kSsse3);
    case ZYDIS_ISA_SET_SSE4: return needs(Feature::kSse41);
    case ZYDIS_ISA_SET_SSE42: return needs(Feature::kSse42);
    case ZYDIS_ISA_SET_AES: return needs(Feature::kAes);
    case ZYDIS_ISA_SET_PCLMULQDQ: return needs(Feature::kPclmulqdq);
    case ZYDIS_ISA_SET_SHA: return needs(Feature::kSha);
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_FXSAVE64: return needs(Feature::kFxsr);
    case ZYDIS_ISA_SET_CLFSH: return needs(Feature::kClflush);
    case ZYDIS_ISA_SET_CLFLUSHOPT: return needs(Feature::kClflushopt);
    case ZYDIS_ISA_SET_CLWB: return needs(Feature::kClwb);
    case ZYDIS_ISA_SET_MONITOR: return needs(Feature::kMonitor);
    case ZYDIS_ISA_SET_MOVBE: return needs(Feature::kMovbe);
    case ZYDIS_ISA_SET_BMI1: return needs(Feature::kBmi1);
    case ZYDIS_ISA_SET_BMI2: return needs(Feature::kBmi2);
    case ZYDIS_ISA_SET_LZCNT: return needs(Feature::kLzcnt);
    case ZYDIS_ISA_SET_ADOX_ADCX: return needs(Feature::kAdx);
    case ZYDIS_ISA_SET_RDRAND: return needs(Feature::kRdrand);
    case ZYDIS_ISA_SET_RDSEED: return needs(Feature::kRdseed);
    case ZYDIS_ISA_SET_RDWRFSGS: return needs(Feature::kFsgsbase);
    case ZYDIS_ISA_SET_RDTSCP: return needs(Feature::kRdtscp);
    case ZYDIS_ISA_SET_RDPID: return needs(Feature::kRdpid);
    case ZYDIS_ISA_SET_XSAVE: return needs(Feature::kXsave);
    case ZYDIS_ISA_SET_XSAVEOPT: return needs(Feature::kXsaveopt);
    case ZYDIS_ISA_SET_INVPCID: return needs(Feature::kInvpcid);
    case ZYDIS_ISA_SET_SMAP: return needs(Feature::kSmap);
    case ZYDIS_ISA_SET_PKU: return needs(Feature::kPku);
    case ZYDIS_ISA_SET_PREFETCHWT1: return {};
    case ZYDIS_ISA_SET_AVX:
    case ZYDIS_ISA_SET_AVXAES: return needs(Feature::kAvx);
    case ZYDIS_ISA_SET_AVX2:
    case ZYDIS_ISA_SET_AVX2GATHER: return needs(Feature::kAvx2);
    case ZYDIS_ISA_SET_FMA: return needs(Feature::kFma);
    case ZYDIS_ISA_SET_F16C: return needs(Feature::kF16c);
    case ZYDIS_ISA_SET_VTX:
    case ZYDIS_ISA_SET_VMFUNC: return needs(Feature::kVmx);
    default: return {.unknown_extension = true, .feature = {}};
  }
}

}  // namespace vtsim::cpu
