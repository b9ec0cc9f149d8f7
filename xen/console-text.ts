/**
 * What Xen's log takes of what a guest writes there: printable ASCII, tabs and the ends of lines, and so nothing that
 * would drive the terminal of who reads it. The rest is dropped.
 *
 * [CONSOLEIO] xen.git xen/drivers/char/console.c, guest_console_write()
 * [HVMPORT] xen.git xen/arch/x86/hvm/hvm.c, hvm_print_line()
 */
const TAB = 0x09;
const NEWLINE = 0x0a;
const BLANK = 0x20;
const TILDE = 0x7e;

export function isConsoleText(byte: number): boolean {
  return (byte >= BLANK && byte <= TILDE) || byte === TAB || byte === NEWLINE;
}

/** Moves the text among the first `length` bytes to the front. Returns how many bytes of it there are. */
export function keepConsoleText(bytes: Uint8Array, length: number): number {
  let kept = 0;
  for (let i = 0; i < length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (!isConsoleText(byte)) continue;
    bytes[kept] = byte;
    kept += 1;
  }
  return kept;
}
