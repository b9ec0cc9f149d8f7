#!/usr/bin/env node
/** The `xenolith` command. */
import { run } from "./run.js";

// Not left to the event loop: a handle that was forgotten must not turn the end of a machine into a hang. Standard output
// and error are written synchronously on Linux, so nothing is lost.
process.exit(await run(process.argv.slice(2)));
