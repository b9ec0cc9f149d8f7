/**
 * PIIX3 IDE function, 01.1: two channels at their legacy ports, and the bus master's registers by BAR 4.
 *
 * The function is always there, whatever is plugged in. A channel answers while the command register lets I/O through
 * and its timing register's enable bit is set.
 *
 * Not modelled: PIO and DMA timing. The registers read back what was written.
 *
 * [PIIX3] Intel 82371SB, 290550-002, 2.3 "PCI configuration registers, function 1"
 */
import type { SharedArena } from "../../shared/arena.js";
import type { AccessSize, IoHandler, IrqLine } from "../../shared/io.js";
import type { TraceEvents, TracePoint } from "../../shared/trace.js";
import type { ChipState } from "../chip-state.js";
import { Command, CONFIG_BYTES, ConfigSpace, Header, touches } from "../pci/config-space.js";
import type { PciDecode, PciFunction } from "../pci/config-space.js";
import { BOARD_SUBSYSTEM } from "../pci/piix3.js";
import { BUS_MASTER_BYTES } from "./bus-master.js";
import type { ChannelDrives } from "./drive.js";
import { COMMAND_PORTS } from "./command-block.js";
import { IdeChannel } from "./ide-channel.js";

/** Where a drive is plugged in. */
export interface IdePlace {
  readonly channel: 0 | 1;
  /** 0: master, 1: slave. */
  readonly unit: 0 | 1;
}

export interface Piix3IdeHost {
  /** IRQ 14 and 15. */
  readonly irqs: readonly [IrqLine, IrqLine];
  readonly trace: TracePoint<TraceEvents["ide"]>;
  /** The disk actor of the drive at `place` has a job. Called under the channel's lock. */
  kick(place: IdePlace): void;
}

/** Timing registers of both channels. [PIIX3] 2.3.10 */
export const IDETIM = [0x40, 0x42] as const;
/** IDE decode enable. */
export const IDETIM_ENABLE = 0x8000;
/** Timing of the slaves. [PIIX3] 2.3.11 */
const SIDETIM = 0x44;
/** Command and control blocks of a channel in compatibility mode, and its interrupt. [PIIX3] 2.3.5 */
export const IDE_CHANNELS = [
  { command: 0x1f0, control: 0x3f6, irq: 14 },
  { command: 0x170, control: 0x376, irq: 15 },
] as const;
const BAR4_BYTES = 2 * BUS_MASTER_BYTES;

export class Piix3Ide implements PciFunction {
  readonly name = "piix3-ide";
  readonly slot = 1;
  readonly function = 1;
  /** Primary and secondary. */
  readonly channels: readonly [IdeChannel, IdeChannel];
  readonly #config: ConfigSpace;

  constructor(arena: SharedArena, drives: readonly [ChannelDrives, ChannelDrives], host: Piix3IdeHost) {
    const channel = (index: 0 | 1): IdeChannel =>
      new IdeChannel(arena, index, drives[index], {
        irq: host.irqs[index],
        trace: host.trace,
        kick: (unit) => {
          host.kick({ channel: index, unit: unit === 0 ? 0 : 1 });
        },
        mayMaster: () => (this.#config.read(Header.command, 2) & Command.master) !== 0,
      });
    this.channels = [channel(0), channel(1)];
    this.#config = new ConfigSpace(arena, {
      identity: {
        vendor: 0x8086,
        device: 0x7010,
        revision: 0,
        // A bus master whose channels are in compatibility mode for good.
        classCode: 0x01_0180,
        status: 0x0280,
        ...BOARD_SUBSYSTEM,
      },
      command: { initial: 0, writable: Command.io | Command.master },
      bars: [{ index: 4, kind: "io", length: BAR4_BYTES, handler: this.#busMasters() }],
      registers: [
        ...IDETIM.map((offset) => ({ offset, size: 2, initial: 0, writable: 0xf3ff }) as const),
        { offset: SIDETIM, size: 1, initial: 0, writable: 0xff },
      ],
    });
  }

  /** Takes the drive at `place` out; see {@link IdeChannel.unplug}. */
  unplug({ channel, unit }: IdePlace, tired: () => boolean): boolean {
    return this.channels[channel].unplug(unit, tired);
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): boolean {
    const decodes = this.#config.write(offset, size, value);
    if (touches(offset, size, Header.command, 2)) for (const channel of this.channels) channel.masterChanged();
    return decodes || touches(offset, size, IDETIM[0], 4);
  }

  decodes(): readonly PciDecode[] {
    const io = (this.#config.read(Header.command, 2) & Command.io) !== 0;
    const legacy = IDE_CHANNELS.flatMap(({ command, control }, index) => {
      const { commandBlock, controlBlock } = this.channels[index === 0 ? 0 : 1];
      const timing = this.#config.read(IDETIM[index === 0 ? 0 : 1], 2);
      const enabled = io && (timing & IDETIM_ENABLE) !== 0;
      return [
        { kind: "io", base: command, length: COMMAND_PORTS, enabled, handler: commandBlock },
        { kind: "io", base: control, length: 1, enabled, handler: controlBlock },
      ] as const;
    });
    return [...legacy, ...this.#config.decodes()];
  }

  /** Power-on state: drives that were unplugged are back. No disk actor works. */
  reset(): void {
    this.#config.reset();
    for (const channel of this.channels) channel.reset();
  }

  /** No disk actor works. */
  save(): ChipState {
    const config = this.#config.save();
    const [first, second] = this.channels.map((channel) => channel.save());
    return {
      version: config.version,
      words: [...config.words, first?.length ?? 0, ...(first ?? []), ...(second ?? [])],
    };
  }

  restore({ version, words }: ChipState): void {
    this.#config.restore({ version, words: words.slice(0, CONFIG_BYTES) });
    const start = CONFIG_BYTES + 1;
    const second = start + (words[CONFIG_BYTES] ?? 0);
    this.channels[0].restore(words.slice(start, second));
    this.channels[1].restore(words.slice(second));
  }

  #busMasters(): IoHandler {
    const at = (offset: number): IoHandler => this.channels[offset < BUS_MASTER_BYTES ? 0 : 1].busMaster;
    return {
      read: (offset, size) => at(offset).read(offset % BUS_MASTER_BYTES, size),
      write: (offset, size, value) => {
        at(offset).write(offset % BUS_MASTER_BYTES, size, value);
      },
    };
  }
}
