/*
 * Where the boot guest's parts lie, on its disk and in memory. Whoever makes an image (spec/support/ide-boot-image.ts)
 * follows it.
 */
#ifndef IDE_BOOT_LAYOUT_H
#define IDE_BOOT_LAYOUT_H

/* Sectors of the disk. Boot code and command line come first, then the kernel up to COUNTER. */
#define COMMAND_LINE_SECTOR 3
#define KERNEL_SECTOR 4
/* The number of boots so far, little-endian, in the first 4 bytes. */
#define COUNTER_SECTOR 2047
/* What is read again and again, and compared. */
#define DATA_SECTOR 2048
#define DATA_SECTORS 64
/* Blocks that are read from the start of a CD, where there is one. */
#define CD_BLOCKS_READ 4
/* As many as the CHS read takes. */
#define CHS_SECTORS 8

/* Real-mode memory. The firmware loads sector 0 to BOOT_ADDRESS. */
#define BOOT_ADDRESS 0x7c00
#define RESULTS_ADDRESS 0x5000
#define LOAD_SEGMENT 0x1000 /* kernel, before it is moved to 1 MiB */
#define LBA_SEGMENT 0x8000
#define CHS_SEGMENT 0x8800
#define KERNEL_ADDRESS 0x100000

/* Offsets into the results of INT 13h; struct bios_results is the same. */
#define RESULT_DRIVE 0
#define RESULT_EXTENSIONS_VERSION 1 /* AH of function 41h, 0 without extensions */
#define RESULT_EXTENSIONS 2         /* CX of function 41h */
#define RESULT_GEOMETRY 4           /* CX of function 08h */
#define RESULT_LAST_HEAD 6          /* DH of function 08h */
#define RESULT_CHS_STATUS 7         /* AH after the CHS read */
#define RESULT_LBA_STATUS 8         /* AH after the LBA read */
#define RESULT_PARAMETERS 16        /* function 48h */
#define PARAMETERS_BYTES 30

#endif
