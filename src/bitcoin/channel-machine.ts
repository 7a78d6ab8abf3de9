import type { ChannelRules } from './channel-rules.ts';

/**
 * Where a channel stands. `opening`: terms agreed, contract not deep enough. `funded`: deep enough, no payment taken
 * yet. `open`: payments flow. `frozen`: a reorganisation took the contract away. `closing`: the last payment is on
 * its way into a block. `refunding`: so is the refund. `closed`, `refunded`: a block holds it. `void`: T has come, and the
 * contract is nowhere. `abandoned`: the contract was never sent, or never seen.
 */
export type ChannelPhase =
  | 'opening'
  | 'funded'
  | 'open'
  | 'frozen'
  | 'closing'
  | 'closed'
  | 'refunding'
  | 'refunded'
  | 'void'
  | 'abandoned';

/** What is known of a channel; `phase` follows from the rest and the tip. */
export interface ChannelState {
  readonly role: 'payer' | 'payee';
  readonly phase: ChannelPhase;
  readonly refundHeight: number;
  /** Payer: contract, refund and keys are durable, so the contract may be broadcast. Payee: always true. */
  readonly stored: boolean;
  /** The block that holds the contract. */
  readonly contractHeight: number | undefined;
  /** Payer: the chain was asked for the contract, and knows of none. */
  readonly contractMissing: boolean;
  /** The payee has taken the contract as good. */
  readonly accepted: boolean;
  /** It was good once; what is missing now was taken away. */
  readonly wasGood: boolean;
  readonly paidSat: bigint;
  readonly closeAsked: boolean;
  /** A live session pays with it. */
  readonly inSession: boolean;
  /** Height at which its session was lost. */
  readonly idleSince: number | undefined;
  /** Height at which the payee began to settle. */
  readonly settlingSince: number | undefined;
  /** Height at which it became void, or the chain was last reorganised while it was. */
  readonly voidSince: number | undefined;
  readonly ending: { readonly how: 'payment' | 'refund'; readonly height: number } | undefined;
}

export type ChannelEvent =
  | { readonly kind: 'stored' }
  | { readonly kind: 'confirmed'; readonly height: number }
  | { readonly kind: 'spent'; readonly how: 'payment' | 'refund'; readonly height: number }
  /** The chain was asked for the contract: it waits for a block, or nobody has it. */
  | { readonly kind: 'sought'; readonly found: boolean }
  /** What ended it is in no block of the best chain any more. */
  | { readonly kind: 'unspent' }
  | { readonly kind: 'block'; readonly height: number }
  | { readonly kind: 'reorg'; readonly height: number }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'paid'; readonly paidSat: bigint }
  | { readonly kind: 'attached' }
  | { readonly kind: 'detached' }
  | { readonly kind: 'closeAsked' };

export type ChannelAction =
  | 'broadcastContract'
  | 'broadcastSettlement'
  | 'broadcastRefund'
  /** The settlement has waited too long: raise its fee by a child. */
  | 'bumpSettlement'
  /** Nothing of it is left to do; its coins, if reserved, are free. */
  | 'abandon'
  /** The settlement is late: tell a person. */
  | 'alarm';

export function newChannel(role: ChannelState['role'], refundHeight: number, stored: boolean): ChannelState {
  return {
    role,
    phase: 'opening',
    refundHeight,
    stored,
    contractHeight: undefined,
    contractMissing: false,
    accepted: false,
    wasGood: false,
    paidSat: 0n,
    closeAsked: false,
    inSession: false,
    idleSince: undefined,
    settlingSince: undefined,
    voidSince: undefined,
    ending: undefined,
  };
}

/** The next state and what is to be done about it. `tip` is the height of the best chain after the event. */
export function stepChannel(
  state: ChannelState,
  event: ChannelEvent,
  tip: number,
  rules: ChannelRules,
): { readonly state: ChannelState; readonly actions: readonly ChannelAction[] } {
  const noted = note(state, event, tip);
  const phase = phaseOf(noted, tip, rules);
  const began = phase === 'closing' && noted.role === 'payee' && noted.settlingSince === undefined;
  const wasGood = noted.wasGood || phase === 'funded' || phase === 'open';
  const voidSince = phase === 'void' ? (noted.voidSince ?? tip) : undefined;
  // Nearly all events are payments, which change nothing else.
  const next: ChannelState =
    phase === noted.phase && wasGood === noted.wasGood && voidSince === noted.voidSince && !began
      ? noted
      : { ...noted, phase, wasGood, voidSince, settlingSince: began ? tip : noted.settlingSince };
  // Each block is a reason to offer again what should be in one; so is having just got there, but by what an offer has shown.
  const got = phase !== state.phase && event.kind !== 'sought';
  const due = event.kind === 'block' || event.kind === 'stored' || got;
  return { state: next, actions: due ? actionsOf(next, tip, rules) : [] };
}

/**
 * What a node's own records call for at that height, before it has looked through the chain. That a block may hold it already
 * is no reason to wait: what is offered twice harms nobody.
 */
export function dueByRecords(
  state: ChannelState,
  tip: number,
  rules: ChannelRules,
): Extract<ChannelAction, 'broadcastSettlement' | 'broadcastRefund'> | undefined {
  if (state.ending !== undefined) return undefined;
  if (state.role === 'payee') return mustClose(state, tip, rules) ? 'broadcastSettlement' : undefined;
  return state.stored && tip >= state.refundHeight ? 'broadcastRefund' : undefined;
}

/** The state with the event's facts, its phase still the old one. */
function note(state: ChannelState, event: ChannelEvent, tip: number): ChannelState {
  switch (event.kind) {
    case 'stored':
      return { ...state, stored: true };
    case 'confirmed':
      return { ...state, contractHeight: event.height, contractMissing: false };
    case 'sought':
      return { ...state, contractMissing: !event.found };
    case 'spent':
      return { ...state, ending: { how: event.how, height: event.height } };
    case 'unspent':
      return { ...state, ending: undefined };
    case 'block':
      return state;
    case 'reorg':
      return {
        ...state,
        contractHeight: below(state.contractHeight, event.height),
        ending: below(state.ending?.height, event.height) === undefined ? undefined : state.ending,
        idleSince: state.idleSince === undefined ? undefined : Math.min(state.idleSince, event.height),
        settlingSince:
          state.settlingSince === undefined ? undefined : Math.min(state.settlingSince, event.height),
        voidSince: undefined,
      };
    case 'accepted':
      return { ...state, accepted: true };
    case 'paid':
      return { ...state, paidSat: event.paidSat };
    case 'attached':
      return { ...state, inSession: true, idleSince: undefined };
    case 'detached':
      return { ...state, inSession: false, idleSince: tip };
    case 'closeAsked':
      return { ...state, closeAsked: true };
  }
}

function below(height: number | undefined, limit: number): number | undefined {
  return height === undefined || height > limit ? undefined : height;
}

function phaseOf(state: ChannelState, tip: number, rules: ChannelRules): ChannelPhase {
  if (state.phase === 'abandoned') return 'abandoned';
  if (state.ending !== undefined) return endedPhase(state.ending.how);
  const confirmed = state.contractHeight !== undefined;
  if (state.role === 'payer') {
    if (!state.stored) return state.inSession ? 'opening' : 'abandoned';
    if (tip >= state.refundHeight) return state.contractMissing ? 'void' : 'refunding';
  } else if (!confirmed && tip >= state.refundHeight) {
    return state.paidSat === 0n || !state.wasGood ? 'abandoned' : 'void';
  }
  const deep = confirmed && tip - (state.contractHeight as number) + 1 >= rules.minConfirmations;
  if (mustClose(state, tip, rules)) return 'closing';
  if (!deep) return state.wasGood ? 'frozen' : 'opening';
  return state.accepted ? 'open' : 'funded';
}

/** Where a channel stands when a block holds what spent its contract. */
export function endedPhase(how: 'payment' | 'refund'): 'closed' | 'refunded' {
  return how === 'payment' ? 'closed' : 'refunded';
}

/**
 * A payee settles when asked, when the payer is gone, and in time before T; without a payment only when asked, and a contract that
 * it has never seen not at all: anybody may name one.
 */
function mustClose(state: ChannelState, tip: number, rules: ChannelRules): boolean {
  if (state.role === 'payee' && state.contractHeight === undefined && !state.wasGood) return false;
  if (state.closeAsked || state.settlingSince !== undefined) return true;
  if (state.role === 'payer' || state.paidSat === 0n) return false;
  if (tip >= state.refundHeight - rules.settleMarginBlocks) return true;
  return state.idleSince !== undefined && tip - state.idleSince >= rules.graceBlocks;
}

function actionsOf(state: ChannelState, tip: number, rules: ChannelRules): readonly ChannelAction[] {
  const { role, phase } = state;
  if (phase === 'abandoned') return ['abandon'];
  if (phase === 'void' && !isTriedAgain(tip - (state.voidSince ?? tip), rules)) return [];
  if (role === 'payer') {
    // A contract that is nowhere may be in a block all the same: its refund then brings it back.
    if (phase === 'refunding' || phase === 'void') return ['broadcastRefund'];
    return state.stored && state.contractHeight === undefined && state.ending === undefined
      ? ['broadcastContract']
      : [];
  }
  if (phase === 'void') return ['broadcastSettlement'];
  if (phase !== 'closing') return [];
  const waited = tip - (state.settlingSince ?? tip);
  const late = tip >= state.refundHeight - rules.alarmMarginBlocks;
  return [
    'broadcastSettlement',
    ...(late || waited >= rules.bumpAfterBlocks ? (['bumpSettlement'] as const) : []),
    ...(late ? (['alarm'] as const) : []),
  ];
}

/**
 * A contract that is nowhere comes back with a block, which the watch on it tells of. To offer what spends it is for what the watch
 * may have missed: at each block for as long as reorganisations go back, then at powers of two, since it may be gone for good.
 */
export function isTriedAgain(blocks: number, { finalBlocks }: ChannelRules): boolean {
  return blocks < finalBlocks || Number.isInteger(Math.log2(blocks));
}
