import type { Measure } from '../trials.ts';
import { lessons } from './learned.ts';

const a = (unit: string): Measure => ({ unit, better: 'less' });
const messages = a('a payment');
const bytes = a('B a payment');
const operations = a('a payment');
const cpu = a('us a payment');

/** What the stage `schemes` measures, by name. */
export const schemeMeasures: Readonly<Record<string, Measure>> = {
  'payment messages': messages,
  'payment bytes': bytes,
  'payment cells': messages,
  'payment bytes on links': bytes,
  'worth of a payment': { unit: 'sat' },
  'payments a hop and circuit': { unit: 'payments' },
  'signatures, payer': operations,
  'signatures, payee': operations,
  'signatures, broker': operations,
  'verifications, payer': operations,
  'verifications, payee': operations,
  'verifications, broker': operations,
  'hashes, payer': operations,
  'hashes, payee': operations,
  'hashes, broker': operations,
  'CPU, payer': cpu,
  'CPU, payee': cpu,
  'CPU, broker': cpu,
  'requests to the broker': messages,
  'bytes at the broker': bytes,
  'requests to peers': messages,
  'requests to the busiest peer': messages,
  'transactions on the chain': messages,
  'bytes on the chain': a('vB a payment'),
  'fees on the chain': a('sat a payment'),
  'payments made': { unit: '%', better: 'more' },
  'payments tried': { unit: 'a peer' },
  'earned money is spent again': { unit: '1: yes' },
  'another payee is paid without the broker': { unit: '1: yes' },
  'requests to the broker when spent again': messages,
  'payment bytes, first hand': bytes,
  'payment bytes, ninth hand': bytes,
  'found at once': { unit: '1: yes' },
  'found later': { unit: '1: yes' },
  'double spend found after': a('s'),
  'lost to a double spend': a('sat'),
  'lost of what was credited': a('%'),
  'double spend proved': { unit: '1: yes' },
  'cheat named by its account': { unit: '1: yes' },
  'hashes to find an assistant': operations,
  'CPU to find an assistant': a('us'),
  ...Object.fromEntries(lessons.map(lesson => [lesson, { unit: '1: learned' }])),
};
