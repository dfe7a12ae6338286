// One entry a vector, all alike: error code (or 0) and vector are pushed, then the common part saves
// the registers and calls interrupt(frame), frame as in interrupts.h.

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

// 16 bytes each. SDM 3A "Exception and Interrupt Reference": vectors 8, 10-14, 17 and 21 push an error
// code themselves.
    .balign 16
    .global vector_entries
vector_entries:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
    push $0
    .endif
    push $vector
    jmp common
    .set vector, vector + 1
    .endr
