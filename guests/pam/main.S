/*
 * A 64 KiB firmware image that tries the 440FX's attribute map (PAM) and prints what it finds to COM1: for every state of
 * the BIOS's segment and of an option ROM's, what is read, before and after a store, and whose code is executed.
 *
 * The reset vector copies the image to RAM below 64 KiB, so that the program itself does not stand on what it changes.
 * A second processor, where there is one, runs in the BIOS's segment meanwhile, and must not notice.
 */
#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define TRANSMIT_EMPTY 0x20
#define DEBUG_EXIT 0xf4
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
/* Configuration registers 0x58 to 0x5b of 00.0. PAM0 is the second, PAM1 the third. */
#define BRIDGE 0x80000058
#define PAM0_PORT (PCI_DATA + 1)
#define PAM1_PORT (PCI_DATA + 2)
#define BIOS 0xf000
#define OPTION_ROM 0xc000
#define PROGRAM 0x0800
/* CMOS memory: how many processors there are besides the first. */
#define CMOS_INDEX 0x70
#define CMOS_PROCESSORS 0x5f
/* Local APIC in x2APIC mode: its base register, and INIT and SIPI to all others through the ICR. */
#define MSR_APIC_BASE 0x1b
#define X2APIC 0xc00
#define MSR_ICR 0x830
#define INIT_OTHERS 0xc4500
#define START_OTHERS 0xc4600
#define OTHERS_PAGE 0x9
#define ROUNDS 100
#define RESET_VECTOR 0xfff0
#define IMAGE_SIZE 0x10000

  .section .text, "ax"
  .code16
image:
  .byte 0x5a

/* Prints the letter in it: `r` as the ROM has it. Called by far calls into the BIOS's segment. */
probe:
  .byte 0xb0 /* mov al, ... */
letter:
  .byte 'r'
  /* The printing itself happens in RAM, so that the segment holds no more than this. */
  lcall $PROGRAM, $(print_far - image)
  lret
/* Where the second processor stays. */
spin:
  incl counter - image
  jmp spin
copied_end:

print_far:
  call print
  lret

/* al: the character. */
print:
  push %dx
  push %ax
  mov $LINE_STATUS, %dx
1:
  in %dx, %al
  test $TRANSMIT_EMPTY, %al
  jz 1b
  pop %ax
  mov $COM1, %dx
  out %al, %dx
  pop %dx
  ret

/* al: a byte, printed as two hexadecimal digits. */
print_byte:
  push %ax
  shr $4, %al
  call print_digit
  pop %ax
print_digit:
  push %ax
  and $0xf, %al
  add $'0', %al
  cmp $'9', %al
  jbe 1f
  add $('a' - '9' - 1), %al
1:
  call print
  pop %ax
  ret

/* al: the state of the BIOS's segment. */
set_bios:
  push %ax
  mov $BRIDGE, %eax
  mov $PCI_ADDRESS, %dx
  out %eax, %dx
  pop %ax
  shl $4, %al
  mov $PAM0_PORT, %dx
  out %al, %dx
  ret

/* al: the state of the first segment of option ROMs. */
set_option_rom:
  push %ax
  mov $BRIDGE, %eax
  mov $PCI_ADDRESS, %dx
  out %eax, %dx
  pop %ax
  mov $PAM1_PORT, %dx
  out %al, %dx
  ret

/* es: the segment; bl: its state. Prints the byte at its start, stores 0xa0 + the state, prints it again. */
load_and_store:
  mov %es:0, %al
  call print_byte
  mov %bl, %al
  add $0xa0, %al
  mov %al, %es:0
  mov %es:0, %al
  call print_byte
  mov $' ', %al
  jmp print

main:
  mov $PROGRAM, %ax
  mov %ax, %ds
  mov $OPTION_ROM, %ax
  mov %ax, %es
  mov $(states - image), %si
1:
  lodsb
  cmp $0xff, %al
  je 2f
  mov %al, %bl
  call set_option_rom
  call load_and_store
  jmp 1b

2:
  mov $BIOS, %ax
  mov %ax, %es
  mov $(states - image), %si
1:
  lodsb
  cmp $0xff, %al
  je 2f
  mov %al, %bl
  call set_bios
  call load_and_store
  jmp 1b

2:
  /* ROM, executed. */
  mov $0, %al
  call set_bios
  lcall $BIOS, $(probe - image)
  /* Read from the ROM and written to RAM: how firmware copies itself. The ROM is executed still. */
  mov $2, %al
  call set_bios
  push %ds
  mov $BIOS, %ax
  mov %ax, %ds
  xor %si, %si
  xor %di, %di
  mov $(copied_end - image), %cx
  cld
  rep movsb
  pop %ds
  movb $'R', %es:(letter - image)
  lcall $BIOS, $(probe - image)
  /* RAM, write-protected. */
  mov $1, %al
  call set_bios
  lcall $BIOS, $(probe - image)
  movb $'X', %es:(letter - image)
  lcall $BIOS, $(probe - image)
  /* RAM. */
  mov $3, %al
  call set_bios
  movb $'W', %es:(letter - image)
  lcall $BIOS, $(probe - image)
  mov $0, %al
  call set_bios
  lcall $BIOS, $(probe - image)

  call change_under_others

  mov $DEBUG_EXIT, %dx
  xor %ax, %ax
  out %ax, %dx
3:
  hlt
  jmp 3b

/* Prints S when the second processor has gone on over all changes of the segment that it runs in. */
change_under_others:
  mov $CMOS_PROCESSORS, %al
  out %al, $CMOS_INDEX
  in $(CMOS_INDEX + 1), %al
  test %al, %al
  jz 9f
  mov $MSR_APIC_BASE, %ecx
  rdmsr
  or $X2APIC, %eax
  wrmsr
  mov $MSR_ICR, %ecx
  xor %edx, %edx
  mov $INIT_OTHERS, %eax
  wrmsr
  mov $(START_OTHERS | OTHERS_PAGE), %eax
  wrmsr
  call await_others
  mov $ROUNDS, %cx
1:
  mov $(states - image), %si
2:
  lodsb
  cmp $0xff, %al
  je 3f
  call set_bios
  jmp 2b
3:
  loop 1b
  call await_others
  mov $'S', %al
  call print
9:
  ret

/* Until the second processor has counted on. */
await_others:
  mov counter - image, %eax
1:
  cmp counter - image, %eax
  je 1b
  ret

  .align 4
counter:
  .long 0

/* In this order each state is seen after the one that changed RAM. */
states:
  .byte 0, 2, 1, 3, 1, 0, 0xff

  .org OTHERS_PAGE * 0x1000 - PROGRAM * 16, 0xff
others:
  mov $PROGRAM, %ax
  mov %ax, %ds
  ljmp $BIOS, $(spin - image)

start:
  cli
  xor %ax, %ax
  mov %ax, %ss
  mov $0x7000, %sp
  mov $PROGRAM, %ax
  mov %ax, %es
  xor %si, %si
  xor %di, %di
  mov $(start - image), %cx
  cld
  /* CS has its base of 0xffff0000 from reset. */
  rep movsb %cs:(%si), %es:(%di)
  ljmp $PROGRAM, $(main - image)

  .org RESET_VECTOR, 0xff
  jmp start
  .org IMAGE_SIZE, 0xff
  .section .note.GNU-stack, "", @progbits
