/**
 * What the launcher does before anything else, its own code not yet loaded: a thread takes as long to come up as all the rest
 * of a machine's start, so that of the first vCPU gets going while the command line is read. Other command lines start none:
 * what is only asked, or refused, has no thread to wait for.
 */
import { prewarmWorkers } from "../prewarm.js";

if (process.argv.some((argument) => /^--?kernel$/.test(argument))) prewarmWorkers(1);
