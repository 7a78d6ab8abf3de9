import type { LoadHook } from 'node:module';

/** A plant as the loader needs it. */
export interface PlantedModule {
  /** The compiled module. */
  readonly url: string;
  readonly find: string;
  readonly replace: string;
}

let planted: PlantedModule | undefined;

/** Called by Node with what was registered. */
export function initialize(given: PlantedModule): void {
  planted = given;
}

/** Loads every module as it is, but for the one that gets its plant. */
export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context);
  if (url !== planted?.url) return loaded;
  const text = String(loaded.source);
  if (text.split(planted.find).length !== 2) throw new Error(`${url} has no one place for the plant`);
  // Not a pattern: a replacement may hold $.
  const { find, replace } = planted;
  return { ...loaded, source: text.split(find).join(replace) };
};
