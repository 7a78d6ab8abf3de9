import { setFlagsFromString } from 'node:v8';

/**
 * For a process that carries cells. What sockets and ciphers hand over lies outside V8's heap, is garbage at once, and counts
 * towards the size at which V8 begins to mark the whole heap. By default that size may come to lie so little above what
 * lives that a busy node marks all the time, which doubles what a byte costs; four times as much is out of reach.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=300');
}
