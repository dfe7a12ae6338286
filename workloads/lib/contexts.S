// run_long() and run_legacy(): there, and back by way of an event.

#include "contexts.h"
#include "layout.h"
#include "vectors.inc"

#define CR0_PE 0x00000001
#define CR0_PG 0x80000000
#define CR0_PG_BIT 31
#define EFER 0xc0000080
#define EFER_LME 0x100
#define RFLAGS_VM 0x20000
#define TSS_BUSY 2

    .macro load_data_segments context
    mov CONTEXT_ES(\context), %es
    mov CONTEXT_FS(\context), %fs
    mov CONTEXT_GS(\context), %gs
    mov CONTEXT_DS(\context), %ds
    .endm

    .text
    .code64
    .global run_long, leave_run
run_long:
    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
    pushfq
    mov %rsp, outer_rsp
    mov %rdi, running_context
    load_data_segments %rdi
    push CONTEXT_SS(%rdi)
    push CONTEXT_RSP(%rdi)
    push CONTEXT_RFLAGS(%rdi)
    push CONTEXT_CS(%rdi)
    push CONTEXT_RIP(%rdi)
    mov (%rdi), %rax
    mov 8(%rdi), %rbx
    mov 16(%rdi), %rcx
    mov 24(%rdi), %rdx
    mov 32(%rdi), %rsi
    mov 48(%rdi), %rbp
    mov 56(%rdi), %r8
    mov 64(%rdi), %r9
    mov 72(%rdi), %r10
    mov 80(%rdi), %r11
    mov 88(%rdi), %r12
    mov 96(%rdi), %r13
    mov 104(%rdi), %r14
    mov 112(%rdi), %r15
    mov 40(%rdi), %rdi
    iretq

// From interrupt(): returns to run_long()'s caller.
leave_run:
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov outer_rsp, %rsp
    movq $0, running_context
    popfq
    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
    ret

// Far jump to 32-bit code of the same addresses; everything there is below 4 GiB.
    .global run_legacy
run_legacy:
    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
    pushfq
    cli
    mov %rsp, outer_rsp
    sidt long_idt_pointer
    mov %edi, legacy_running
    push $CODE32
    push $legacy_32
    lretq

    .code32
legacy_32:
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $legacy_interrupt_stack + 4096, %esp
    mov %cr0, %eax
    and $~CR0_PG, %eax
    mov %eax, %cr0
    mov $EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
    wrmsr
    lidt legacy_idt_pointer
    andb $~TSS_BUSY, gdt + TSS32 + 5
    mov $TSS32, %eax
    ltr %ax
    mov legacy_running, %edi
    testl $RFLAGS_VM, CONTEXT_RFLAGS(%edi)
    jnz legacy_to_v86
    testl $3, CONTEXT_CS(%edi)
    jnz legacy_to_outer
    load_data_segments %edi
    mov %cs:CONTEXT_SS(%edi), %ss
    mov %cs:CONTEXT_RSP(%edi), %esp
    jmp legacy_go
legacy_to_v86:
    push CONTEXT_GS(%edi)
    push CONTEXT_FS(%edi)
    push CONTEXT_DS(%edi)
    push CONTEXT_ES(%edi)
legacy_to_outer:
    push CONTEXT_SS(%edi)
    push CONTEXT_RSP(%edi)
    testl $RFLAGS_VM, CONTEXT_RFLAGS(%edi)
    jnz legacy_go
    load_data_segments %edi
legacy_go:
    pushl %cs:CONTEXT_RFLAGS(%edi)
    pushl %cs:CONTEXT_CS(%edi)
    pushl %cs:CONTEXT_RIP(%edi)
    mov %cs:(%edi), %eax
    mov %cs:8(%edi), %ebx
    mov %cs:16(%edi), %ecx
    mov %cs:24(%edi), %edx
    mov %cs:32(%edi), %esi
    mov %cs:48(%edi), %ebp
    mov %cs:40(%edi), %edi
    iret

// Every vector: [vector] [error code] EIP CS EFLAGS, then ESP SS where the stack was switched.
legacy_common:
    pusha
    push %ds
    push %es
    push %fs
    push %gs
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov legacy_running, %edi
    mov %esp, %esi
    pop %eax
    movzwl %ax, %eax            // PUSH of a segment register may write 16 bits only
    mov %eax, CONTEXT_GS(%edi)
    pop %eax
    movzwl %ax, %eax
    mov %eax, CONTEXT_FS(%edi)
    pop %eax
    movzwl %ax, %eax
    mov %eax, CONTEXT_ES(%edi)
    pop %eax
    movzwl %ax, %eax
    mov %eax, CONTEXT_DS(%edi)
    popl 40(%edi)
    popl 32(%edi)
    popl 48(%edi)
    pop %eax
    popl 8(%edi)
    popl 24(%edi)
    popl 16(%edi)
    popl (%edi)
    popl CONTEXT_VECTOR(%edi)
    popl CONTEXT_ERROR(%edi)
    popl CONTEXT_RIP(%edi)
    popl CONTEXT_CS(%edi)
    popl CONTEXT_RFLAGS(%edi)
    xor %eax, %eax
    str %ax
    mov %eax, CONTEXT_TR(%edi)
    testl $RFLAGS_VM, CONTEXT_RFLAGS(%edi)
    jnz 1f
    testl $3, CONTEXT_CS(%edi)
    jnz 1f
    mov %esp, CONTEXT_RSP(%edi)
    mov %ss, %eax
    mov %eax, CONTEXT_SS(%edi)
    jmp legacy_leave
1:  popl CONTEXT_RSP(%edi)
    popl CONTEXT_SS(%edi)
    testl $RFLAGS_VM, CONTEXT_RFLAGS(%edi)
    jz legacy_leave
    popl CONTEXT_ES(%edi)
    popl CONTEXT_DS(%edi)
    popl CONTEXT_FS(%edi)
    popl CONTEXT_GS(%edi)

// Back to where run_legacy() was called.
    .global legacy_leave
legacy_leave:
    mov $DATA64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $legacy_interrupt_stack + 4096, %esp
    lgdt gdt_pointer
    andb $~TSS_BUSY, gdt + LEAVING_TSS + 5
    mov $LEAVING_TSS, %eax      // IA-32e mode is not entered with a 16-bit TSS
    ltr %ax
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $pml4, %eax             // a task switch may have changed it
    mov %eax, %cr3
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    ljmp $CODE64, $1f
    .code64
1:  mov outer_rsp, %rsp
    lidt long_idt_pointer
    andb $~TSS_BUSY, gdt + TSS64 + 5
    mov $TSS64, %eax
    ltr %ax
    xor %eax, %eax
    lldt %ax
    clts                        // a task switch sets CR0.TS
    popfq
    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
    ret

    .code32
    .balign 16
    .global legacy_vector_entries
legacy_vector_entries:
    vector_stubs 64, legacy_common

    .data
    .balign 8
    .global legacy_idt_pointer, long_idt_pointer
legacy_idt_pointer:
    .word 64 * 8 - 1
    .long legacy_idt
    .balign 8
long_idt_pointer:
    .skip 10

    .bss
    .balign 16
    .global outer_stack, interrupt_stack, legacy_interrupt_stack, running_context
outer_rsp:
    .skip 8
running_context:
    .skip 8
legacy_running:
    .skip 8
    .balign 4096
outer_stack:
    .skip 4096
interrupt_stack:
    .skip 4096
legacy_interrupt_stack:
    .skip 4096
