export interface QueuedEvent {
  readonly timeUs: number;
  readonly sequence: number;
  /** Absent once it was taken back or has run. */
  run: (() => void) | undefined;
}

/** Cancelled events stay in the heap until they surface; above this share of it they are swept out. */
const sweepShare = 0.5;
const sweepLeast = 1_024;

/** A binary heap of events by (time, sequence): equal times run in the order in which they were pushed. */
export class EventQueue {
  #heap: QueuedEvent[] = [];
  #cancelled = 0;
  #sequence = 0;

  /** Time of the event that pop would give. */
  get nextUs(): number | undefined {
    this.#dropCancelledHead();
    return this.#heap[0]?.timeUs;
  }

  push(timeUs: number, run: () => void): QueuedEvent {
    this.#sequence += 1;
    const event: QueuedEvent = { timeUs, sequence: this.#sequence, run };
    this.#heap.push(event);
    this.#siftUp(this.#heap.length - 1);
    return event;
  }

  cancel(event: QueuedEvent): void {
    if (event.run === undefined) return;
    event.run = undefined;
    this.#cancelled += 1;
    if (this.#cancelled > sweepLeast && this.#cancelled > this.#heap.length * sweepShare) this.#sweep();
  }

  /** The earliest event; its `run` is for the caller to call, and no longer cancellable. */
  pop(): QueuedEvent | undefined {
    this.#dropCancelledHead();
    const event = this.#shift();
    if (event === undefined) return undefined;
    const popped: QueuedEvent = { timeUs: event.timeUs, sequence: event.sequence, run: event.run };
    event.run = undefined;
    return popped;
  }

  #dropCancelledHead(): void {
    while (this.#heap.length > 0 && this.#heap[0].run === undefined) {
      this.#shift();
      this.#cancelled -= 1;
    }
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(event => event.run !== undefined);
    this.#cancelled = 0;
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  #shift(): QueuedEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last;
      this.#siftDown(0);
    }
    return first;
  }

  #siftUp(at: number): void {
    const heap = this.#heap;
    const event = heap[at];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  #siftDown(at: number): void {
    const heap = this.#heap;
    const event = heap[at];
    for (let child = at * 2 + 1; child < heap.length; child = at * 2 + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], event)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = event;
  }
}

function isBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.sequence < b.sequence);
}
