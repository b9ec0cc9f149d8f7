/** One machine from a command line's plan to its end, and the exit code that tells of it. */
import type { Consoles } from "./console/consoles.js";
import { exitCodeOfEnd } from "./exit-codes.js";
import type { MachineEnd, RunnableMachine } from "./library.js";
import type { MonitorHost } from "./monitor/command.js";
import type { OpenMonitor } from "./monitor/socket.js";
import type { LaunchPlan } from "./options/plan.js";
import { describeError } from "./report.js";
import { exitCodeOfSignal, handleSignals } from "./signals.js";

export interface LaunchHost {
  readonly version: string;
  /** Attaches the terminal to `machine` as the plan says. */
  openConsoles(plan: LaunchPlan, machine: RunnableMachine, monitor: MonitorHost): Consoles;
  /** Writes a message of ours. */
  complain(text: string): void;
}

/** Any time will do: nothing happens then. */
const KEEP_ALIVE_MS = 3_600_000;

/** Runs `machine` to its end. The caller disposes of it. */
export async function runMachine(plan: LaunchPlan, machine: RunnableMachine, host: LaunchHost): Promise<number> {
  let endedBy: NodeJS.Signals | undefined;
  const quit = () => {
    void machine.stop();
  };
  const monitor: MonitorHost = {
    machine: startable(machine, !plan.startPaused),
    // Read from a file, for who asks.
    get version() {
      return host.version;
    },
    quit,
  };
  const consoles = host.openConsoles(plan, machine, monitor);
  const release = handleSignals({
    terminate(signal) {
      endedBy = signal;
      quit();
    },
    suspend() {
      consoles.suspend();
    },
    resume() {
      consoles.resume();
    },
  });
  const sockets: OpenMonitor[] = [];
  // Node ends when nothing can happen any more, and the machine's threads need not count as something.
  const alive = setInterval(() => undefined, KEEP_ALIVE_MS);
  try {
    await openSockets(plan, monitor, sockets);
    if (!plan.startPaused) await machine.start();
    consoles.open();
    const end = await machine.ended;
    consoles.close();
    report(end, host);
    return endedBy !== undefined && end.kind === "stopped" ? exitCodeOfSignal(endedBy) : exitCodeOfEnd(end);
  } finally {
    consoles.close();
    clearInterval(alive);
    release();
    for (const socket of sockets) await socket[Symbol.asyncDispose]();
  }
}

async function openSockets(plan: LaunchPlan, monitor: MonitorHost, opened: OpenMonitor[]): Promise<void> {
  if (plan.monitorSockets.length === 0) return;
  const { openMonitorSocket } = await import("./monitor/socket.js");
  for (const socket of plan.monitorSockets) opened.push(await openMonitorSocket(socket, monitor));
}

function report(end: MachineEnd, host: LaunchHost): void {
  if (end.kind === "crash") host.complain(`the guest crashed\n${end.report.trimEnd()}`);
  if (end.kind === "failed") host.complain(describeError(end.error));
}

/** To the monitor a machine that was never started is one that is paused: `cont` starts it. */
function startable(machine: RunnableMachine, startsAtOnce: boolean): MonitorHost["machine"] {
  let started = startsAtOnce;
  return {
    async resume() {
      if (started) return machine.resume();
      started = true;
      return machine.start();
    },
    async pause() {
      if (started) await machine.pause();
    },
    async reset() {
      // Before its start the machine is as a reset leaves it.
      if (started) await machine.reset();
    },
    powerButton: () => machine.powerButton(),
    suspend: () => machine.suspend(),
    setMemoryTarget: (bytes) => machine.setMemoryTarget(bytes),
    dumpMemory: (path) => machine.dumpMemory(path),
    pciFunctions: () => machine.pciFunctions(),
    networks: () => machine.networks(),
    eventPorts: () => machine.eventPorts(),
    injectEvent: (port) => machine.injectEvent(port),
    describeVcpus: () => machine.describeVcpus(),
    cdDrives: () => machine.cdDrives(),
    changeMedium: (id, path, options) => machine.changeMedium(id, path, options),
    config: machine.config,
    status() {
      if (!started) return "paused (prelaunch)";
      return machine.poweredOff ? "paused (shutdown)" : machine.status();
    },
  };
}
