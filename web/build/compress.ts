/**
 * After a build: writes `.gz` and `.br` beside each file that gains by it, prints the sizes, and
 * fails when all scripts together are larger than allowed.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

interface Limits {
  /** The most that all scripts may take, compressed by gzip: the larger of the two forms. */
  scripts_bytes_max: number;
}

const TEXT = /\.(html|js|css|svg|json|txt|webmanifest)$/;

function filesUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

function squeeze(path: string): { plain: number; gzip: number; brotli: number } {
  const bytes = readFileSync(path);
  const gzip = gzipSync(bytes, { level: 9 });
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(`${path}.br`, brotli);
  return { plain: bytes.length, gzip: gzip.length, brotli: brotli.length };
}

export function compress(limits: Limits): Plugin {
  let folder = "dist";
  return {
    name: "farthing-compress",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      let scripts = 0;
      for (const path of filesUnder(folder)
        .filter((path) => TEXT.test(path))
        .sort()) {
        const size = squeeze(path);
        if (path.endsWith(".js")) scripts += size.gzip;
        const kb = (bytes: number) => `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
        const name = relative(folder, path).padEnd(40);
        console.log(`${name}${kb(size.plain)}  gzip ${kb(size.gzip)}  br ${kb(size.brotli)}`);
      }
      const said = `${scripts} bytes of compressed scripts, of ${limits.scripts_bytes_max} allowed`;
      console.log(said);
      if (scripts > limits.scripts_bytes_max) throw new Error(`too large: ${said}`);
    },
  };
}
