import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { exitCode, OperatorError } from '../src/base/fault.ts';
import { cannotRead } from '../src/node-io/input-file.ts';

const factors = z.record(z.string(), z.union([z.string(), z.number()]));
const estimate = { value: z.number(), low: z.number(), high: z.number() };

/** What is read of the JSON file that a benchmark writes. */
const resultsSchema = z.object({
  bench: z.string(),
  environment: z.looseObject({ commit: z.string(), cpu: z.string(), cores: z.number(), node: z.string() }),
  settings: z.record(z.string(), z.unknown()),
  measures: z.record(z.string(), z.object({ unit: z.string(), better: z.enum(['more', 'less']).optional() })),
  series: z.array(z.object({ measure: z.string(), factors, values: z.array(z.number()).min(1) })),
  findings: z
    .array(
      z.object({
        name: z.string(),
        unit: z.string(),
        ...estimate,
        goal: z.union([z.object({ atLeast: z.number() }), z.object({ atMost: z.number() })]).optional(),
      }),
    )
    .default([]),
  notes: z.array(z.string()).default([]),
});

/** The results of one benchmark, read back. */
export type Results = z.output<typeof resultsSchema>;

/** Throws OperatorError for a file that holds none. */
export function readResults(file: string): Results {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw cannotRead(file, error, 'RESULTS_UNREADABLE', exitCode.missing);
  }
  const parsed = resultsSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const what = `${file} holds no results of a benchmark: ${issue.path.join('.') || 'all'}: ${issue.message}`;
  throw new OperatorError('RESULTS_MALFORMED', what, exitCode.usage);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
