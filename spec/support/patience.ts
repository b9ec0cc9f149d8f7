/** How much longer than elsewhere anything may take: on a host that is emulated, `XENOLITH_SPEC_PATIENCE` says it. */
export const PATIENCE = Number(process.env["XENOLITH_SPEC_PATIENCE"] ?? 1);
