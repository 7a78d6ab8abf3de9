import type { Server } from 'node:net';
import { assert } from '../base/assert.ts';
import { exitCode, OperatorError } from '../base/fault.ts';
import type { Endpoint } from '../ports.ts';
import { systemReason } from './system-reason.ts';

/** Rejects with the error of the system when the address cannot be bound. */
export function listenAt(server: Server, at: Endpoint | { readonly path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...at }, () => {
      server.off('error', reject);
      // From now on an error concerns one connection that could not be taken, and its peer sees it fail.
      server.on('error', () => {});
      resolve();
    });
  });
}

/**
 * What `begun` comes to; where the system refuses, an OperatorError for whoever wrote the option. @param where an address, or a
 * socket of the file system's.
 */
export async function listening<T>(option: string, where: Endpoint | string, begun: Promise<T>): Promise<T> {
  try {
    return await begun;
  } catch (error) {
    const at = typeof where === 'string' ? where : `${where.host}:${where.port}`;
    const what = `${option}: cannot listen at ${at}: ${systemReason(error)}`;
    throw new OperatorError('PORT_UNAVAILABLE', what, exitCode.missing);
  }
}

export function boundEndpoint(server: Server): Endpoint {
  const bound = server.address();
  assert(bound !== null && typeof bound === 'object', 'a server that listens on TCP');
  return { host: bound.address, port: bound.port };
}

/** Resolves once nobody is connected any more. */
export function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
  });
}
