// Short pieces of code that contexts start at; each ends by INT3. 32-bit code unless it says so; what
// has no displacement and no prefix means the same in 64-bit code.

#include "layout.h"

    .macro piece name
    .balign 16
    .global \name
\name:
    .endm

    .section .rodata
    .code32
    piece code_done
    int3
    piece code_load8                // of DS
    mov (%ebx), %al
    int3
    piece code_load32
    mov (%ebx), %eax
    int3
    piece code_store8
    mov %al, (%ebx)
    int3
    piece code_load32_ss
    mov %ss:(%ebx), %eax
    int3
    piece code_load32_cs
    mov %cs:(%ebx), %eax
    int3
    piece code_store8_cs
    mov %al, %cs:(%ebx)
    int3
    piece code_push
    push %eax
    int3
    piece code_load_ds
    mov %eax, %ds
    int3
    piece code_load_ss
    mov %eax, %ss
    int3
    piece code_load_fs
    mov %eax, %fs
    int3
    piece code_lldt
    lldt %ax
    int3
    piece code_ltr
    ltr %ax
    int3
    piece code_lar
    lar %eax, %ecx
    int3
    piece code_lsl
    lsl %eax, %ecx
    int3
    piece code_verr
    verr %ax
    int3
    piece code_verw
    verw %ax
    int3
    piece code_arpl
    arpl %ax, %cx
    int3
    piece code_far_jump
    ljmp *(%ebx)
    int3
    piece code_far_call
    lcall *(%ebx)
    .global code_after_call
code_after_call:
    int3
    piece code_far_return
    lret
    int3
    piece code_far_return_8
    lret $8
    int3
    piece code_int
    int $0x21
    .global code_after_int
code_after_int:
    int3
    piece code_int1                 // ICEBP
    .byte 0xf1
    .global code_after_int1
code_after_int1:
    int3
    piece code_into
    into
    int3
    piece code_bound
    bound %eax, (%ebx)
    int3
    piece code_ud
    ud2
    int3
    piece code_iret
    iret
    .global code_after_iret
code_after_iret:
    int3
    piece code_iretq
    .code64
    iretq
    int3
    piece code_far_return_64
    lretq
    int3
    piece code_load_at_rbp          // an address by RBP belongs to the stack segment
    mov (%rbp), %eax
    int3
    piece code_jump_rax
    jmp *%rax
    int3
    piece code_push_64
    push %rax
    int3
    piece code_far_jump_64          // m16:64
    rex.w ljmp *(%rbx)
    int3
    piece code_compatibility_trip   // 64-bit -> compatibility -> 64-bit, by far jump and far return
    push $CODE32
    lea 1f(%rip), %rax
    push %rax
    lretq
    .code32
1:  mov $0x12345678, %ecx
    inc %ecx                        // 41h is a REX prefix in 64-bit code
    ljmp $CODE64, $2f
    .code64
2:  mov $0x123456789abcdef0, %rdx
    int3
    .code32
