import bcrypt from 'bcrypt';
import { once } from './once';

const ROUNDS = 12;
const SHORTEST = 10;
// bcrypt reads no further than this; longer ones are refused, not cut.
const LONGEST_BYTES = 72;
const COMMON = new Set([
  '1234567890', '0123456789', 'password12', 'password123', 'password1234', 'qwertyuiop', 'iloveyou12',
  'administrator', 'letmein123', 'welcome123', 'changeme123', 'passw0rd123', 'qwerty12345', '12345678910',
]);

/** Checked when there is no such user, so that the answer takes as long. */
export const nobody = () => once('nobody', () => bcrypt.hash('nobody has this password', ROUNDS));

export function problem(password: string, email: string): string | null {
  if ([...password].length < SHORTEST) return `the password needs at least ${SHORTEST} characters`;
  if (Buffer.byteLength(password) > LONGEST_BYTES) return `the password is longer than ${LONGEST_BYTES} bytes`;
  const plain = password.toLowerCase();
  if (COMMON.has(plain) || plain === email || new Set(password).size < 4) return 'the password is too common';
  return null;
}

export function keep(password: string): Promise<string> {
  return bcrypt.hash(password, ROUNDS);
}

export async function matches(password: string, kept: string | undefined): Promise<boolean> {
  const right = await bcrypt.compare(password, kept ?? (await nobody()));
  return right && kept !== undefined && Buffer.byteLength(password) <= LONGEST_BYTES;
}
