import type { GlobalOptions } from './global-options.ts';

interface NodeOptions extends GlobalOptions {
  readonly torrc: string;
  readonly pay?: string;
  readonly scheme?: string;
}

// Each program is imported when it is the one to run: a relay needs nothing of a client.

export async function relay({ torrc, pay, scheme }: NodeOptions): Promise<undefined> {
  const { relayMain } = await import('../relay/main.ts');
  await relayMain(torrc, pay, { scheme });
}

export async function dirauth({ torrc, pay }: NodeOptions): Promise<undefined> {
  const { dirauthMain } = await import('../dirauth/main.ts');
  await dirauthMain(torrc, pay);
}

export async function client({ torrc, pay, scheme }: NodeOptions): Promise<undefined> {
  const { clientMain } = await import('../client/main.ts');
  await clientMain(torrc, pay, scheme);
}

export async function broker({ file }: GlobalOptions & { readonly file: string }): Promise<undefined> {
  const { brokerMain } = await import('../broker/main.ts');
  await brokerMain(file);
}
