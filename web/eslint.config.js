import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test-results"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    rules: {
      "max-lines": ["error", { max: 500 }],
      "max-lines-per-function": ["error", { max: 70 }],
      "max-params": ["error", 5],
      "max-len": [
        "error",
        { code: 100, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true },
      ],
      eqeqeq: "error",
      "no-console": "error",
      // Text from outside reaches the page as text nodes only.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from outside is shown as text." },
        { property: "outerHTML", message: "Text from outside is shown as text." },
        { property: "insertAdjacentHTML", message: "Text from outside is shown as text." },
      ],
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { group: ["lit-html/directives/unsafe-*"], message: "Nothing is trusted as markup." },
            { regex: "^echarts$", message: "Import what is used, from echarts/core." },
          ],
        },
      ],
    },
  },
  {
    files: ["tests/**", "dev/**", "build/**"],
    rules: { "max-lines-per-function": "off", "no-console": "off" },
  },
  {
    // Run by Node as it is, without a compiler that knows what there is.
    files: ["tests/*.mjs"],
    languageOptions: { globals: { Buffer: "readonly", console: "readonly", process: "readonly" } },
  },
);
