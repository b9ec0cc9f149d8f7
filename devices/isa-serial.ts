/** A 16550 at its place on the ISA bus: COM1 is 0x3f8 with IRQ 4. */
import type { Port } from "../shared/brand.js";
import type { Device, PortRange } from "../shared/io.js";
import { UART_PORTS } from "./uart16550.js";
import type { Uart16550 } from "./uart16550.js";

export class IsaSerial implements Device {
  readonly name: string;
  readonly ports: readonly PortRange[];
  readonly #uart: Uart16550;

  constructor(name: string, base: Port, uart: Uart16550) {
    this.name = name;
    this.#uart = uart;
    this.ports = [{ base, length: UART_PORTS, handler: uart }];
  }

  reset(): void {
    this.#uart.reset();
  }
}
