/* Which instruction may run where: shared by the table of rules and the code. */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

/* clang-format off */
#define INSTRUCTIONS(X)                            \
  X(hlt, hlt)                                      \
  X(clts, clts)                                    \
  X(lgdt, lgdt (%ebx))                             \
  X(lidt, lidt (%ebx))                             \
  X(lldt, lldt %ax)                                \
  X(ltr, ltr %ax)                                  \
  X(lmsw, lmsw %ax)                                \
  X(from_cr0, mov %cr0, %ecx)                      \
  X(from_cr2, mov %cr2, %ecx)                      \
  X(from_cr3, mov %cr3, %ecx)                      \
  X(from_cr4, mov %cr4, %ecx)                      \
  X(to_cr0, mov %eax, %cr0)                        \
  X(to_cr2, mov %eax, %cr2)                        \
  X(to_cr3, mov %eax, %cr3)                        \
  X(to_cr4, mov %eax, %cr4)                        \
  X(from_cr8, .byte 0x44, 0x0f, 0x20, 0xc1)        \
  X(to_cr8, .byte 0x44, 0x0f, 0x22, 0xc0)          \
  X(from_cr1, .byte 0x0f, 0x20, 0xc9)              \
  X(from_dr0, mov %db0, %ecx)                      \
  X(to_dr0, mov %eax, %db0)                        \
  X(from_dr7, mov %db7, %ecx)                      \
  X(to_dr7, mov %eax, %db7)                        \
  X(invd, invd)                                    \
  X(wbinvd, wbinvd)                                \
  X(invlpg, invlpg (%ebx))                         \
  X(invpcid, .byte 0x66, 0x0f, 0x38, 0x82, 0x03)   \
  X(rdmsr, rdmsr)                                  \
  X(wrmsr, wrmsr)                                  \
  X(swapgs, .byte 0x0f, 0x01, 0xf8)                \
  X(sysexit, sysexit)                              \
  X(sysret, .byte 0x0f, 0x07)                      \
  X(xsetbv, .byte 0x0f, 0x01, 0xd1)                \
  X(xgetbv, .byte 0x0f, 0x01, 0xd0)                \
  X(monitor, .byte 0x0f, 0x01, 0xc8)               \
  X(mwait, .byte 0x0f, 0x01, 0xc9)                 \
  X(clac, .byte 0x0f, 0x01, 0xca)                  \
  X(stac, .byte 0x0f, 0x01, 0xcb)                  \
  X(rsm, rsm)                                      \
  X(vmcall, .byte 0x0f, 0x01, 0xc1)                \
  X(vmxoff, .byte 0x0f, 0x01, 0xc4)                \
  X(vmread, .byte 0x0f, 0x78, 0xc1)                \
  X(cli, cli)                                      \
  X(sti, sti)                                      \
  X(in_imm, inb $0x80, %al)                            \
  X(out_imm, outb %al, $0x80)                          \
  X(in_dx, inl %dx, %eax)                          \
  X(in_dx8, inb %dx, %al)                          \
  X(ins, insb)                                     \
  X(outs, outsb)                                   \
  X(pushf, pushf)                                  \
  X(popf, popf)                                    \
  X(iret, iret)                                    \
  X(int_n, int $0x31)                              \
  X(sgdt, sgdt (%ebx))                             \
  X(sidt, sidt (%ebx))                             \
  X(sldt, sldt (%ebx))                             \
  X(str, str (%ebx))                               \
  X(smsw, smsw (%ebx))                             \
  X(lar, lar %ax, %ecx)                            \
  X(lsl, lsl %ax, %ecx)                            \
  X(verr, verr %ax)                                \
  X(verw, verw %ax)                                \
  X(arpl, arpl %ax, %cx)                           \
  X(rdtsc, rdtsc)                                  \
  X(rdtscp, .byte 0x0f, 0x01, 0xf9)                \
  X(rdpmc, rdpmc)                                  \
  X(rdpkru, .byte 0x0f, 0x01, 0xee)                \
  X(cpuid, cpuid)                                  \
  X(movaps, movaps %xmm0, %xmm0)                   \
  X(fxsave, fxsave (%ebx))                         \
  X(xsave, xsave (%ebx))                           \
  X(vandps, vandps %ymm0, %ymm0, %ymm0)            \
  X(paddb_mmx, paddb %mm0, %mm0)                   \
  X(fnop, fnop)                                    \
  X(fwait, fwait)                                  \
  X(rdfsbase, .byte 0xf3, 0x0f, 0xae, 0xc1)        \
  X(wrgsbase, .byte 0xf3, 0x0f, 0xae, 0xd8)        \
  X(load, mov (%ebx), %al)                         \
  X(store, mov %al, (%ebx))                        \
  X(load_fs, mov %eax, %fs)                        \
  X(wrpkru, .byte 0x0f, 0x01, 0xef)                \
  X(nothing, nop)
/* clang-format on */

#ifndef __ASSEMBLER__

#include "contexts.h"
#include "parts.h"

#define DECLARE_CODE(name, ...) extern const u8 code_##name[];
INSTRUCTIONS(DECLARE_CODE)
#undef DECLARE_CODE

enum { UD = 6, NM = 7, GP = 13, PF = 14, DONE = VECTOR_DONE };

/* 4 KiB that instructions with a memory operand use. */
extern u8 operand[4096];

/* What ended `context`, as vector | error code << 8; a fault elsewhere than at the instruction that
 * started has bit 31 set. */
u32 outcome_long(struct context context);
u32 outcome_legacy(struct context context);
/* Copied below 64 KiB first; operands at the linear address `V86_OPERAND`. */
u32 outcome_v86(const u8* code, u64 flags);
enum { V86_CODE = 0x12000, V86_OPERAND = 0x28000 };

int has_feature(u32 leaf, u32 reg, u32 bit); /* reg: 0 EAX, 1 EBX, 2 ECX, 3 EDX; subleaf 0 */
enum { EAX, EBX, ECX, EDX };

/* The chapters. */
void check_instructions(void);
void check_control_bits(void);
void check_iopl(void);
void check_v86(void);
void check_page_rights(void);

#endif
#endif
