import type { StorePort, StoreWrite } from '../ports.ts';
import type { DirectoryClient } from './directory-client.ts';
import { documentBytes, documentText } from './document-lines.ts';

const keys = {
  certificates: 'directory/certificates',
  microdesc: 'directory/consensus-microdesc',
  ns: 'directory/consensus-ns',
  microdescriptors: 'directory/microdescriptors',
  descriptors: 'directory/descriptors',
} as const;

/** The records that bring a directory client back after a restart; they are verified again when read. */
export function directoryRecords(client: DirectoryClient): StoreWrite[] {
  const record = (key: string, text: string): StoreWrite => ({
    key,
    value: text === '' ? undefined : documentBytes(text),
  });
  return [
    record(
      keys.certificates,
      client
        .certificates()
        .map(each => each.text)
        .join(''),
    ),
    record(keys.microdesc, client.consensus('microdesc')?.text ?? ''),
    record(keys.ns, client.consensus('ns')?.text ?? ''),
    record(keys.microdescriptors, [...client.microdescriptors()].map(each => each.text).join('')),
    record(keys.descriptors, [...client.descriptors()].join('')),
  ];
}

export function restoreDirectory(client: DirectoryClient, store: StorePort): void {
  const read = (key: string): string => {
    const value = store.get(key);
    return value === undefined ? '' : documentText(value);
  };
  client.restore({
    certificates: read(keys.certificates),
    consensuses: [read(keys.microdesc), read(keys.ns)].filter(text => text !== ''),
    microdescriptors: read(keys.microdescriptors),
    descriptors: read(keys.descriptors),
  });
}
