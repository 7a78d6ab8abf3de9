import { request } from 'node:http';

/** Posts to a directory port; the status. C tor knows the length by this very spelling alone, which `fetch` does not keep. */
export function post(url: string, body: Uint8Array): Promise<number> {
  return new Promise((answered, failed) => {
    const asked = request(url, { method: 'POST', headers: { 'Content-Length': body.length }, agent: false });
    asked.on('error', failed).on('response', response => {
      response.resume().on('end', () => answered(response.statusCode ?? 0));
    });
    asked.end(body);
  });
}
