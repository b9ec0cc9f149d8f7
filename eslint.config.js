import tseslint from "typescript-eslint";

/** Globals that the deterministic rooms may not touch: time, timers and the process come in through interfaces. */
const HOST_GLOBALS = ["Date", "setTimeout", "setInterval", "setImmediate", "process", "Buffer", "performance"];

export default tseslint.config(
  { ignores: ["dist/", ".build/", "node_modules/", "coverage/", "guests/build/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/prefer-reduce-type-parameter": "off",
      "max-lines": ["error", { max: 500 }],
      "max-params": "off",
      "@typescript-eslint/max-params": ["error", { max: 4 }],
    },
  },
  {
    files: ["shared/**/*.ts", "xen/**/*.ts", "devices/**/*.ts"],
    rules: {
      "no-restricted-globals": ["error", ...HOST_GLOBALS],
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["node:*"], message: "The pure rooms import nothing of the host." }] },
      ],
    },
  },
  {
    files: ["spec/**/*.ts"],
    rules: {
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["describe", "it"], package: "mocha" }] },
      ],
    },
  },
);
