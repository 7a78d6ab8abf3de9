import type { GlobalOptions } from './global-options.ts';

interface NodeOptions extends GlobalOptions {
  readonly torrc: string;
  readonly pay?: string;
}

// Each program is imported when it is the one to run: a relay needs nothing of a client.

export async function relay(options: NodeOptions): Promise<number> {
  const { relayMain } = await import('../relay/main.ts');
  return relayMain(argumentsOf(options));
}

export async function dirauth(options: NodeOptions): Promise<number> {
  const { dirauthMain } = await import('../dirauth/main.ts');
  return dirauthMain(argumentsOf(options));
}

export async function client(options: NodeOptions): Promise<number> {
  const { clientMain } = await import('../client/main.ts');
  return clientMain(argumentsOf(options));
}

function argumentsOf({ torrc, pay }: NodeOptions): string[] {
  return pay === undefined ? ['-f', torrc] : ['-f', torrc, '--pay', pay];
}
