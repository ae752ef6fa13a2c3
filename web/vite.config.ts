import { defineConfig } from "vite";
import { compress } from "./build/compress.ts";
import { world } from "./dev/plugin.ts";

export default defineConfig({
  plugins: [world(), compress({ scripts_bytes_max: 400_000 })],
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
});
