import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeTorrc } from '../../scripts/network-config.ts';
import { type NodeProcess, startNode } from '../../scripts/node-process.ts';
import { ControlledClient, TorControl } from '../interop/c-tor.fixture.ts';

/** Our client, as a process that a test directs by its Tor control port. It pays nobody. */
export class OurClient extends ControlledClient {
  readonly #node: NodeProcess;

  private constructor(node: NodeProcess, socks: string, control: TorControl) {
    super(socks, control);
    this.#node = node;
  }

  static async start(dir: string, authorities: readonly string[]): Promise<OurClient> {
    const torrc = writeTorrc(dir, [
      'SocksPort 127.0.0.1:auto',
      'ControlPort 127.0.0.1:auto',
      'CookieAuthentication 1',
      ...authorities.map(each => `DirAuthority ${each}`),
    ]);
    const pay = join(dir, 'pay.yaml');
    writeFileSync(pay, 'scheme: none\nlink_protocols: 3-5\n', { mode: 0o600 });
    const node = await startNode({
      name: 'client',
      args: ['client', '-f', torrc, '--pay', pay],
      log: join(dir, 'log'),
      readyLine: /"event":"ready"/,
      readyMsMax: 60_000,
    });
    const port = Number(/"controllers":\["[^"]*:(\d+)"/.exec(node.readyLine)?.[1]);
    const cookie = readFileSync(join(dir, 'control_auth_cookie')).toString('hex');
    const control = await TorControl.to({ host: '127.0.0.1', port }, cookie);
    await ControlledClient.listen(control);
    return new OurClient(node, /"socks":\["([^"]+)"/.exec(node.readyLine)?.[1] ?? '', control);
  }

  async stop(): Promise<void> {
    this.control.close();
    await this.#node.stop();
  }
}
