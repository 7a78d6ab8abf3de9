import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../base/bytes.ts';
import {
  decodeCircuitRequest,
  decodeCircuitResponse,
  encodeCircuitRequest,
  encodeCircuitResponse,
} from './circuit-extensions.ts';

const hex = (text: string) => fromHex(text) ?? new Uint8Array(0);
const malformed = { ok: false, fault: { code: 'EXTENSIONS_MALFORMED' } };

describe('what a client asks', () => {
  // As C tor 0.4.9.11 was seen to send them.
  it.each([
    ['00', false],
    ['01 01 00', true],
  ])('%s', (text, congestionControl) => {
    const bytes = hex(text.replaceAll(' ', ''));
    expect(toHex(encodeCircuitRequest({ congestionControl }))).toBe(toHex(bytes));
    expect(decodeCircuitRequest(bytes)).toEqual({ ok: true, value: { congestionControl } });
  });

  it('is understood among extensions that are not known', () => {
    expect(decodeCircuitRequest(hex('0209030102030100'))).toEqual({
      ok: true,
      value: { congestionControl: true },
    });
  });

  it('may not be a subprotocol that is not offered', () => {
    // CGO: Relay=6
    expect(decodeCircuitRequest(hex('02010003020206'))).toEqual({
      ok: false,
      fault: { code: 'SUBPROTOCOL_NOT_OFFERED', detail: '2=6' },
    });
    expect(decodeCircuitRequest(hex('010300'))).toEqual({ ok: true, value: { congestionControl: false } });
    expect(decodeCircuitRequest(hex('01030102'))).toEqual(malformed);
  });

  it('is at fault when it is cut', () => {
    for (const text of ['', '01', '0101', '010101', '020100']) {
      expect(decodeCircuitRequest(hex(text))).toEqual(malformed);
    }
  });
});

describe('what a relay grants', () => {
  it('is nothing, or a number of cells', () => {
    expect(toHex(encodeCircuitResponse({ sendmeCells: undefined }))).toBe('00');
    expect(toHex(encodeCircuitResponse({ sendmeCells: 31 }))).toBe('0102011f');
    fc.assert(
      fc.property(fc.option(fc.integer({ min: 1, max: 255 }), { nil: undefined }), sendmeCells => {
        const response = { sendmeCells };
        expect(decodeCircuitResponse(encodeCircuitResponse(response))).toEqual({ ok: true, value: response });
      }),
    );
  });

  it('counts once', () => {
    expect(decodeCircuitResponse(hex('0202011f020120'))).toEqual({ ok: true, value: { sendmeCells: 31 } });
  });

  it('is at fault when it is cut, or grants no cell', () => {
    for (const text of ['', '0102', '010200', '01020100', '010202']) {
      expect(decodeCircuitResponse(hex(text))).toEqual(malformed);
    }
  });
});
