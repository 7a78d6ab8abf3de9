import { describe, expect, it } from 'vitest';
import { extendsPerLinkMax, linkOpeningsMax } from '../src/base/limits.ts';
import { destroyReason } from '../src/cell/commands.ts';
import type { LinkTarget } from '../src/cell/link-specifier.ts';
import type { LinkPeer } from '../src/link/link-faults.ts';
import { LinkTable, type LinkWaiter } from './link-table.ts';

const id = (n: number, length: number) => new Uint8Array(length).fill(n);
const peer = (n: number, isCanonical = true, identity = n): LinkPeer => ({
  isCanonical,
  kind: 'relay',
  rsaId: id(n, 20),
  ed25519: id(identity, 32),
  rsaPublicDer: new Uint8Array(0),
});
const target = (
  n: number,
  ed25519: Uint8Array | undefined = id(n, 32),
  host = '127.0.0.1',
  port = n,
): LinkTarget => ({
  ipv4: { host, port },
  ipv6: undefined,
  rsaId: id(n, 20),
  ed25519,
});

/** Links that others open come from 10.0.0.1; the consensus has relay 4 there. */
function table(own = 5) {
  let opened = 100;
  const closed: number[] = [];
  const opener = {
    open: () => ++opened,
    close: (link: number) => void closed.push(link),
    addressOf: () => '10.0.0.1',
  };
  const listed = { ed25519: id(4, 32), address: { host: '10.0.0.1', port: 9001 }, ipv6: undefined };
  const made = new LinkTable(opener, id(own, 32), rsaId => (rsaId[0] === 4 ? listed : undefined));
  const heard: string[] = [];
  const waiter: LinkWaiter = {
    onLink: link => heard.push(`link ${link}`),
    onNoLink: reason => heard.push(`none ${reason}`),
  };
  return { made, heard, waiter, closed, opened: () => opened - 100 };
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

  it('looks for the Ed25519 identity that the consensus has, where the client names none', () => {
    const { made, heard, waiter } = table();
    const byRsa = (n: number): LinkTarget => ({ ...target(n), ed25519: undefined });
    const impostor = peer(4, true, 9);
    made.onReady(7, impostor);
    made.find(byRsa(4), waiter);
    made.onReady(101, impostor);
    made.find(byRsa(4), waiter);
    made.onReady(102, peer(4));
    // Nothing more is known of a relay that is not listed.
    made.find(byRsa(3), waiter);
    made.onReady(103, peer(3, true, 9));
    expect(heard).toEqual([`none ${destroyReason.channelClosed}`, 'link 102', 'link 103']);
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
    const { made, heard, waiter, opened } = table();
    made.onReady(7, peer(1));
    made.find(target(1, id(2, 32)), waiter);
    expect([opened(), heard]).toEqual([1, []]);
    made.onLost(101);
    expect(heard).toEqual([`none ${destroyReason.channelClosed}`]);
  });

  it.each([
    ['another address', target(1, undefined, '10.6.6.6')],
    ['another port', target(1, id(1, 32), '127.0.0.1', 6)],
    ['another Ed25519 identity', target(1, id(6, 32))],
    ['no Ed25519 identity', { ...target(1), ed25519: undefined }],
  ])('lets a request with %s fail alone', (_what, wrong) => {
    const { made, heard, waiter, opened } = table();
    const none: string[] = [];
    made.find(wrong, { onLink: () => none.push('link'), onNoLink: () => none.push('none') });
    made.find(target(1), waiter);
    expect(opened()).toBe(2);
    made.onLost(101);
    expect([none, heard]).toEqual([['none'], []]);
    made.onReady(102, peer(1));
    expect(heard).toEqual(['link 102']);
  });

  it('shares no link through a stranger with those who look for the relay at its own address', () => {
    const { made, heard, waiter, opened } = table();
    made.find(target(1, id(1, 32), '10.6.6.6'), waiter);
    made.find(target(1), waiter);
    made.onReady(101, peer(1, false));
    expect(heard).toEqual(['link 101']);
    made.onReady(102, peer(1));
    made.find(target(1), waiter);
    expect([opened(), heard]).toEqual([2, ['link 101', 'link 102', 'link 102']]);
  });

  it.each([
    ['what the relay says itself', 1, true, '10.9.9.9', true],
    ['the address that is asked for', 1, false, '10.0.0.1', true],
    ['the consensus', 4, false, '10.9.9.9', true],
    ['nothing', 1, false, '10.9.9.9', false],
  ])('shares a link that the relay opened by %s', (_what, n, isCanonical, host, shared) => {
    const { made, heard, waiter } = table();
    made.onReady(7, peer(n, isCanonical));
    made.find(target(n, id(n, 32), host), waiter);
    expect(heard).toEqual(shared ? ['link 7'] : []);
  });

  it('refuses nobody for those who look for one relay in very many places', () => {
    const { made, heard, waiter, opened, closed } = table();
    const refused: number[] = [];
    const flood: LinkWaiter = { onLink() {}, onNoLink: reason => refused.push(reason) };
    made.find(target(2), waiter);
    for (let i = 0; i < 2 * linkOpeningsMax; i++)
      made.find(target(1, id(1, 32), `10.6.${i >> 8}.${i & 255}`), flood);
    made.find(target(1), waiter);
    made.find(target(3), waiter);
    expect(opened() - closed.length).toBe(linkOpeningsMax);
    expect(new Set(refused)).toEqual(new Set([destroyReason.resourceLimit]));
    expect(closed).not.toContain(101);
    made.onReady(101, peer(2));
    made.onReady(100 + opened() - 1, peer(1));
    made.onReady(100 + opened(), peer(3));
    expect(heard).toEqual(['link 101', ...[1, 0].map(back => `link ${100 + opened() - back}`)]);
  });

  it('lets no more than its cap wait for one link', () => {
    const { made, heard, waiter } = table();
    const first: number[] = [];
    made.find(target(1), { onLink() {}, onNoLink: reason => first.push(reason) });
    for (let i = 0; i < extendsPerLinkMax; i++) made.find(target(1), waiter);
    expect([first, heard]).toEqual([[destroyReason.resourceLimit], []]);
  });

  it('takes clients for no relays', () => {
    const { made, waiter, opened } = table();
    made.onReady(7, { kind: 'client' });
    made.find(target(1), waiter);
    expect(opened()).toBe(1);
    expect(made.peerOf(7)).toEqual({ kind: 'client' });
  });
});
