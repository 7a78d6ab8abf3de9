import { describe, expect, test } from 'vitest';
import { toHex } from '../base/bytes.ts';
import { microdescriptorsPerRequest } from '../base/limits.ts';
import { sha256 } from '../crypto/sha.ts';
import type { StoreWrite } from '../ports.ts';
import { buildAuthorityCertificate, parseAuthorityCertificate } from './authority-certificate.ts';
import { parseConsensus } from './consensus.ts';
import { formatConsensus } from './consensus-builder.ts';
import { DirectoryCache } from './directory-cache.ts';
import { DirectoryClient, type DirectoryRequest } from './directory-client.ts';
import type { DirectoryDocuments } from './directory-documents.ts';
import { directoryRecords, restoreDirectory } from './directory-store.ts';
import { documentBytes } from './document-lines.ts';
import { encodeRequest, type HttpResponse, HttpResponseReader } from './http-codec.ts';
import type { ServerDescriptor } from './server-descriptor.ts';
import {
  agreedOn,
  entriesOf,
  ManualClock,
  makeAuthority,
  makeConsensus,
  makeRelays,
  makeVote,
  microOf,
  must,
  seeded,
  signConsensus,
  type TestAuthority,
  wallMs,
} from './small-network.fixture.ts';

const authorities = [makeAuthority(0), makeAuthority(1), makeAuthority(2)];
const relays = makeRelays();

/** What one authority serves. */
function serve(
  signers: readonly TestAuthority[],
  listed: readonly ServerDescriptor[] = relays,
  validAfterMs?: number,
): DirectoryDocuments {
  const micro = new Map(
    listed.map(each => {
      const text = microOf(each);
      return [toHex(sha256(documentBytes(text))), text] as const;
    }),
  );
  const consensuses = {
    ns: must(parseConsensus(makeConsensus(listed, signers, 'ns', validAfterMs))),
    microdesc: must(parseConsensus(makeConsensus(listed, signers, 'microdesc', validAfterMs))),
  };
  return {
    consensus: flavor => consensuses[flavor],
    certificates: () => authorities.map(each => each.certificate),
    microdescriptor: digest => micro.get(digest),
    descriptor: digest => listed.find(each => toHex(each.digest) === digest)?.text,
    descriptorOf: id => listed.find(each => toHex(each.rsaId) === id)?.text,
    descriptors: () => listed.map(each => each.text),
    ownDescriptor: () => listed[0].text,
  };
}

function fetchFrom(
  documents: DirectoryDocuments,
  clock: ManualClock,
  request: DirectoryRequest,
): HttpResponse {
  const { ifModifiedSinceMs } = request;
  const sent = encodeRequest(
    'GET',
    request.path,
    '127.0.0.1',
    ifModifiedSinceMs === undefined ? {} : { ifModifiedSinceMs },
  );
  const bytes = new DirectoryCache(documents, clock).respond(sent);
  const reader = new HttpResponseReader();
  return must(reader.push(bytes!) ?? reader.end());
}

/** The same keys under a certificate of its own. */
function renewedAt(authority: TestAuthority, publishedMs: number): TestAuthority {
  const { identity, signing } = authority;
  const times = { publishedMs, expiresMs: publishedMs + 90 * 86_400_000 };
  const text = buildAuthorityCertificate(identity, signing, times);
  return { ...authority, certificate: must(parseAuthorityCertificate(text)) };
}

function newClient(clock: ManualClock, trusted = authorities, mirror = false): DirectoryClient {
  return new DirectoryClient({
    authorities: trusted.map(each => each.trusted),
    clock,
    entropy: seeded('client'),
    mirror,
  });
}

/** Carries requests until there are none; gives what was asked and how it ended. */
function run(client: DirectoryClient, documents: DirectoryDocuments, clock: ManualClock): string[] {
  const log: string[] = [];
  for (let request = client.next(); request !== undefined; request = client.next()) {
    const result = client.answered(request, fetchFrom(documents, clock, request));
    log.push(`${request.kind} ${result.ok ? result.value : result.fault.code}`);
    if (log.length > 50) throw new Error(`asks for ever: ${log.slice(-3)}`);
  }
  return log;
}

describe('directory client', () => {
  test('takes the new certificates of authorities that keep their signing keys', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    run(client, serve(authorities), clock);
    clock.pass(91 * 86_400_000);
    const renewed = authorities.map(each => renewedAt(each, clock.wall));
    const documents = serve(renewed, relays, clock.wall - 10_000);
    run(client, { ...documents, certificates: () => renewed.map(each => each.certificate) }, clock);
    expect(client.view?.validAfterMs).toBe(clock.wall - 10_000);
    expect(client.certificates()).toHaveLength(3);
  });

  test('goes from nothing to a view of the network', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    expect(run(client, serve(authorities), clock)).toEqual([
      'consensus none',
      'certificates news',
      'microdescriptors news',
    ]);
    expect(client.progress).toEqual({ consensus: true, relaysListed: 3, relaysKnown: 3 });
    const view = client.view!;
    expect(view.relays.map(each => each.nickname).sort()).toEqual(['relay0', 'relay1', 'relay2']);
    const exit = view.relayByName('RELAY2')!;
    expect(exit.priceMsatPer2Pow20).toBe(50_000_000n);
    expect(exit.paySchemes).toEqual([1]);
    expect(exit.flags.has('Exit')).toBe(true);
    expect(exit.ntorKey).toEqual(relays[2].ntorKey);
    expect(view.relayById(relays[0].rsaId)?.nickname).toBe('relay0');
    expect(view.relayByEd25519(relays[1].ed25519)?.nickname).toBe('relay1');
    expect(view.relayByName(`$${toHex(relays[1].rsaId)}`)?.nickname).toBe('relay1');
    expect(client.takeChanged()).toBe(true);
    expect(client.takeChanged()).toBe(false);
    expect(client.wakeMs()).toBeGreaterThan(1_000_000);
  });

  test('asks relays for their prices where authorities pass none on, as C tor does not', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    // Authorities know the lines of the relays' descriptors but this one.
    const unpriced = relays.map(each => ({ ...each, price: undefined }));
    const documents = serve(authorities, unpriced);
    const asked = [client.next()!];
    client.answered(asked[0], fetchFrom(documents, clock, asked[0]));
    for (const kind of ['certificates', 'microdescriptors']) {
      const request = client.next()!;
      expect(request.kind).toBe(kind);
      client.answered(request, fetchFrom(documents, clock, request));
    }
    expect(client.view?.relays).toEqual([]);
    expect(run(client, documents, clock)).toEqual(['prices news']);
    expect(client.view?.relays.map(each => each.priceMsatPer2Pow20)).toEqual(Array(3).fill(50_000_000n));
    // A relay may ask another price by the next consensus.
    clock.pass(3 * 3_600_000);
    const later = serve(authorities, unpriced, clock.wallMs() - 1_000);
    expect(run(client, later, clock)).toContain('prices news');
  });

  test('a mirror also gets flavour ns and the descriptors, and can serve in its turn', () => {
    const clock = new ManualClock();
    const mirror = newClient(clock, authorities, true);
    run(mirror, serve(authorities), clock);
    expect(mirror.consensus('ns')?.relays.length).toBe(3);
    expect([...mirror.descriptors()].length).toBe(3);
    const client = newClient(clock);
    run(client, mirror, clock);
    expect(client.view?.relays.length).toBe(3);
  });

  test('two of three authorities are enough, one is not', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    // A document signed by one is refused by the cache that is asked for three, so it comes by the bare name.
    const one = serve(authorities.slice(0, 1));
    const request = client.next()!;
    const answer = fetchFrom(one, clock, {
      ...request,
      path: '/tor/status-vote/current/consensus-microdesc',
    });
    expect(client.answered(request, answer)).toMatchObject({
      fault: { code: 'CONSENSUS_TOO_FEW_SIGNATURES' },
    });
    expect(client.view).toBeUndefined();
    clock.pass(1_000);
    expect(run(client, one, clock)).toEqual(['consensus DIRECTORY_STATUS']);
    clock.pass(2_000);
    run(client, serve(authorities.slice(1)), clock);
    expect(client.view?.relays.length).toBe(3);
  });

  test('signatures of strangers count for nothing', () => {
    const clock = new ManualClock();
    const stranger = makeAuthority(9);
    const client = newClient(clock, [stranger]);
    expect(run(client, serve(authorities), clock)).toEqual(['consensus DIRECTORY_STATUS']);
    expect(client.view).toBeUndefined();
  });

  test('a consensus with any changed byte is refused', () => {
    const clock = new ManualClock();
    const text = makeConsensus(relays, authorities, 'microdesc');
    const warm = newClient(clock);
    warm.restore({
      certificates: authorities.map(each => each.certificate.text).join(''),
      consensuses: [],
      microdescriptors: '',
    });
    const signedEnd = text.indexOf('directory-signature ');
    for (let at = 0; at < signedEnd; at += 11) {
      const request = warm.next()!;
      const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
      const body = documentBytes(changed);
      expect(
        warm.answered(request, { status: 200, reason: '', headers: new Map(), body }).ok,
        `byte ${at}`,
      ).toBe(false);
      clock.monotonic += 120_000;
    }
    expect(warm.view).toBeUndefined();
  });

  test('keeps the last good view when the next consensus is bad, late, or too old', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    run(client, serve(authorities), clock);
    const first = client.view;
    clock.pass(2.5 * 3_600_000);
    expect(run(client, serve(authorities.slice(0, 1)), clock)).toEqual(['consensus DIRECTORY_STATUS']);
    expect(client.view).toBe(first);
    clock.pass(60_000);
    const older = serve(authorities, relays, wallMs - 7_200_000);
    const request = client.next()!;
    const answer = fetchFrom(older, clock, { ...request, ifModifiedSinceMs: undefined });
    expect(client.answered(request, answer)).toMatchObject({ fault: { code: 'CONSENSUS_OLDER' } });
    expect(client.view).toBe(first);
    clock.pass(60_000);
    run(client, serve(authorities, relays.slice(1), clock.wall), clock);
    expect(client.view?.relays.length).toBe(2);
    clock.pass(30 * 3_600_000);
    expect(client.view).toBeUndefined();
  });

  test('microdescriptors that nobody asked for are dropped', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    const honest = serve(authorities);
    const liar: DirectoryDocuments = {
      ...honest,
      microdescriptor: digest => honest.microdescriptor(digest)?.replace('naulon-price 5', 'naulon-price 9'),
    };
    expect(run(client, liar, clock).at(-1)).toBe('microdescriptors DIRECTORY_USELESS_ANSWER');
    expect(client.view).toBeUndefined();
    expect(client.wakeMs()).toBeLessThanOrEqual(1_000);
    clock.pass(1_000);
    expect(run(client, honest, clock)).toEqual(['microdescriptors news']);
  });

  test.each(['cannot be read', 'nobody has'])(
    'more documents than one request names, which %s, keep out none that come after them',
    why => {
      const clock = new ManualClock();
      const client = newClient(clock);
      const honest = serve(authorities);
      const micro = (index: number) => `onion-key\nntor-onion-key ${index}\n`;
      const facts = agreedOn(authorities.map(each => makeVote(each, entriesOf(relays))));
      const useless = Array.from({ length: microdescriptorsPerRequest + 8 }, (_, index) => ({
        ...facts.relays[0],
        // Listed before all others.
        rsaId: new Uint8Array(20).fill(index, 19),
        microdescriptorDigest: sha256(documentBytes(micro(index))),
      }));
      const signed = formatConsensus({ ...facts, relays: [...useless, ...facts.relays] }, 'microdesc');
      const consensus = must(parseConsensus(signConsensus(signed, 'microdesc', authorities)));
      const texts = new Map(useless.map((each, index) => [toHex(each.microdescriptorDigest), micro(index)]));
      const documents: DirectoryDocuments = {
        ...honest,
        consensus: () => consensus,
        microdescriptor: digest =>
          honest.microdescriptor(digest) ?? (why === 'nobody has' ? undefined : texts.get(digest)),
      };
      for (let tries = 0; tries < 4; tries++) {
        run(client, documents, clock);
        clock.pass(10_000);
      }
      expect(client.progress.relaysKnown).toBe(relays.length);
      // What cannot be read now never will be: nobody is asked for it again.
      if (why === 'cannot be read') expect(client.next()).toBeUndefined();
    },
  );

  test('a mirror that has no newer consensus and sends the old one is left alone for a while', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    const documents = serve(authorities);
    run(client, documents, clock);
    // It does not know If-Modified-Since.
    const ask = (): boolean => {
      const request = client.next();
      if (request === undefined) return false;
      client.answered(request, fetchFrom(documents, clock, { ...request, ifModifiedSinceMs: undefined }));
      return true;
    };
    clock.pass(4 * 3_600_000);
    expect(ask()).toBe(true);
    expect(ask()).toBe(false);
    const times = (ms: number): number => {
      let asked = 0;
      for (const end = clock.wall + ms; clock.wall < end; clock.pass(60_000)) if (ask()) asked += 1;
      return asked;
    };
    const first = times(2 * 3_600_000);
    expect(first).toBeGreaterThan(2);
    expect(times(2 * 3_600_000)).toBeLessThan(first);
  });

  test('waits longer after each failure, and asks another source', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      client.failed(client.next()!);
      expect(client.next()).toBeUndefined();
      waits.push(client.wakeMs()!);
      clock.pass(waits[i]);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test('looks for a newer consensus when the caller lacks a relay', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    run(client, serve(authorities, relays.slice(1)), clock);
    expect(client.next()).toBeUndefined();
    clock.pass(60_000);
    client.wantNewer();
    const request = client.next()!;
    expect(request).toMatchObject({ kind: 'consensus', from: 'authority' });
    client.answered(request, fetchFrom(serve(authorities, relays.slice(1)), clock, request));
    client.wantNewer();
    expect(client.next()).toBeUndefined();
    clock.pass(60_000);
    client.wantNewer();
    run(client, serve(authorities, relays, clock.wall), clock);
    expect(client.view?.relays.length).toBe(3);
  });

  test.each(['refuses', 'answers with known ones', 'does not answer'] as const)(
    'asks somebody else when a cache makes up a consensus, and %s when asked for its certificates',
    how => {
      const clock = new ManualClock();
      const client = newClient(clock);
      run(client, serve(authorities), clock);
      clock.pass(2.5 * 3_600_000);
      const honest = serve(authorities, relays.slice(1), clock.wall);
      const { text } = honest.consensus('microdesc')!;
      const { signing } = makeAuthority(9);
      const forgers = authorities.map(each => ({ ...each, signing }));
      const [signed] = /^.*?\ndirectory-signature /s.exec(text)!;
      const forged = documentBytes(signConsensus(signed, 'microdesc', forgers));
      const headers = new Map<string, string>();
      const known = documentBytes(authorities[0].certificate.text);
      for (let asked = 0; client.view?.relays.length !== 2 && asked < 20; asked++) {
        const request = client.next();
        if (request === undefined) clock.pass(client.wakeMs()!);
        else if (request.from === 'authority') client.answered(request, fetchFrom(honest, clock, request));
        else if (request.kind === 'consensus')
          client.answered(request, { status: 200, reason: '', headers, body: forged });
        else if (how === 'does not answer') client.failed(request);
        else
          client.answered(request, {
            status: how === 'refuses' ? 404 : 200,
            reason: '',
            headers,
            body: known,
          });
      }
      expect(client.view?.relays.length).toBe(2);
    },
  );

  test('comes back from its records', () => {
    const clock = new ManualClock();
    const client = newClient(clock);
    run(client, serve(authorities), clock);
    const records = new Map(directoryRecords(client).map((each: StoreWrite) => [each.key, each.value]));
    const again = newClient(clock);
    restoreDirectory(again, { get: key => records.get(key), list: () => [], commit: () => {} });
    expect(again.view?.relays.length).toBe(3);
    expect(again.next()).toBeUndefined();
  });
});
