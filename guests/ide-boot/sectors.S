/*
 * Sectors 0 to 3 of a disk that SeaBIOS boots: real mode, INT 13h reads, the kernel loaded and entered by its PVH entry.
 *
 * [EDD] BIOS Enhanced Disk Drive Services: INT 13h functions 41h, 42h, 48h
 */
#include "../lib/boot.h"
#include "layout.h"

#define COM1 0x3f8
#define UART_LINE_STATUS 0x3fd
#define TRANSMITTER_EMPTY 0x20
#define SECTOR 512
/* Sectors of one INT 13h read: 32 KiB, half a segment. */
#define CHUNK 64
#define PROTECTED_MODE 1

  .section .sectors, "ax"
  .code16
sector0:
  cli
  cld
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movw $BOOT_ADDRESS, %sp
  ljmp $0, $1f
1:
  sti
  movb %dl, RESULTS_ADDRESS + RESULT_DRIVE
  movw $greeting, %si
  call print
  /* Sectors 1 to 3, by the oldest function there is: cylinder 0, head 0, sectors from 1 on. */
  movw $0x0203, %ax
  movw $0x0002, %cx
  movb $0, %dh
  movb RESULTS_ADDRESS + RESULT_DRIVE, %dl
  movw $(BOOT_ADDRESS + SECTOR), %bx
  int $0x13
  jc failed
  jmp stage2

failed:
  movw $failure, %si
  call print
  cli
  hlt

/* The text at %si, to COM1. Changes %ax, %dx, %si. */
print:
  lodsb
  testb %al, %al
  jz 2f
  movb %al, %ah
  movw $UART_LINE_STATUS, %dx
1:
  inb %dx, %al
  testb $TRANSMITTER_EMPTY, %al
  jz 1b
  movw $COM1, %dx
  movb %ah, %al
  outb %al, %dx
  jmp print
2:
  ret

greeting:
  .asciz "ide-boot: sector 0 runs\n"
failure:
  .asciz "ide-boot: FAILED: INT 13h cannot read\n"

  .org 510, 0
  .word 0xaa55

stage2:
  /* 41h: extensions present? */
  movb $0x41, %ah
  movw $0x55aa, %bx
  movb RESULTS_ADDRESS + RESULT_DRIVE, %dl
  int $0x13
  jc 1f
  cmpw $0xaa55, %bx
  jne 1f
  movb %ah, RESULTS_ADDRESS + RESULT_EXTENSIONS_VERSION
  movw %cx, RESULTS_ADDRESS + RESULT_EXTENSIONS
1:
  /* 48h: parameters, into a buffer that starts with its size. */
  movw $PARAMETERS_BYTES, RESULTS_ADDRESS + RESULT_PARAMETERS
  movw $(RESULTS_ADDRESS + RESULT_PARAMETERS), %si
  movb $0x48, %ah
  movb RESULTS_ADDRESS + RESULT_DRIVE, %dl
  int $0x13
  /* 08h: geometry for CHS addresses. Gives ES:DI for floppies. */
  movb $0x08, %ah
  movb RESULTS_ADDRESS + RESULT_DRIVE, %dl
  xorw %di, %di
  int $0x13
  xorw %ax, %ax
  movw %ax, %es
  movw %cx, RESULTS_ADDRESS + RESULT_GEOMETRY
  movb %dh, RESULTS_ADDRESS + RESULT_LAST_HEAD
  call read_chs
  movb %ah, RESULTS_ADDRESS + RESULT_CHS_STATUS
  /* The same by block number, and more of it. */
  movw $DATA_SECTOR, packet_block
  movw $LBA_SEGMENT, packet_segment
  call read_packet
  movb %ah, RESULTS_ADDRESS + RESULT_LBA_STATUS
  /* The kernel, in chunks. */
  movw $KERNEL_SECTOR, packet_block
  movw $LOAD_SEGMENT, packet_segment
  movw $kernel_chunks, %bp
3:
  call read_packet
  jc failed
  addw $CHUNK, packet_block
  addw $(CHUNK * SECTOR / 16), packet_segment
  decw %bp
  jnz 3b
  jmp enter_kernel

/* Sectors from DATA_SECTOR on to CHS_SEGMENT; status in %ah. */
read_chs:
  movw RESULTS_ADDRESS + RESULT_GEOMETRY, %bx
  andw $0x3f, %bx /* sectors a track */
  xorw %dx, %dx
  movw $DATA_SECTOR, %ax
  divw %bx
  movw %dx, %cx /* from 0 */
  incw %cx
  xorw %dx, %dx
  movzbw RESULTS_ADDRESS + RESULT_LAST_HEAD, %bx
  incw %bx
  divw %bx
  movb %dl, %dh /* head */
  movb %al, %ch /* cylinder, below 256 */
  movb RESULTS_ADDRESS + RESULT_DRIVE, %dl
  movw $CHS_SEGMENT, %ax
  movw %ax, %es
  xorw %bx, %bx
  movw $(0x0200 | CHS_SECTORS), %ax
  int $0x13
  movw $0, %bx
  movw %bx, %es
  ret

/* 42h: what the packet says. Carry and %ah as INT 13h leaves them. */
read_packet:
  movw $CHUNK, packet_count
  movw $packet, %si
  movb $0x42, %ah
  movb RESULTS_ADDRESS + RESULT_DRIVE, %dl
  int $0x13
  ret

enter_kernel:
  cli
  lgdtl flat_gdt_pointer
  movl %cr0, %eax
  orl $PROTECTED_MODE, %eax
  movl %eax, %cr0
  ljmpl $CODE32, $1f
  .code32
1:
  movl $DATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl $(LOAD_SEGMENT * 16), %esi
  movl $KERNEL_ADDRESS, %edi
  movl $kernel_dwords, %ecx
  rep movsl
  xorl %eax, %eax
  movl $information, %ebx
  movl $pvh_entry, %ecx
  jmp *%ecx

  .balign 4
packet: /* [EDD] disk address packet */
  .byte 16, 0
packet_count:
  .word 0
  .word 0
packet_segment:
  .word 0
packet_block:
  .quad 0
information: /* [PVH] struct hvm_start_info */
  .long PVH_START_MAGIC, 1, 0, 0
  .quad 0, command_line, 0, 0
  .long 0, 0
  .balign 8
flat_gdt:
  .quad 0
  .quad 0x00cf9b000000ffff /* CODE32 */
  .quad 0x00cf93000000ffff /* DATA */
flat_gdt_end:
flat_gdt_pointer:
  .word flat_gdt_end - flat_gdt - 1
  .long flat_gdt

  .org COMMAND_LINE_SECTOR * SECTOR, 0
command_line:
  .asciz "serial"
  .org KERNEL_SECTOR * SECTOR, 0
  .section .note.GNU-stack, "", @progbits
