import assert from "node:assert/strict";
import { Arguments } from "../../../cli/options/arguments.js";

describe("Arguments", () => {
  it("takes long options with one dash or two, and values after a space or an equals sign", () => {
    const args = new Arguments(["-kernel", "a", "--append=b", "-smp=2", "--m", "512"]);
    assert.deepEqual(
      (["kernel", "append", "smp", "m"] as const).map((name) => args.last(name)),
      ["a", "b", "2", "512"],
    );
  });

  it("takes a value that looks like an option", () => {
    assert.equal(new Arguments(["--append", "-nographic"]).last("append"), "-nographic");
    assert.equal(new Arguments(["--append", "--"]).last("append"), "--");
  });

  it("takes empty values, and values of many lines", () => {
    assert.equal(new Arguments(["--append", ""]).last("append"), "");
    assert.equal(new Arguments(["--append=a\nb=c"]).last("append"), "a\nb=c");
  });

  it("keeps all values in order", () => {
    assert.deepEqual(new Arguments(["-serial", "pty", "-S", "--serial", "null"]).all("serial"), ["pty", "null"]);
  });

  it("knows flags that start with no", () => {
    const args = new Arguments(["--no-reboot", "-nodefaults"]);
    assert.deepEqual([args.has("no-reboot"), args.has("no-shutdown"), args.has("nodefaults")], [true, false, true]);
  });

  it("tells -S from -s, and -M from -m", () => {
    const args = new Arguments(["-S", "-M", "pc", "-m", "64"]);
    assert.deepEqual([args.has("S"), args.last("machine"), args.last("m")], [true, "pc", "64"]);
    assert.throws(() => new Arguments(["-s"]), { message: "unknown option '-s': did you mean '-S'?" });
  });

  const errors: readonly [readonly string[], string][] = [
    [["--srial", "x"], "unknown option '--srial': did you mean '--serial'?"],
    [["-nographics"], "unknown option '-nographics': did you mean '--nographic'?"],
    [["--spice"], "unknown option '--spice'"],
    [["--kernel"], "--kernel: needs a value: --kernel FILE"],
    [["--no-reboot=yes"], "--no-reboot: takes no value"],
    [["-"], "'-' is not an option"],
    [["--"], "'--' is not an option"],
    [["---m"], "'---m' is not an option"],
    [["--__proto__"], "unknown option '--__proto__'"],
    [
      ["disk.img"],
      "unexpected argument 'disk.img': an image is attached by --drive file=FILE,if=none,id=ID --device xen-disk,drive=ID",
    ],
  ];
  for (const [argv, message] of errors) {
    it(`refuses ${argv.join(" ")}`, () => {
      assert.throws(() => new Arguments(argv), { name: "UsageError", message });
    });
  }
});
