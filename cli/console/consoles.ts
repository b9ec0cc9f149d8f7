/** Brings the machine's streams, the monitor and the terminal together. */
import type { StreamName } from "../../index.js";
import type { RunnableMachine } from "../library.js";
import type { MonitorHost } from "../monitor/command.js";
import type { MonitorSession } from "../monitor/session.js";
import type { FrontEnd, TerminalPlan } from "../options/chardevs.js";
import { GuestText } from "./guest-text.js";
import { InputQueue } from "./input-queue.js";
import { Mux } from "./mux.js";
import type { Terminal } from "./terminal.js";

export interface ConsolesOptions {
  /** Who is on the terminal; nobody when undefined, and then it is only written to. */
  readonly plan: TerminalPlan | undefined;
  readonly machine: Pick<RunnableMachine, "writeStream" | "onStream" | "sendBreak">;
  readonly monitor: MonitorHost;
  /** Show what the guest writes to Xen's own console, control characters escaped. */
  readonly xenLog: boolean;
  /** Makes the terminal when it is first needed: to look at the standard streams takes milliseconds of start-up time. */
  openTerminal(): Terminal;
}

export class Consoles {
  readonly #options: ConsolesOptions;
  readonly #mux: Mux | undefined;
  readonly #queues = new Map<StreamName, InputQueue>();
  #terminal: Terminal | undefined;
  /** The monitor on the terminal, from the first time that it has the keys. */
  #session: Promise<MonitorSession> | undefined;

  /** Listens to the machine's streams at once, so that the guest's first byte is shown. */
  constructor(options: ConsolesOptions) {
    this.#options = options;
    const { plan, machine } = options;
    const [first, ...others] = plan?.frontEnds ?? [];
    if (plan?.mux === true && first !== undefined) this.#mux = this.#newMux([first, ...others]);
    for (const frontEnd of plan?.frontEnds ?? []) {
      if (frontEnd !== "monitor") machine.onStream(frontEnd, (bytes) => this.#show(bytes));
    }
    if (options.xenLog) {
      const text = new GuestText();
      machine.onStream("xen-log", (bytes) => this.#show(text.show(bytes)));
    }
  }

  /** Takes the keys. */
  open(): void {
    const [first] = this.#options.plan?.frontEnds ?? [];
    if (first === undefined) return;
    this.#terminalNow().open((bytes) => {
      if (this.#mux === undefined) this.#send(first, bytes);
      else this.#mux.input(bytes);
    });
    if (first === "monitor") this.#focus(first);
  }

  /** Gives the terminal back, for a while or for good. */
  suspend(): void {
    this.#terminal?.restore();
  }

  resume(): void {
    if (this.#options.plan !== undefined) this.#terminal?.raw();
  }

  close(): void {
    this.#terminal?.close();
  }

  #terminalNow(): Terminal {
    return (this.#terminal ??= this.#options.openTerminal());
  }

  #show(bytes: Uint8Array): Promise<void> | undefined {
    return this.#terminalNow().write(this.#mux?.output(bytes) ?? bytes);
  }

  #showText(text: string): void {
    void this.#terminalNow().write(new TextEncoder().encode(text));
  }

  #newMux(frontEnds: readonly [FrontEnd, ...FrontEnd[]]): Mux {
    const startMs = performance.now();
    return new Mux(frontEnds, {
      send: (frontEnd, bytes) => {
        this.#send(frontEnd, bytes);
      },
      sendBreak: (frontEnd) => {
        // A machine that has ended takes no break, and says so by its end.
        if (frontEnd !== "monitor") this.#options.machine.sendBreak(frontEnd).catch(() => undefined);
      },
      show: (text) => {
        this.#showText(text);
      },
      focused: (frontEnd) => {
        this.#focus(frontEnd);
      },
      elapsedMs: () => performance.now() - startMs,
      quit: () => {
        this.#options.monitor.quit();
      },
    });
  }

  #send(frontEnd: FrontEnd, bytes: Uint8Array): void {
    if (frontEnd === "monitor")
      this.#withSession((session) => {
        session.input(bytes);
      });
    else this.#queue(frontEnd).push(bytes);
  }

  #focus(frontEnd: FrontEnd): void {
    this.#showText("\n");
    if (frontEnd === "monitor")
      this.#withSession((session) => {
        session.prompt();
      });
  }

  /** Calls come in the order in which they were made, the first ones once the monitor has been loaded. */
  #withSession(use: (session: MonitorSession) => void): void {
    this.#session ??= import("../monitor/session.js").then(
      ({ MonitorSession }) =>
        new MonitorSession(this.#options.monitor, {
          write: (text) => {
            this.#showText(text);
          },
        }),
    );
    void this.#session.then(use);
  }

  #queue(stream: StreamName): InputQueue {
    let queue = this.#queues.get(stream);
    if (queue === undefined) {
      queue = new InputQueue({
        deliver: (bytes) => this.#options.machine.writeStream(stream, bytes),
        hold: () => {
          this.#terminalNow().holdInput();
        },
        release: () => {
          this.#terminalNow().releaseInput();
        },
      });
      this.#queues.set(stream, queue);
    }
    return queue;
  }
}
