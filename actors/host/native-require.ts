/**
 * `require`, for packages that are native code. In the bundle, which has one, it is that (scripts/bundle.mjs): Node's module
 * that makes it takes a millisecond to load, in every thread.
 */
import { createRequire } from "node:module";

export const nativeRequire = createRequire(import.meta.url);
