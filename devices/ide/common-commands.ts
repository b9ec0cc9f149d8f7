/** Commands that disks and packet devices answer alike. [ATA-6] T13/1410D, 8.21 "NOP", 8.46 "SET FEATURES", 8.4 "CHECK POWER MODE" */
import { unreachable } from "../../shared/errors.js";
import type { CommonAction } from "./commands.js";
import type { DriveAnswers } from "./drive-answers.js";
import { Field } from "./drive-registers.js";
import type { DriveRegisters } from "./drive-registers.js";

/** Subcommands of SET FEATURES. [ATA-6] table 48 */
const Feature = {
  enableWriteCache: 0x02,
  transferMode: 0x03,
  disableLookAhead: 0x55,
  keepSettings: 0x66,
  disableWriteCache: 0x82,
  enableLookAhead: 0xaa,
  revertSettings: 0xcc,
} as const;

/** Values of the sector count register with `transferMode`, and the highest mode of each kind. [ATA-6] table 49 */
const MODES = [
  { kind: 0x00, highest: 1 },
  { kind: 0x08, highest: 4 },
  { kind: 0x20, highest: 2 },
  { kind: 0x40, highest: 5 },
] as const;
const MODE_KIND = 0xf8;
/** PIO, whose mode takes no room in what is kept. */
const MULTIWORD_DMA = 0x20;

/** What CHECK POWER MODE leaves in the sector count register. [ATA-6] 8.4 */
const PowerMode = { standby: 0x00, active: 0xff } as const;

export function commonCommand(action: CommonAction, answers: DriveAnswers): void {
  const { registers } = answers;
  switch (action.kind) {
    case "nop":
      // That is its purpose. [ATA-6] 8.21
      answers.abort();
      break;
    case "set-features":
      if (setFeature(registers)) answers.done();
      else answers.abort();
      break;
    case "standby":
      registers.set(Field.standby, 1);
      answers.done();
      break;
    case "idle":
      registers.set(Field.standby, 0);
      answers.done();
      break;
    case "check-power":
      registers.set(Field.count, registers.get(Field.standby) === 1 ? PowerMode.standby : PowerMode.active);
      answers.done();
      break;
    default:
      unreachable(action.kind);
  }
}

/** False where there is no such feature. */
function setFeature(registers: DriveRegisters): boolean {
  switch (registers.get(Field.features)) {
    case Feature.enableWriteCache:
      registers.set(Field.writeCache, 1);
      return true;
    case Feature.disableWriteCache:
      registers.set(Field.writeCache, 0);
      return true;
    case Feature.enableLookAhead:
      registers.set(Field.lookAhead, 1);
      return true;
    case Feature.disableLookAhead:
      registers.set(Field.lookAhead, 0);
      return true;
    case Feature.keepSettings:
      registers.set(Field.keepSettings, 1);
      return true;
    case Feature.revertSettings:
      registers.set(Field.keepSettings, 0);
      return true;
    case Feature.transferMode:
      return setMode(registers, registers.get(Field.count));
    default:
      return false;
  }
}

function setMode(registers: DriveRegisters, mode: number): boolean {
  const known = MODES.find(({ kind }) => kind === (mode & MODE_KIND));
  if (known === undefined || mode - known.kind > known.highest) return false;
  if (mode >= MULTIWORD_DMA) registers.set(Field.mode, mode);
  return true;
}
