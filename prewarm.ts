/** Starts threads ahead of the machine that will need them; for programs that know early that they will run one. */
export { prewarmWorkers } from "./actors/spare-workers.js";
