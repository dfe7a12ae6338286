# Endless loops for guests in 64-bit mode, position-independent. What registers and memory they find
# is told in guest_loop.h. LOOP name ... END name gives C the symbols loop_NAME and loop_NAME_end.

.macro LOOP name
    .balign 64
    .globl loop_\name, loop_\name\()_end
loop_\name:
.endm
.macro END name
loop_\name\()_end:
.endm

    .section .rodata
    .code64

LOOP alu                            # register operations, flags written and not read
1:  add %rbx, %rax
    xor %rcx, %rdx
    lea 8(%rax,%rdx,2), %r8
    sub %r8, %rbx
    and $0xff, %ecx
    or %rax, %r9
    shl $3, %r9
    mov %rbx, %r10
    add $1, %rcx
    imul %r9, %r8
    mov %r8, %rax
    not %rdx
    jmp 1b
END alu

LOOP alu_flags                      # each flag result is read
1:  add %rbx, %rax
    adc %rcx, %rdx
    cmp %rax, %rdx
    setb %r8b
    test %r8b, %r8b
    cmovz %rdx, %r9
    rol $5, %r9
    sbb $0, %r10
    jmp 1b
END alu_flags

LOOP load
1:  mov (%rsi), %rax
    mov 8(%rsi,%rcx,8), %rbx
    mov 64(%rsi), %edx
    movzbl 3(%rsi), %r8d
    add 128(%rsi), %r9
    cmp %rax, 256(%rsi)
    mov 512(%rsi), %r10
    mov 4088(%rsi), %r11
    jmp 1b
END load

LOOP store
1:  mov %rax, (%rsi)
    mov %rbx, 8(%rsi,%rcx,8)
    mov %edx, 64(%rsi)
    movb $3, 3(%rsi)
    add %r9, 128(%rsi)
    incl 256(%rsi)
    mov %r10, 512(%rsi)
    mov %r11, 4088(%rsi)
    jmp 1b
END store

LOOP push_pop
1:  push %rax
    push %rbx
    push %r12
    pop %r12
    pop %rbx
    pop %rax
    jmp 1b
END push_pop

LOOP branch_taken
1:  test %ecx, %ecx                 # RCX is 0
    jz 2f
    nop
2:  cmp %rax, %rax
    je 3f
    nop
3:  jmp 1b
END branch_taken

LOOP branch_not_taken
1:  test %ecx, %ecx
    jnz 1b
    cmp %rax, %rax
    jne 1b
    jmp 1b
END branch_not_taken

LOOP branch_alternating
1:  inc %eax
    test $1, %al
    jz 2f
    inc %ebx
2:  test $2, %al
    jz 1b
    inc %edx
    jmp 1b
END branch_alternating

LOOP indirect                       # one jump, four targets in turn
    lea 5f(%rip), %r12
1:  inc %eax
    mov %eax, %ebx
    and $3, %ebx
    shl $4, %ebx
    add %r12, %rbx
    jmp *%rbx
    .balign 16
5:  jmp 1b
    .balign 16
    jmp 1b
    .balign 16
    jmp 1b
    .balign 16
    jmp 1b
END indirect

LOOP call_ret
1:  call 2f
    call 3f
    jmp 1b
2:  inc %eax
    ret
3:  inc %ebx
    ret
END call_ret

LOOP call_ret_far                   # to another page and back
1:  call 2f
    call 3f
    jmp 1b
    .skip 4096
2:  inc %eax
    ret
    .skip 4096
3:  inc %ebx
    ret
END call_ret_far

LOOP page_fault                     # RDI: not mapped
1:  mov (%rdi), %eax                # two bytes; page_fault_handler skips them
    jmp 1b
END page_fault

LOOP page_fault_handler
    add $8, %rsp
    addq $2, (%rsp)
    iretq
END page_fault_handler

LOOP cr3_reload                     # RAX: CR3; eight pages are read after each reload
    mov %cr3, %rax
1:  mov %rax, %cr3
    mov (%rsi), %ebx
    mov 0x1000(%rsi), %ebx
    mov 0x2000(%rsi), %ebx
    mov 0x3000(%rsi), %ebx
    mov 0x4000(%rsi), %ebx
    mov 0x5000(%rsi), %ebx
    mov 0x6000(%rsi), %ebx
    mov 0x7000(%rsi), %ebx
    jmp 1b
END cr3_reload

LOOP host_tlb_miss                  # R8 bytes apart: the same entry of the host-pointer arrays
1:  mov (%rsi), %eax
    mov (%rsi,%r8), %eax
    mov (%rsi,%r8,2), %eax
    mov (%rsi,%r8,4), %eax
    jmp 1b
END host_tlb_miss

LOOP invlpg
1:  invlpg (%rsi)
    mov (%rsi), %eax
    jmp 1b
END invlpg

LOOP self_modifying                 # changes the immediate of its own next instruction
1:  inc %eax
    mov %al, 2f+1(%rip)
2:  mov $0, %bl
    jmp 1b
END self_modifying

LOOP rep_movsb                      # RSI, RDI, 64 KBytes
    mov %rsi, %r12
    mov %rdi, %r13
1:  mov %r12, %rsi
    mov %r13, %rdi
    mov $0x10000, %ecx
    rep movsb
    jmp 1b
END rep_movsb

LOOP rep_stosq
    mov %rdi, %r13
1:  mov %r13, %rdi
    mov $0x2000, %ecx
    rep stosq
    jmp 1b
END rep_stosq

LOOP port
    mov $0x80, %edx
1:  out %al, %dx
    in %dx, %al
    jmp 1b
END port

LOOP cpuid
1:  xor %eax, %eax
    xor %ecx, %ecx
    cpuid
    jmp 1b
END cpuid

LOOP sse
    movups (%rsi), %xmm1
    movups 16(%rsi), %xmm2
1:  addps %xmm1, %xmm3
    mulps %xmm2, %xmm4
    addsd %xmm1, %xmm5
    paddd %xmm1, %xmm6
    pxor %xmm2, %xmm6
    pshufd $0x1b, %xmm6, %xmm7
    movups %xmm7, 32(%rsi)
    movups (%rsi), %xmm8
    cvtsi2sd %eax, %xmm9
    jmp 1b
END sse

LOOP x87
    fninit
1:  fldl (%rsi)
    faddl 8(%rsi)
    fld %st(0)
    fmul %st(1), %st
    faddp
    fstpl 16(%rsi)
    jmp 1b
END x87

LOOP straight                       # what compilers emit, without loops: for decoding
    .rept 64
    push %rbx
    mov 0x10(%rsi), %rax
    lea (%rax,%rcx,4), %rbx
    test %rax, %rax
    movzbl 3(%rsi), %edx
    mov %ebx, 0x20(%rsi)
    add $0x123456, %rbx
    movslq %edx, %rdi
    cmp $7, %edi
    setne %r8b
    movdqu (%rsi), %xmm1
    imul $100, %rdx, %r9
    pop %rbx
    .endr
    jmp loop_straight
END straight
    .section .note.GNU-stack,"",@progbits
