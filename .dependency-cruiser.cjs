/** The arrows of the house: who may import whom. Nothing imports upwards, and there are no cycles. */
function only(from, allowed) {
  return {
    name: `${from}-imports-only-${allowed.length === 0 ? "itself" : allowed.join("-")}`,
    severity: "error",
    from: { path: `^${from}/` },
    to: {
      path: "^(shared|xen|devices|actors|stress|cli|spec|index\\.ts)",
      pathNot: `^(${[from, ...allowed].join("|")})/`,
    },
  };
}
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    only("shared", []),
    only("xen", ["shared"]),
    only("devices", ["shared", "xen"]),
    only("actors", ["shared", "devices", "xen"]),
    only("stress", ["shared", "actors"]),
    {
      name: "cli-imports-only-the-front-door",
      severity: "error",
      from: { path: "^cli/" },
      to: { path: "^(shared|xen|devices|actors|stress|spec)/" },
    },
    {
      name: "pure-rooms-import-no-host",
      severity: "error",
      from: { path: "^(shared|xen|devices)/" },
      to: { dependencyTypes: ["core"] },
    },
    { name: "no-spec-imports", severity: "error", from: { pathNot: "^spec/" }, to: { path: "^spec/" } },
    { name: "not-to-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "default"],
    },
  },
};
