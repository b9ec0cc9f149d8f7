/** The part of the WebAssembly API that we use; the DOM library that declares it is not ours to include. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
  }
}
