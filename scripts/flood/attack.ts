import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint } from '../../src/ports.ts';

/** Whom an attack is aimed at; all of it travels between processes as JSON. */
export interface Aim {
  /** Priced: the first and the last hop of honest clients. */
  readonly guard: Endpoint;
  readonly exit: Endpoint;
  /** An exit that asks for nothing. */
  readonly freeExit: Endpoint;
  /** HOST:PORT of the authority's directory port. */
  readonly directory: string;
  /** Ports of the honest client. */
  readonly socks: Endpoint;
  readonly control: Endpoint;
  /** Exits may connect there; it sends bytes for ever. */
  readonly spring: Endpoint;
  /** And there, where nothing ever comes from. */
  readonly sink: Endpoint;
  /** On this machine, and exits may not connect there. */
  readonly secret: Endpoint;
  /** 1: as large as RELIABILITY.md has it; less: that part of it. */
  readonly scale: number;
}

/** What an attack came to, as numbers by name. */
export type AttackReport = Readonly<Record<string, number>>;

/** Goes on until it is stopped, or done. @param begun called once it is ready, and everything from then on counts. */
export type Attack = (aim: Aim, stop: AbortSignal, begun: () => void) => Promise<AttackReport>;

/** An attack's process is told what to do … */
export interface AttackOrder {
  readonly attack: string;
  readonly aim: Aim;
}

/** … and tells when it begins, and what came of it. */
export type AttackNews =
  | { readonly kind: 'begun' }
  | { readonly kind: 'done'; readonly report: AttackReport }
  | { readonly kind: 'failed'; readonly why: string };

const tickMs = 5;

/**
 * Does `act` so often a second; what could not be done in time is not made up for.
 * @param act false: not now, since those who are attacked take no more.
 * @returns how often it was done, or was not for their sake alone: what was not done because this process came too late counts not.
 */
export async function steadily(perSecond: number, stop: AbortSignal, act: () => boolean): Promise<number> {
  let [due, offered, isHeldBack] = [0, 0, false];
  for (let last = performance.now(); !stop.aborted; await pause(tickMs)) {
    const now = performance.now();
    const more = ((now - last) * perSecond) / 1_000;
    const next = Math.min(due + more, perSecond / 10 + 1);
    offered += isHeldBack ? more : next - due;
    due = next;
    last = now;
    isHeldBack = false;
    for (; due >= 1 && !isHeldBack && !stop.aborted; due--) isHeldBack = !act();
  }
  return offered;
}

/** Until it is stopped. */
export function stopped(stop: AbortSignal): Promise<void> {
  return new Promise(done => {
    if (stop.aborted) done();
    else stop.addEventListener('abort', () => done(), { once: true });
  });
}

/** At least one. */
export function scaled(count: number, { scale }: Aim): number {
  return Math.max(1, Math.round(count * scale));
}
