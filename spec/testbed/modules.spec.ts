import assert from "node:assert/strict";
import { moduleName, modulesInLoadOrder } from "./modules.js";

const MODULES_DEP = `kernel/fs/mbcache.ko:
kernel/fs/jbd2/jbd2.ko: kernel/crypto/sum.ko
kernel/crypto/sum.ko:
kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko kernel/crypto/sum.ko
kernel/drivers/block/xen-blkfront.ko.xz:
`;

describe("modulesInLoadOrder()", () => {
  it("puts what a module depends on before it", () => {
    assert.deepEqual(modulesInLoadOrder(MODULES_DEP, ["ext4"]), [
      "kernel/crypto/sum.ko",
      "kernel/fs/jbd2/jbd2.ko",
      "kernel/fs/mbcache.ko",
      "kernel/fs/ext4/ext4.ko",
    ]);
  });

  it("names each file once", () => {
    const files = modulesInLoadOrder(MODULES_DEP, ["jbd2", "ext4", "ext4"]);
    assert.equal(new Set(files).size, files.length);
    assert.equal(files.length, 4);
  });

  it("takes dashes and underscores for the same, and compressed files as they are", () => {
    assert.deepEqual(modulesInLoadOrder(MODULES_DEP, ["xen_blkfront"]), ["kernel/drivers/block/xen-blkfront.ko.xz"]);
  });

  it("leaves out what is built into the kernel", () => {
    assert.deepEqual(modulesInLoadOrder(MODULES_DEP, ["unix"]), []);
  });
});

describe("moduleName()", () => {
  it("is the file's name as the kernel has it", () => {
    assert.equal(moduleName("kernel/drivers/block/xen-blkfront.ko.xz"), "xen_blkfront");
    assert.equal(moduleName("ext4"), "ext4");
  });
});
