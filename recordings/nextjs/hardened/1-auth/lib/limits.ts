import { Refusal } from './http';
import { once } from './once';

const MOST_ADDRESSES = 10_000;

/** At most `count` calls in `seconds` for each client address, in this process. */
class Limit {
  private readonly calls = new Map<string, number[]>();

  constructor(
    private readonly count: number,
    private readonly seconds: number,
  ) {}

  check(request: Request) {
    // Written by server.mjs.
    const address = request.headers.get('x-forwarded-for') ?? 'unknown';
    const now = performance.now() / 1000;
    const recent = (this.calls.get(address) ?? []).filter((time) => time > now - this.seconds);
    if (recent.length >= this.count) {
      const wait = Math.max(1, Math.ceil(recent[0] + this.seconds - now));
      throw new Refusal(429, 'too many tries', { 'Retry-After': String(wait) });
    }
    this.calls.set(address, [...recent, now]);
    if (this.calls.size > MOST_ADDRESSES) this.forget(now);
  }

  private forget(now: number) {
    for (const [address, times] of this.calls) {
      if (times[times.length - 1] <= now - this.seconds) this.calls.delete(address);
    }
  }
}

export const loginLimit = () => once('loginLimit', () => new Limit(5, 60));
export const registerLimit = () => once('registerLimit', () => new Limit(20, 60));
