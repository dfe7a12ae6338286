// Lets GRUB and its like start a guest (Multiboot2 Specification, "OS image format"). Loaders that
// know both protocols take this one: guests without this file are entered by PVH.

#define MAGIC 0xe85250d6
#define LENGTH (header_end - header)

    .section .multiboot2, "a"
    .balign 8
header:
    .long MAGIC, 0, LENGTH, -(MAGIC + 0 + LENGTH)   // architecture 0: i386, protected mode
    .balign 8
    .short 3, 0                                     // entry address
    .long 12, multiboot2_start
    .balign 8
    .short 0, 0                                     // end
    .long 8
header_end:
