# Calls from the fast path of handlers into C++ that keep every register but RAX and the flags, so
# that the handlers stay leaf functions without frames. Handlers are compiled with -mno-red-zone.
#
#   vtsim_slow_read_keep    RDI core, RSI op, RDX linear address, ECX size            -> RAX pointer
#   vtsim_slow_store_keep   RDI core, RSI op, RDX linear address, ECX size, RAX value -> RAX success
#   vtsim_probe_write_keep  RDI core, RSI op, RDX linear address, ECX size            -> RAX success

.macro KEEPING_CALL name, target
    .globl \name
    .type \name, @function
\name:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %r8
    push %r9
    push %r10
    push %r11
    sub $256, %rsp
    and $-16, %rsp
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\n, 16*\n(%rsp)
    .endr
    mov %rax, %r8
    call \target
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups 16*\n(%rsp), %xmm\n
    .endr
    lea -64(%rbp), %rsp
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size \name, .-\name
.endm

    .text
    KEEPING_CALL vtsim_slow_read_keep, vtsim_slow_read
    KEEPING_CALL vtsim_slow_store_keep, vtsim_slow_store
    KEEPING_CALL vtsim_probe_write_keep, vtsim_probe_write
    .section .note.GNU-stack,"",@progbits
