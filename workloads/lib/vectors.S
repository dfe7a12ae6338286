// One entry a vector, all alike: error code (or 0) and vector are pushed, then the common part saves
// the registers and calls interrupt(frame), frame as in parts.h.

#include "vectors.inc"

    .macro push_all
    push %r15; push %r14; push %r13; push %r12
    push %r11; push %r10; push %r9; push %r8
    push %rbp; push %rdi; push %rsi; push %rdx
    push %rcx; push %rbx; push %rax
    .endm

    .macro pop_all
    pop %rax; pop %rbx; pop %rcx
    pop %rdx; pop %rsi; pop %rdi; pop %rbp
    pop %r8; pop %r9; pop %r10; pop %r11
    pop %r12; pop %r13; pop %r14; pop %r15
    .endm

    .text
common:
    push_all
    mov %rsp, %rdi
    cld
    call interrupt
    pop_all
    add $16, %rsp
    iretq

    .balign 16
    .global vector_entries
vector_entries:
    vector_stubs 256, common
