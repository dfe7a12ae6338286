# What stands around the generated groups of an image: the first state, handlers, descriptor tables, and
# the ways from mode to mode. The image lies at 10000H; its code has the same offsets in every mode.
#
# Groups begin at multiples of GROUP bytes. An exception in a group goes on with the next one.

        .set    GROUP, 64
        .set    BASE, 0x10000
        # Data segments' bases: outside of the image, whatever a 16-bit offset.
        .set    DATA, 0x2000
        .set    EXTRA, 0x3000
        .set    STACK, 0x4000
        .set    FIRST_F, 0x5000
        .set    FIRST_G, 0x2800
        .set    STACK_TOP, 0x8000
        .set    RING0_TOP, 0xF000       # in the stack segment: where CPL 3 and v86 interrupt to

        # Selectors.
        .set    S_CODE16, 0x08
        .set    S_CODE32, 0x10
        .set    S_DATA, 0x18
        .set    S_EXTRA, 0x20
        .set    S_STACK16, 0x28
        .set    S_STACK32, 0x30
        .set    S_F, 0x38
        .set    S_G, 0x40
        .set    S_READONLY, 0x48
        .set    S_ABSENT, 0x50
        .set    S_TSS, 0x58
        .set    S_CODE16_USER, 0x63
        .set    S_CODE32_USER, 0x6B
        .set    S_DATA_USER, 0x73
        .set    S_EXTRA_USER, 0x7B
        .set    S_STACK16_USER, 0x83
        .set    S_STACK32_USER, 0x8B
        .set    S_EXPAND_DOWN, 0x90
        .set    S_CONFORMING, 0x98
        .set    S_REAL_CODE, 0xA0       # as real mode has it: base 10000H, 64 KBytes
        .set    S_REAL_DATA, 0xA8
        .set    S_FLAT, 0xB0

        .macro  load_selectors data, extra, stack, f, g
        movw    $\data, %ax
        movw    %ax, %ds
        movw    $\extra, %ax
        movw    %ax, %es
        movw    $\stack, %ax
        movw    %ax, %ss
        movw    $\f, %ax
        movw    %ax, %fs
        movw    $\g, %ax
        movw    %ax, %gs
        .endm

        # In real mode.
        .macro  load_real_segments
        load_selectors DATA, EXTRA, STACK, FIRST_F, FIRST_G
        movl    $STACK_TOP, %esp
        .endm

        .code16
        .section .text
        .globl  _start
_start:
        cli
        movb    $0xFF, %al              # no interrupts of devices
        outb    %al, $0x21
        outb    %al, $0xA1
        movl    $0x10, %eax
        movl    %eax, %cr0
        xorl    %eax, %eax
        movl    %eax, %cr4
        movw    %ax, %es
        xorw    %di, %di                # the interrupt vectors
        movw    $256, %cx
fill_vectors:
        movw    $plain16, %ax
        stosw
        movw    $BASE >> 4, %ax
        stosw
        loop    fill_vectors
        .irp    vector, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13
        movw    $skip16, %es:4*\vector
        .endr
        movw    $BASE >> 4, %ax         # the data: the image's bytes
        movw    %ax, %ds
        movw    $DATA, %bx
        cld
fill_segment:
        movw    %bx, %es
        xorw    %si, %si
        xorw    %di, %di
        movw    $0x2000, %cx
        rep movsl
        addw    $0x1000, %bx
        cmpw    $0x7000, %bx
        jb      fill_segment
        lgdtl   %cs:gdt_pointer
        lidtl   %cs:real_idt_pointer
        load_real_segments
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        movl    $STACK_TOP, %esp
        pushl   $2
        popfl
        xorl    %eax, %eax
        cmpl    %eax, %eax
        jmp     lockstep_start
lockstep_start:
        jmp     sections

# ---- handlers

# 16-bit frames. After exceptions: on with the next group.
skip16_error:
        addw    $2, %sp
skip16:
        pushw   %bp
        movw    %sp, %bp
        pushw   %ax
        movw    2(%bp), %ax
        andw    $-GROUP, %ax
        addw    $GROUP, %ax
        movw    %ax, 2(%bp)
        popw    %ax
        popw    %bp
        iretw
plain16:
        iretw

        .code32
skip32_error:
        addl    $4, %esp
skip32:
        pushl   %ebp
        movl    %esp, %ebp
        pushl   %eax
        movl    4(%ebp), %eax
        andl    $-GROUP, %eax
        addl    $GROUP, %eax
        movl    %eax, 4(%ebp)
        popl    %eax
        popl    %ebp
        iretl
plain32:
        iretl
# INT3 of CPL 3 and v86 (IOPL does not keep them from it): on in 32-bit code at CPL 0, at the offset
# in EAX.
exit32:
        movl    $S_STACK32, %edx
        movl    %edx, %ss
        movl    $STACK_TOP, %esp
        jmp     *%eax

# ---- tables

        .macro  descriptor base, limit, access, flags
        .word   \limit & 0xFFFF
        .word   \base & 0xFFFF
        .byte   (\base >> 16) & 0xFF
        .byte   \access
        .byte   (\flags << 4) | (\limit >> 16)
        .byte   \base >> 24
        .endm
        .balign 8
gdt:
        .quad   0
        descriptor BASE, 0xFFFF, 0x9B, 0        # 08 code, 16 bits
        descriptor BASE, 0xFFFF, 0x9B, 4        # 10 code, 32 bits
        descriptor DATA << 4, 0xFFFF, 0x93, 0
        descriptor EXTRA << 4, 0xFFFF, 0x93, 0
        descriptor STACK << 4, 0xFFFF, 0x93, 0
        descriptor STACK << 4, 0xFFFF, 0x93, 4
        descriptor FIRST_F << 4, 0xFFFF, 0x93, 0
        descriptor FIRST_G << 4, 0xFFFF, 0x93, 0
        descriptor DATA << 4, 0xFFFF, 0x91, 0   # 48 read-only
        descriptor DATA << 4, 0xFFFF, 0x13, 0   # 50 not present
        .word   0x67, tss                       # 58: the TSS, at BASE + tss
        .byte   BASE >> 16, 0x89, 0, 0
        descriptor BASE, 0xFFFF, 0xFB, 0        # 60 CPL 3
        descriptor BASE, 0xFFFF, 0xFB, 4
        descriptor DATA << 4, 0xFFFF, 0xF3, 0
        descriptor EXTRA << 4, 0xFFFF, 0xF3, 0
        descriptor STACK << 4, 0xFFFF, 0xF3, 0
        descriptor STACK << 4, 0xFFFF, 0xF3, 4
        descriptor DATA << 4, 0x0FFF, 0x97, 0   # 90 expand-down
        descriptor BASE, 0xFFFF, 0x9F, 0        # 98 conforming
        descriptor BASE, 0xFFFF, 0x9B, 0        # A0
        descriptor DATA << 4, 0xFFFF, 0x93, 0
        descriptor 0, 0xFFFFF, 0x93, 12
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   BASE + gdt
real_idt_pointer:
        .word   0x3FF
        .long   0
idt16_pointer:
        .word   256 * 8 - 1
        .long   BASE + idt16
idt32_pointer:
        .word   256 * 8 - 1
        .long   BASE + idt32

        .macro  gate offset, selector, access
        .word   \offset
        .word   \selector
        .word   \access << 8
        .word   0
        .endm
        # Faults skip; 8, 10 to 14 and 17 have an error code.
        .macro  idt selector, type, plain, skip, skip_error, exit
        .set    vector, 0
        .rept   256
        .if     vector == 3
        gate    \exit, \selector, (0xE0 + \type)
        .elseif (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17)
        gate    \skip_error, \selector, (0x80 + \type)
        .elseif (vector == 0) || ((vector >= 5) && (vector <= 7)) || (vector == 16)
        gate    \skip, \selector, (0x80 + \type)
        .elseif (vector & 1) || (vector == 4)
        gate    \plain, \selector, (0xE0 + \type)
        .else
        gate    \plain, \selector, (0x80 + \type)
        .endif
        .set    vector, vector + 1
        .endr
        .endm
        .balign 8
idt16:  idt     S_CODE16, 6, plain16, skip16, skip16_error, plain16
idt32:  idt     S_CODE32, 14, plain32, skip32, skip32_error, exit32
        .balign 16
tss:
        .long   0, RING0_TOP, S_STACK32
        .fill   0x68 - 12 - 2, 1, 0
        .word   0x68                    # no I/O permission bitmap

# ---- from mode to mode

        # Real mode to CPL 0 of protected mode, with `bits` of code.
        .macro  enter_protected bits, idt_pointer
        .code16
        lgdtl   %cs:gdt_pointer
        lidtl   %cs:\idt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $S_CODE\bits, $1f
1:      .code\bits
        load_selectors S_DATA, S_EXTRA, S_STACK\bits, S_F, S_G
        movl    $STACK_TOP, %esp
        .endm

        # CPL 0 of 32-bit protected mode: the task register, once.
        .macro  load_task
        .code32
        movw    $S_TSS, %ax
        ltr     %ax
        .endm

        # CPL 0 back to real mode, from code with `bits`.
        .macro  leave_protected bits
        .code\bits
        ljmpl   $S_REAL_CODE, $1f
1:      .code16
        load_selectors S_REAL_DATA, S_REAL_DATA, S_REAL_DATA, S_REAL_DATA, S_REAL_DATA
        movl    %cr0, %eax
        andb    $0xFE, %al
        movl    %eax, %cr0
        ljmpl   $BASE >> 4, $2f
2:      lidtl   %cs:real_idt_pointer
        load_real_segments
        .endm

        # CPL 0 of 32-bit protected mode to CPL 3 with `bits`, at a label behind this.
        .macro  enter_user bits
        .code32
        load_selectors S_DATA_USER, S_EXTRA_USER, S_STACK32, S_DATA_USER, S_EXTRA_USER
        movl    $STACK_TOP, %esp
        pushl   $S_STACK\bits\()_USER
        pushl   $STACK_TOP
        pushl   $2
        pushl   $S_CODE\bits\()_USER
        pushl   $1f
        iretl
1:      .code\bits
        .endm

        # CPL 0 of 32-bit protected mode to v86 with this IOPL.
        .macro  enter_v86 iopl
        .code32
        movl    $STACK_TOP, %esp
        pushl   $FIRST_G
        pushl   $FIRST_F
        pushl   $DATA
        pushl   $EXTRA
        pushl   $STACK
        pushl   $STACK_TOP
        pushl   $0x20002 | \iopl << 12
        pushl   $BASE >> 4
        pushl   $1f
        iretl
1:      .code16
        .endm

        # CPL 3 or v86, from code with `bits`, back to CPL 0.
        .macro  leave_user bits
        .code\bits
        movl    $1f, %eax
        cmpl    %eax, %eax              # no flag that is stored is undefined
        int3
1:      .code32
        load_selectors S_DATA, S_EXTRA, S_STACK32, S_F, S_G
        movl    $STACK_TOP, %esp
        .endm

        .macro  end_of_image
        .code16
lockstep_end:
        movb    $0, %al
        outb    %al, $0xF4              # vtsim and QEMU end here
        jmp     .
        .endm
