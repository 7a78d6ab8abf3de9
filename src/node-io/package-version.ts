import { readFileSync } from 'node:fs';

/** What descriptors say of the program; consensuses repeat its first two words. spec: dir-spec/server-descriptor-format */
export function platformText(): string {
  return `naulon ${packageVersion()} on Node`;
}

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
