import { describe, expect, it } from 'vitest';
import { extendsPerLinkMax } from '../src/base/limits.ts';
import { destroyReason } from '../src/cell/commands.ts';
import type { LinkTarget } from '../src/cell/link-specifier.ts';
import type { LinkPeer } from '../src/link/link-faults.ts';
import { LinkTable, type LinkWaiter } from './link-table.ts';

const id = (n: number, length: number) => new Uint8Array(length).fill(n);
const peer = (n: number): LinkPeer => ({
  kind: 'relay',
  rsaId: id(n, 20),
  ed25519: id(n, 32),
  rsaPublicDer: new Uint8Array(0),
});
const target = (n: number, ed25519: Uint8Array | undefined = id(n, 32)): LinkTarget => ({
  ipv4: { host: '127.0.0.1', port: n },
  ipv6: undefined,
  rsaId: id(n, 20),
  ed25519,
});

function table(own = 5) {
  let opened = 100;
  const made = new LinkTable({ open: () => ++opened }, id(own, 32));
  const heard: string[] = [];
  const waiter: LinkWaiter = {
    onLink: link => heard.push(`link ${link}`),
    onNoLink: reason => heard.push(`none ${reason}`),
  };
  return { made, heard, waiter, opened: () => opened - 100 };
}

describe('link table', () => {
  it('opens one link for all who wait, and reuses it', () => {
    const { made, heard, waiter, opened } = table();
    for (let i = 0; i < 3; i++) made.find(target(1), waiter);
    expect([opened(), heard]).toEqual([1, []]);
    made.onReady(101, peer(1));
    expect(heard).toEqual(['link 101', 'link 101', 'link 101']);
    made.find(target(1), waiter);
    made.find(target(1, undefined), waiter);
    expect([opened(), heard.length]).toEqual([1, 5]);
  });

  it('serves who waits from a link that the relay opened meanwhile', () => {
    const { made, heard, waiter } = table();
    made.find(target(1), waiter);
    made.onReady(7, peer(1));
    expect(heard).toEqual(['link 7']);
    made.onReady(101, peer(1));
    expect(heard).toEqual(['link 7']);
  });

  it.each([
    [5, 1, 101],
    [5, 9, 7],
  ])('prefers, of two links between %i and %i, the one that the larger dialled', (own, other, preferred) => {
    for (const order of [
      [7, 101],
      [101, 7],
    ]) {
      const { made, heard, waiter } = table(own);
      made.find(target(other), waiter);
      for (const link of order) made.onReady(link, peer(other));
      heard.length = 0;
      made.find(target(other), waiter);
      expect(heard).toEqual([`link ${preferred}`]);
      made.onLost(preferred);
      made.find(target(other), waiter);
      expect(heard[1]).toBe(`link ${preferred === 7 ? 101 : 7}`);
    }
  });

  it('tells who waits that there is no link, and not why', () => {
    const { made, heard, waiter, opened } = table();
    made.find(target(1), waiter);
    made.onLost(101);
    made.find(target(1), waiter);
    made.onLost(102);
    const none = `none ${destroyReason.channelClosed}`;
    expect(heard).toEqual([none, none]);
    expect(opened()).toBe(2);
  });

  it('serves no link to a relay with another Ed25519 identity than was asked for', () => {
    const { made, heard, waiter } = table();
    made.onReady(7, peer(1));
    made.find(target(1, id(2, 32)), waiter);
    expect(heard).toEqual([`none ${destroyReason.channelClosed}`]);
  });

  it('lets no more than its cap wait for one link', () => {
    const { made, heard, waiter } = table();
    for (let i = 0; i <= extendsPerLinkMax; i++) made.find(target(1), waiter);
    expect(heard).toEqual([`none ${destroyReason.resourceLimit}`]);
  });

  it('takes clients for no relays', () => {
    const { made, waiter, opened } = table();
    made.onReady(7, { kind: 'client' });
    made.find(target(1), waiter);
    expect(opened()).toBe(1);
    expect(made.peerOf(7)).toEqual({ kind: 'client' });
  });
});
