/**
 * A PS/2 keyboard at rest: it answers the commands by which drivers find it, and never sends a key.
 *
 * [8042] IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-key)"
 */

/** [8042] "Commands from the system" */
const Command = {
  setLeds: 0xed,
  echo: 0xee,
  scanCodeSet: 0xf0,
  identify: 0xf2,
  setRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  defaults: 0xf6,
  reset: 0xff,
} as const;
const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
/** Identity of a 101-key keyboard; the controller's translation turns the second byte into 0x41. */
const ID_FIRST = 0xab;
const ID_SECOND = 0x83;
const ID_SECOND_TRANSLATED = 0x41;
const SCAN_CODE_SET = 2;
const SCAN_CODE_SET_TRANSLATED = 0x41;

export class Ps2Keyboard {
  /** One word: the command whose parameter comes next, or 0. */
  readonly #awaiting: Int32Array<SharedArrayBuffer>;
  readonly #send: (value: number) => void;

  constructor(awaiting: Int32Array<SharedArrayBuffer>, send: (value: number) => void) {
    this.#awaiting = awaiting;
    this.#send = send;
  }

  /** A byte from the controller. `translated`: the controller translates what comes back. */
  receive(value: number, translated: boolean): void {
    const awaiting = this.#awaiting[0] ?? 0;
    this.#awaiting[0] = 0;
    // Commands have their top bits set, parameters do not: a command in a parameter's place starts over.
    if (awaiting !== 0 && value < Command.setLeds) {
      this.#send(ACKNOWLEDGE);
      if (awaiting === Command.scanCodeSet && value === 0) {
        this.#send(translated ? SCAN_CODE_SET_TRANSLATED : SCAN_CODE_SET);
      }
      return;
    }
    switch (value) {
      case Command.setLeds:
      case Command.scanCodeSet:
      case Command.setRate:
        this.#awaiting[0] = value;
        this.#send(ACKNOWLEDGE);
        break;
      case Command.echo:
        this.#send(Command.echo);
        break;
      case Command.identify:
        this.#send(ACKNOWLEDGE);
        this.#send(ID_FIRST);
        this.#send(translated ? ID_SECOND_TRANSLATED : ID_SECOND);
        break;
      case Command.enable:
      case Command.disable:
      case Command.defaults:
        this.#send(ACKNOWLEDGE);
        break;
      case Command.reset:
        this.#send(ACKNOWLEDGE);
        this.#send(SELF_TEST_PASSED);
        break;
      default:
        this.#send(RESEND);
    }
  }
}
