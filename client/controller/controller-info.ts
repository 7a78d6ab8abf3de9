import { type Reply, type ReplyLine, replyCode, replyLine } from '../../src/control/control-reply.ts';
import { wordsOf } from '../../src/control/control-text.ts';
import { exactKeys, type InfoAnswer, type InfoSources, prefixKeys } from './info-keys.ts';

/** GETINFO: all keys are answered, or none. spec: control-spec 3.9 */
export function getInfo(from: InfoSources, rest: string): Reply {
  const answers = wordsOf(rest).map(key => ({ key, answer: answerTo(from, key) }));
  for (const { answer } of answers)
    if (typeof answer === 'object') return replyLine(answer.code ?? replyCode.internal, answer.why);
  const unknown = answers.filter(({ answer }) => answer === undefined);
  const [first, ...more] = unknown.map(
    ({ key }): ReplyLine => ({ code: replyCode.unrecognizedEntity, text: `Unrecognized key "${key}"` }),
  );
  if (first !== undefined) return [first, ...more];
  const lines = answers.map(({ key, answer }) => infoLine(key, String(answer)));
  const end = { code: replyCode.ok, text: 'OK' };
  return [lines[0] ?? end, ...(lines.length === 0 ? [] : [...lines.slice(1), end])];
}

function answerTo(from: InfoSources, key: string): InfoAnswer {
  if (Object.hasOwn(exactKeys, key)) return exactKeys[key](from, '');
  const prefix = Object.keys(prefixKeys).find(each => key.startsWith(each));
  return prefix === undefined ? undefined : prefixKeys[prefix](from, key.slice(prefix.length));
}

/** What has several lines is sent as data. */
function infoLine(key: string, answer: string): ReplyLine {
  if (!answer.includes('\n')) return { code: replyCode.ok, text: `${key}=${answer}` };
  return { code: replyCode.ok, text: `${key}=`, data: answer };
}
