/** The `xenolith` command. */
import "./first-thread.js";
import { run } from "./run.js";

// Not left to the event loop: a handle that was forgotten must not turn the end of a machine into a hang. Standard output
// and error are written synchronously on Linux, so nothing is lost.
void run(process.argv.slice(2)).then((code) => process.exit(code));
