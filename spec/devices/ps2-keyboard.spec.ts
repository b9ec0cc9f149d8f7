import assert from "node:assert/strict";
import { Ps2Keyboard } from "../../devices/ps2-keyboard.js";
import { smallArena } from "./port-driver.js";

function answers(translated: boolean, ...bytes: readonly number[]): readonly number[] {
  const sent: number[] = [];
  const keyboard = new Ps2Keyboard(smallArena().int32(1), (value) => {
    sent.push(value);
  });
  for (const byte of bytes) keyboard.receive(byte, translated);
  return sent;
}

describe("Ps2Keyboard", () => {
  it("answers each command as a keyboard at rest", () => {
    assert.deepEqual(answers(false, 0xff), [0xfa, 0xaa]);
    assert.deepEqual(answers(false, 0xf2), [0xfa, 0xab, 0x83]);
    assert.deepEqual(answers(true, 0xf2), [0xfa, 0xab, 0x41]);
    assert.deepEqual(answers(false, 0xee), [0xee]);
    assert.deepEqual(answers(false, 0xf4, 0xf5, 0xf6), [0xfa, 0xfa, 0xfa]);
    assert.deepEqual(answers(false, 0x00), [0xfe]);
  });

  it("takes the parameter of a command", () => {
    assert.deepEqual(answers(false, 0xed, 0x07, 0x07), [0xfa, 0xfa, 0xfe]);
    assert.deepEqual(answers(false, 0xf0, 0x02), [0xfa, 0xfa]);
  });

  it("tells its scan code set", () => {
    assert.deepEqual(answers(false, 0xf0, 0x00), [0xfa, 0xfa, 0x02]);
    assert.deepEqual(answers(true, 0xf0, 0x00), [0xfa, 0xfa, 0x41]);
  });

  it("takes a command in a parameter's place as a command", () => {
    assert.deepEqual(answers(false, 0xed, 0xf4), [0xfa, 0xfa]);
    assert.deepEqual(answers(false, 0xf3, 0xff), [0xfa, 0xfa, 0xaa]);
  });
});
