import { readFileSync } from 'node:fs';

/** The version in package.json, which lies two folders above this file, and three above its compiled form. */
export function packageVersion(): string {
  for (const place of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (name === 'naulon') return version;
    } catch {}
  }
  return 'unknown';
}
