#pragma once
// Every instruction group of the table, each defined in exec/<group>.cc.

#include <span>

#include "model/cpu/exec/table.h"

namespace vtsim::cpu {

using Rows = std::span<const InstructionRow>;

Rows data_transfer_rows();   // MOV, MOVZX, MOVSX, XCHG, LEA, BSWAP, CBW...
Rows stack_rows();           // PUSH, POP, PUSHA, POPA, ENTER, LEAVE
Rows conditional_rows();     // SETcc, CMOVcc
Rows arithmetic_rows();      // ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG
Rows logic_rows();           // AND, OR, XOR, TEST, NOT
Rows shift_rows();           // SHL, SHR, SAR, SHLD, SHRD, ROL, ROR, RCL, RCR
Rows multiply_rows();        // MUL, IMUL, DIV, IDIV
Rows exchange_rows();        // CMPXCHG, CMPXCHG8B, CMPXCHG16B, XADD
Rows bit_rows();             // BT..BTC, BSF, BSR, TZCNT, LZCNT, POPCNT
Rows bmi_rows();             // BMI1, BMI2, ADX
Rows bcd_rows();             // AAA, AAD, AAM, AAS, DAA, DAS
Rows string_rows();          // MOVS, STOS, LODS, SCAS, CMPS
Rows flag_control_rows();    // LAHF, SAHF, CLC, STC, CMC, CLD, STD, SALC
Rows miscellaneous_rows();   // NOP, UDn, XLAT, CRC32, RDRAND, RDSEED
Rows branch_rows();          // near JMP, CALL, RET, Jcc, LOOPcc, JRCXZ
Rows interrupt_flag_rows();  // CLI, STI, PUSHF, POPF
Rows interrupt_rows();       // INT, INT1, INT3, INTO, IRET
Rows segment_rows();         // LDS..LSS, LAR, LSL, VERR, VERW, ARPL
Rows descriptor_table_rows();  // LLDT, LTR, SLDT, STR, LGDT, LIDT, SGDT, SIDT, SWAPGS, RDFSBASE...
Rows system_call_rows();     // SYSCALL, SYSRET, SYSENTER, SYSEXIT
Rows control_register_rows();  // CLTS, LMSW, SMSW, XGETBV, XSETBV, INVLPG, INVPCID
Rows processor_rows();       // HLT, MONITOR, MWAIT, PAUSE, fences, cache control, CPUID, RSM
Rows msr_rows();             // RDMSR, WRMSR, RDTSC, RDTSCP, RDPMC, RDPID
Rows io_rows();              // IN, OUT, INS, OUTS
Rows state_save_rows();  // FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, the XSAVE family
Rows mmx_move_rows();       // EMMS, MASKMOVQ, MOVDQ2Q, MOVQ2DQ, MOVNTQ
Rows vector_move_rows();    // MOVAPS, MOVUPS, MOVDQA, MOVD, MOVQ, MOVSS, MOVHPS, MOVMSKPS... and VEX forms
Rows vector_integer_rows();  // PADDB, PMULLW, PCMPEQB, PMINUB, PSADBW, PXOR, XORPS... and VEX forms
Rows vector_shuffle_rows();  // PSHUFD, PUNPCKLBW, PACKSSWB, PALIGNR, PBLENDW, PINSRB, PEXTRB, PMOVZX...
Rows vector_shift_rows();    // PSLLW, PSRLDQ, VPSLLVD...
Rows vector_float_rows();    // ADDPS, MINSD, SQRTPD, HADDPS, DPPS, ROUNDSS, RCPPS... and VEX forms
Rows vector_compare_rows();  // CMPPS, COMISS, UCOMISD, PTEST, VTESTPS... and VEX forms
Rows vector_convert_rows();  // CVTSI2SD, CVTTPS2DQ, CVTPI2PS, VCVTPH2PS... and VEX forms
Rows vector_crypto_rows();   // AESENC, PCLMULQDQ, SHA256RNDS2...
Rows vector_string_rows();   // PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM
Rows vector_avx_rows();      // VBROADCASTSS, VPERMD, VINSERTI128, VMASKMOVPS, VGATHERDPS, VZEROUPPER...
Rows vector_fma_rows();      // VFMADD132PS...
Rows x87_transfer_rows();     // FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP, FXCH, FCMOVcc, FLDPI...
Rows x87_arithmetic_rows();   // FADD..FDIVR, FSQRT, FABS, FCHS, FRNDINT, FSCALE, FPREM, FXTRACT
Rows x87_compare_rows();      // FCOM, FUCOM, FICOM, FCOMI, FTST, FXAM
Rows x87_control_rows();      // FNINIT, FNCLEX, FWAIT, control and status words, FINCSTP, FFREE...
Rows x87_function_rows();     // FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1
Rows vmx_rows();              // VMXON..VMXOFF, VMREAD, VMWRITE, VMLAUNCH, INVEPT, INVVPID, VMFUNC
Rows x87_environment_rows();  // FLDENV, FNSTENV, FRSTOR, FNSAVE

// One mnemonic, two groups: binders that the rows above hand over to.
Handler bind_mov_segment(const Binding& binding, Op& op);   // MOV to and from segment registers
Handler bind_mov_control(const Binding& binding, Op& op);   // MOV to and from CRn, DRn
Handler bind_pop_segment(const Binding& binding, Op& op);   // POP segment register
Handler bind_far_branch(const Binding& binding, Op& op);    // far JMP, CALL, RET

}  // namespace vtsim::cpu
