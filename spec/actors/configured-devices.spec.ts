import assert from "node:assert/strict";
import { configuredDevice } from "../../actors/configured-devices.js";
import { resolveConfig } from "../../shared/config.js";
import { GuestMemory } from "../../shared/memory.js";
import { MessageRecorder } from "../devices/pci/message-recorder.js";
import { RecordedLine, smallArena } from "../devices/port-driver.js";

describe("configuredDevice()", () => {
  it("makes an educational device in its slot, with the slot's INTA", () => {
    const { devices } = resolveConfig({ boot: { kernel: "k" }, devices: [{ kind: "edu", slot: 9 }] });
    const line = new RecordedLine();
    const asked: string[] = [];
    const made = devices.map((device) =>
      configuredDevice(smallArena(), device, {
        memory: new GuestMemory([]),
        messages: new MessageRecorder(),
        router: {
          intx: (slot, pin) => {
            asked.push(`${slot} ${pin}`);
            return line;
          },
        },
      }),
    );
    assert.deepEqual(
      made.map(({ name, slot }) => ({ name, slot })),
      [{ name: "edu-9", slot: 9 }],
    );
    assert.deepEqual(asked, ["9 1"]);
  });
});
