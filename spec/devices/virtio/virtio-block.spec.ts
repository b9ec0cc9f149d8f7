/** [VIRTIO] Virtual I/O Device (VIRTIO) Version 1.2, 5.2.3, 5.2.4 */
import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VirtioBlock } from "../../../devices/virtio/virtio-block.js";
import type { VirtioBlockOptions } from "../../../devices/virtio/virtio-block.js";
import { assertTakesAnything, smallArena } from "../port-driver.js";

function made(options: Partial<VirtioBlockOptions> = {}): VirtioBlock {
  const device = new VirtioBlock(smallArena(), {
    slot: 4,
    sectors: 0x2_0000_0001,
    readOnly: false,
    discards: true,
    writeback: true,
    notify: () => undefined,
    ...options,
  });
  device.reset();
  return device;
}

describe("VirtioBlock", () => {
  it("describes itself as struct virtio_blk_config", () => {
    const device = made();
    const fields = [
      ["capacity", 0, 4, 1],
      ["capacity, high", 4, 4, 2],
      ["size_max", 8, 4, 0x7fff_f000],
      ["seg_max", 12, 4, 254],
      ["cylinders", 16, 2, 0xffff],
      ["heads", 18, 1, 16],
      ["sectors", 19, 1, 63],
      ["blk_size", 20, 4, 512],
      ["physical_block_exp", 24, 1, 0],
      ["min_io_size", 26, 2, 1],
      ["opt_io_size", 28, 4, 0],
      ["wce", 32, 1, 1],
      ["num_queues", 34, 2, 1],
      ["max_discard_sectors", 36, 4, 0x3f_ffff],
      ["max_discard_seg", 40, 4, 1],
      ["discard_sector_alignment", 44, 4, 8],
      ["max_write_zeroes_sectors", 48, 4, 0x3f_ffff],
      ["max_write_zeroes_seg", 52, 4, 1],
      ["write_zeroes_may_unmap", 56, 1, 1],
    ] as const;
    for (const [field, offset, size, value] of fields) assert.equal(device.readConfig(offset, size), value, field);
  });

  it("offers what it can do", () => {
    const common = [1, 2, 4, 6, 9, 10, 11];
    const cases = [
      [{}, [...common, 13, 14]],
      [{ discards: false }, [...common, 14]],
      [{ readOnly: true }, [...common, 5]],
    ] as const;
    for (const [options, features] of cases) {
      assert.deepEqual([...made(options).features].sort(), [...features].sort());
    }
  });

  it("lets the driver choose the cache's mode, until a reset", () => {
    const device = made();
    device.writeConfig(32, 1, 0);
    assert.deepEqual([device.writeback, device.readConfig(32, 1)], [false, 0]);
    device.writeConfig(30, 4, 0x00ff_0000);
    assert.equal(device.readConfig(32, 1), 1);
    device.writeConfig(0, 4, 0);
    assert.equal(device.readConfig(0, 4), 1);
    device.writeConfig(32, 1, 0);
    device.reset();
    assert(device.writeback);
    assert(!made({ writeback: false }).writeback);
  });

  it("is saved and restored", () => {
    const device = made();
    device.writeConfig(32, 1, 0);
    const other = made();
    other.restore(device.save());
    assert(!other.writeback);
  });

  it("takes any access that its transport lets through", () => {
    const device = made();
    assertTakesAnything(
      {
        read: (offset, size) => device.readConfig(offset, size),
        write: (offset, size, value) => {
          device.writeConfig(offset, size, value);
        },
      },
      60,
    );
  });
});
