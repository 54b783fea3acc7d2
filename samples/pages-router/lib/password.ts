import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';

const COST = { N: 1 << 15, r: 8, p: 1, maxmem: 64 << 20 };

export function hashPassword(password: string) {
  const salt = randomBytes(16);
  return `scrypt:${COST.N}:${COST.r}:${COST.p}$${salt.toString('hex')}$${scryptSync(password, salt, 32, COST).toString('hex')}`;
}

export function verifyPassword(password: string, stored: string) {
  const [, salt, hash] = stored.split('$');
  return timingSafeEqual(scryptSync(password, Buffer.from(salt, 'hex'), 32, COST), Buffer.from(hash, 'hex'));
}
