import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChannelEvent, type ChannelState, newChannel, stepChannel } from './channel-machine.ts';
import { regtestRules } from './channel-rules.ts';

const refundHeight = 200;

/** Steps a channel through events; `block`, `reorg` and the like move the tip. */
class Walk {
  state: ChannelState;
  tip = 100;
  actions: string[] = [];

  constructor(role: ChannelState['role'], stored = true) {
    this.state = newChannel(role, refundHeight, stored);
  }

  do(event: ChannelEvent): this {
    if (event.kind === 'block' || event.kind === 'reorg') this.tip = event.height;
    const { state, actions } = stepChannel(this.state, event, this.tip, regtestRules);
    this.state = state;
    this.actions = [...actions];
    return this;
  }

  mineTo(height: number): this {
    while (this.tip < height) this.do({ kind: 'block', height: this.tip + 1 });
    return this;
  }

  openedAt(height = 101): this {
    this.do({ kind: 'attached' }).mineTo(height).do({ kind: 'confirmed', height }).do({ kind: 'accepted' });
    expect(this.state.phase).toBe('open');
    return this;
  }
}

describe('channel machine', () => {
  it('settles when the payer closes', () => {
    const walk = new Walk('payee')
      .openedAt()
      .do({ kind: 'paid', paidSat: 1_000n })
      .do({ kind: 'closeAsked' });
    expect([walk.state.phase, walk.actions]).toEqual(['closing', ['broadcastSettlement']]);
    walk.mineTo(102).do({ kind: 'spent', how: 'payment', height: 102 });
    expect(walk.state.phase).toBe('closed');
  });

  it('settles by itself before T, and says so when late', () => {
    const walk = new Walk('payee').openedAt().do({ kind: 'paid', paidSat: 1_000n });
    walk.mineTo(refundHeight - regtestRules.settleMarginBlocks - 1);
    expect(walk.state.phase).toBe('open');
    walk.mineTo(refundHeight - regtestRules.settleMarginBlocks);
    expect([walk.state.phase, walk.actions]).toEqual(['closing', ['broadcastSettlement']]);
    walk.mineTo(refundHeight - regtestRules.alarmMarginBlocks);
    expect(walk.actions).toEqual(['broadcastSettlement', 'bumpSettlement', 'alarm']);
  });

  it('settles a lost circuit after its grace, unless it came back', () => {
    const walk = new Walk('payee').openedAt().do({ kind: 'paid', paidSat: 1_000n }).do({ kind: 'detached' });
    walk.mineTo(walk.tip + regtestRules.graceBlocks - 1);
    expect(walk.state.phase).toBe('open');
    walk.do({ kind: 'attached' }).mineTo(walk.tip + 10);
    expect(walk.state.phase).toBe('open');
    walk.do({ kind: 'detached' }).mineTo(walk.tip + regtestRules.graceBlocks);
    expect(walk.state.phase).toBe('closing');
  });

  it('leaves an unpaid channel open to be taken up', () => {
    const walk = new Walk('payee')
      .openedAt()
      .do({ kind: 'detached' })
      .mineTo(refundHeight - 1);
    expect(walk.state.phase).toBe('open');
  });

  it('refunds from T on, at every block until it is done', () => {
    const walk = new Walk('payer').openedAt().mineTo(refundHeight - 1);
    expect(walk.actions).toEqual([]);
    walk.mineTo(refundHeight);
    expect([walk.state.phase, walk.actions]).toEqual(['refunding', ['broadcastRefund']]);
    walk.mineTo(refundHeight + 1);
    expect(walk.actions).toEqual(['broadcastRefund']);
    walk.do({ kind: 'spent', how: 'refund', height: walk.tip });
    expect(walk.state.phase).toBe('refunded');
  });

  it('never sends a contract that is not stored, and gives it up with its session', () => {
    const walk = new Walk('payer', false).do({ kind: 'attached' }).mineTo(103);
    expect(walk.actions).toEqual([]);
    walk.do({ kind: 'detached' });
    expect([walk.state.phase, walk.actions]).toEqual(['abandoned', ['abandon']]);
  });

  it('sends the contract again until a block holds it, and after a reorganisation', () => {
    const walk = new Walk('payer', false).do({ kind: 'attached' }).do({ kind: 'stored' });
    expect(walk.actions).toEqual(['broadcastContract']);
    walk.mineTo(101).do({ kind: 'confirmed', height: 101 }).mineTo(102);
    expect(walk.actions).toEqual([]);
    walk.do({ kind: 'reorg', height: 100 }).do({ kind: 'block', height: 101 });
    expect([walk.state.phase, walk.actions]).toEqual(['frozen', ['broadcastContract']]);
  });

  it('goes back to settling when a reorganisation takes the settlement', () => {
    const walk = new Walk('payee')
      .openedAt()
      .do({ kind: 'paid', paidSat: 1_000n })
      .do({ kind: 'closeAsked' });
    walk.mineTo(104).do({ kind: 'spent', how: 'payment', height: 104 }).do({ kind: 'reorg', height: 103 });
    expect(walk.state.phase).toBe('closing');
    walk.do({ kind: 'block', height: 104 });
    expect(walk.actions).toContain('broadcastSettlement');
  });

  it('is void where the contract is nowhere at T, and takes it back should a block have it', () => {
    const walk = new Walk('payer').mineTo(refundHeight).do({ kind: 'sought', found: false });
    expect([walk.state.phase, walk.actions]).toEqual(['void', []]);
    walk.mineTo(refundHeight + 1);
    expect([walk.state.phase, walk.actions]).toEqual(['void', ['broadcastRefund']]);
    walk.do({ kind: 'sought', found: true });
    expect(walk.state.phase).toBe('refunding');
    walk.do({ kind: 'sought', found: false }).do({ kind: 'confirmed', height: walk.tip });
    expect([walk.state.phase, walk.actions]).toEqual(['refunding', ['broadcastRefund']]);
  });

  it('calls nobody for what a payee was paid on a contract that is gone for good, but goes on to offer it', () => {
    const walk = new Walk('payee').openedAt().do({ kind: 'paid', paidSat: 1_000n });
    walk.do({ kind: 'reorg', height: 99 }).mineTo(refundHeight);
    expect([walk.state.phase, walk.actions]).toEqual(['void', ['broadcastSettlement']]);
    walk.do({ kind: 'confirmed', height: walk.tip });
    expect(walk.state.phase).toBe('closing');
  });

  it.each(['payer', 'payee'] as const)(
    'at a %s offers what spends a contract that is gone ever less often, and at each block after a reorganisation',
    role => {
      const walk = new Walk(role).openedAt().do({ kind: 'paid', paidSat: 1_000n });
      walk.do({ kind: 'reorg', height: 99 }).mineTo(refundHeight).do({ kind: 'sought', found: false });
      const offers = (blocks: number) => {
        const from = walk.tip;
        let count = 0;
        while (walk.tip < from + blocks) {
          walk.mineTo(walk.tip + 1);
          count += walk.actions.length;
        }
        return count;
      };
      const { finalBlocks } = regtestRules;
      expect(offers(finalBlocks - 1)).toBe(finalBlocks - 1);
      expect(offers(10_000)).toBeLessThanOrEqual(Math.log2(10_000));
      expect(offers(10_000)).toBeGreaterThan(0);
      walk.do({ kind: 'reorg', height: walk.tip - 1 });
      expect(offers(finalBlocks - 1)).toBe(finalBlocks - 1);
      offers(100);
      walk.mineTo(walk.tip + 1).do({ kind: 'confirmed', height: walk.tip });
      expect(walk.actions).toContain(role === 'payer' ? 'broadcastRefund' : 'broadcastSettlement');
    },
  );

  const anyEvent: fc.Arbitrary<(tip: number) => ChannelEvent> = fc.oneof(
    fc.integer({ min: 1, max: 9 }).map(by => (tip: number) => ({ kind: 'block', height: tip + by }) as const),
    fc.integer({ min: 0, max: 6 }).map(by => (tip: number) => ({ kind: 'reorg', height: tip - by }) as const),
    fc.nat(5).map(by => (tip: number) => ({ kind: 'confirmed', height: tip - by }) as const),
    fc
      .constantFrom('payment' as const, 'refund' as const)
      .map(how => (tip: number) => ({ kind: 'spent', how, height: tip }) as const),
    fc.boolean().map(found => () => ({ kind: 'sought', found }) as const),
    fc.nat(1_000).map(sat => () => ({ kind: 'paid', paidSat: BigInt(sat) }) as const),
    fc
      .constantFrom('stored', 'accepted', 'attached', 'detached', 'closeAsked')
      .map(kind => () => ({ kind }) as ChannelEvent),
  );

  it('whatever happens: ends only by the chain, sends nothing unsafe, never sleeps through T', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('payer' as const, 'payee' as const),
        fc.array(anyEvent, { maxLength: 60 }),
        (role, events) => {
          const walk = new Walk(role, role === 'payee');
          for (const event of events) {
            walk.do(event(walk.tip));
            const { phase, ending, stored, paidSat, contractHeight } = walk.state;
            if (phase === 'closed' || phase === 'refunded') expect(ending).toBeDefined();
            if (phase === 'open' || phase === 'funded') expect(contractHeight).toBeDefined();
            if (!stored) expect(walk.actions.filter(action => action !== 'abandon')).toEqual([]);
            if (walk.actions.includes('broadcastRefund'))
              expect(walk.tip).toBeGreaterThanOrEqual(refundHeight);
            if (ending !== undefined || phase === 'abandoned') continue;
            const isGone = contractHeight === undefined && walk.tip >= refundHeight;
            const seen = (going: string) => (isGone ? expect.stringMatching(`^(${going}|void)$`) : going);
            if (role === 'payer' && stored && walk.tip >= refundHeight)
              expect(phase).toEqual(seen('refunding'));
            const due = walk.tip >= refundHeight - regtestRules.settleMarginBlocks;
            if (role === 'payee' && paidSat > 0n && due) expect(phase).toEqual(seen('closing'));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
