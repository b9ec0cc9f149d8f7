/** The IDE function with the configuration's drives in it, and who is whose: disks by index, drives by place. */
import type { SharedArena } from "../shared/arena.js";
import type { DiskConfig } from "../shared/config.js";
import { Cdrom } from "../devices/ide/atapi/cdrom.js";
import type { IdeDrive } from "../devices/ide/drive.js";
import { FIRMWARE } from "../devices/ide/identify-disk.js";
import { IDE_CHANNELS, Piix3Ide } from "../devices/ide/piix3-ide.js";
import type { IdePlace } from "../devices/ide/piix3-ide.js";
import type { IrqRouter } from "../devices/irq-router.js";
import { Unplug } from "../devices/xen-platform.js";
import { trace } from "./trace.js";

export interface IdeDrivesHost {
  readonly router: Pick<IrqRouter, "isa">;
  /** Size of each disk, in 512-byte sectors. */
  readonly diskSectors: readonly number[];
  /** There is work for the actor of disk `index`. */
  kickDisk(index: number): void;
  /** The guest has moved a tray. Called under its channel's lock. */
  trayMoved(): void;
}

export interface MediumChange {
  /** Opens a tray that the guest has locked. */
  readonly force: boolean;
  /** The new medium is what is read from now on. No command sees it half done. */
  readonly swap: () => void;
}

/** A disk of the configuration that is a drive here. */
export interface PluggedDrive {
  /** Among the configuration's disks. */
  readonly index: number;
  readonly place: IdePlace;
  /** "ide0.1". */
  readonly name: string;
  readonly drive: IdeDrive;
  /** The packet device, when the drive is for CDs. */
  readonly cdrom: Cdrom | undefined;
}

const SECTOR = 512;
const CDROM_MODEL = "XENOLITH CD-ROM";

export class IdeDrives {
  readonly pci: Piix3Ide;
  readonly drives: readonly PluggedDrive[];
  readonly #diskSectors: readonly number[];
  /** 1 once the media that the machine started with are in their drives. */
  readonly #loaded: Int32Array<SharedArrayBuffer>;
  /** By disk: 1 when the guest has moved its tray, and nobody has asked yet. */
  readonly #moved: Int32Array<SharedArrayBuffer>;

  constructor(arena: SharedArena, disks: readonly DiskConfig[], host: IdeDrivesHost) {
    this.#diskSectors = host.diskSectors;
    this.#loaded = arena.int32(1);
    this.#moved = arena.int32(Math.max(1, disks.length));
    const trayMoved = (index: number): void => {
      Atomics.store(this.#moved, index, 1);
      host.trayMoved();
    };
    this.drives = disks.flatMap((disk, index) =>
      pluggedDrive(arena, disk, {
        index,
        sectors: host.diskSectors[index] ?? 0,
        trayMoved: () => {
          trayMoved(index);
        },
      }),
    );
    const drive = (channel: 0 | 1, unit: 0 | 1): IdeDrive | undefined => this.#at({ channel, unit })?.drive;
    this.pci = new Piix3Ide(
      arena,
      [
        [drive(0, 0), drive(0, 1)],
        [drive(1, 0), drive(1, 1)],
      ],
      {
        irqs: [host.router.isa(IDE_CHANNELS[0].irq), host.router.isa(IDE_CHANNELS[1].irq)],
        trace: trace.ide,
        kick: (place) => {
          const plugged = this.#at(place);
          if (plugged !== undefined) host.kickDisk(plugged.index);
        },
      },
    );
  }

  /** The drive that disk `index` is. */
  ofDisk(index: number): PluggedDrive | undefined {
    return this.drives.find((plugged) => plugged.index === index);
  }

  /** Before the first reset of the board: puts in what the CD drives start with. Later it is as the guest left it. */
  loadMedia(): void {
    if (Atomics.exchange(this.#loaded, 0, 1) === 1) return;
    for (const { cdrom, index } of this.drives) cdrom?.load((this.#diskSectors[index] ?? 0) * SECTOR);
  }

  /**
   * Puts a medium of `bytes` into the drive of disk `index`, or none for 0, and leaves its tray open then. False when the
   * guest has locked the tray: it hears that somebody wants it open.
   */
  changeMedium(index: number, bytes: number, { force, swap }: MediumChange): boolean {
    const plugged = this.ofDisk(index);
    if (plugged?.cdrom === undefined) return false;
    const { cdrom, place } = plugged;
    // What the machine started with must not come back over it.
    this.loadMedia();
    return this.pci.channels[place.channel].exclusively(() => {
      if (cdrom.locked && !cdrom.trayOpen && !force) {
        cdrom.requestEject();
        return false;
      }
      swap();
      if (bytes > 0) cdrom.load(bytes);
      else cdrom.eject();
      return true;
    });
  }

  /** How the drive of disk `index` stands. */
  tray(index: number): { readonly trayOpen: boolean; readonly locked: boolean } {
    const plugged = this.ofDisk(index);
    if (plugged?.cdrom === undefined) return { trayOpen: false, locked: false };
    const { cdrom, place } = plugged;
    return this.pci.channels[place.channel].exclusively(() => ({ trayOpen: cdrom.trayOpen, locked: cdrom.locked }));
  }

  /** Whether the tray of disk `index` is open, if the guest has moved it since this was asked last. */
  takeTrayMove(index: number): boolean | undefined {
    return Atomics.exchange(this.#moved, index, 0) === 1 ? this.tray(index).trayOpen : undefined;
  }

  /**
   * Takes out the disks that `mask` means, CD drives never; waits for what they have under way until `tired` says
   * otherwise. Names those that went.
   */
  unplug(mask: number, tired: () => boolean): readonly string[] {
    return this.drives
      .filter(({ place, cdrom }) => cdrom === undefined && isMeant(place, mask))
      .filter(({ place }) => this.pci.unplug(place, tired))
      .map(({ name }) => name);
  }

  #at({ channel, unit }: IdePlace): PluggedDrive | undefined {
    return this.drives.find(({ place }) => place.channel === channel && place.unit === unit);
  }
}

/** All of them, or all but the primary master. [UNPLUG] step 6 */
function isMeant({ channel, unit }: IdePlace, mask: number): boolean {
  if ((mask & Unplug.disks) !== 0) return true;
  return (mask & Unplug.secondaryDisks) !== 0 && (channel !== 0 || unit !== 0);
}

function pluggedDrive(
  arena: SharedArena,
  disk: DiskConfig,
  { index, sectors, trayMoved }: { readonly index: number; readonly sectors: number; readonly trayMoved: () => void },
): readonly PluggedDrive[] {
  const { attach } = disk;
  if (attach.kind !== "ide") return [];
  const { channel, unit } = attach;
  const place = { channel, unit };
  const serial = disk.serial ?? `XL${String(1 + channel * 2 + unit).padStart(5, "0")}`;
  const name = `ide${channel}.${unit}`;
  if (disk.media === "cdrom") {
    const cdrom = new Cdrom(arena, { trayMoved }, { model: CDROM_MODEL, serial, firmware: FIRMWARE });
    return [{ index, place, name, cdrom, drive: { kind: "packet", device: cdrom } }];
  }
  const drive = {
    kind: "disk",
    sectors,
    serial,
    readOnly: disk.readOnly,
    discards: disk.discard === "unmap",
  } as const;
  return [{ index, place, name, cdrom: undefined, drive }];
}
