/** The `xenolith` command. */
import { prewarmWorkers } from "../prewarm.js";
import { run } from "./run.js";

// A thread takes as long to load as all the rest of a machine's start: that of the first vCPU gets going while the command
// line is read.
if (process.argv.some((argument) => /^--?kernel$/.test(argument))) prewarmWorkers(1);

// Not left to the event loop: a handle that was forgotten must not turn the end of a machine into a hang. Standard output
// and error are written synchronously on Linux, so nothing is lost.
void run(process.argv.slice(2)).then((code) => process.exit(code));
